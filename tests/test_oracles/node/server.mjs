// A SOAP server of node's `soap` package, made from a WSDL: node server.mjs WSDL PATH < answers.json
// `answers` gives, by operation and by what was asked (without MaYeuCau), the answer as an object. The first line
// printed is the port; then one line of JSON for each question as this stack understood it.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [wsdl, path] = process.argv.slice(2);
// The package lies where `make` puts it, not beside this file.
const soap = createRequire(`${process.env.NODE_MODULES}/`)("soap");
const answers = JSON.parse(readFileSync(0, "utf-8"));

const operation = (name) => (asked) => {
  const { MaYeuCau, ...rest } = asked;
  console.log(JSON.stringify({ operation: name, asked }));
  const answer = answers[name][JSON.stringify(rest)];
  if (!answer) {
    const detail = { "tns:LoiDanCu": { attributes: { "xmlns:tns": "http://www.mic.gov.vn/dancu/1.0" }, "tns:MaLoi": "SaiCuPhap" } };
    throw { Fault: { faultcode: "soap:Client", faultstring: "nothing is known about this", detail } };
  }
  // The package writes xsi:nil for null and leaves it to others to declare the prefix.
  return { attributes: { MaYeuCau, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance" }, ...answer };
};
const operations = Object.fromEntries(Object.keys(answers).map((name) => [name, operation(name)]));

const server = createServer((_, response) => response.writeHead(404).end());
server.listen(0, "127.0.0.1", () => {
  soap.listen(server, {
    path,
    services: { DanCuQuocGia: { DanCuQuocGiaSoap: operations } },
    xml: readFileSync(wsdl, "utf-8"),
    callback: () => console.log(server.address().port),
  });
});
