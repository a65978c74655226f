// node's `soap` package, asked to load contracts and to make calls: node calls.mjs WSDL... < job.json
// JSON lines out, one for each contract, then one for each call. `told` is what it complained about meanwhile.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

// The package lies where `make` puts it, not beside this file.
const soap = createRequire(`${process.env.NODE_MODULES}/`)("soap");
const told = [];
process.on("warning", (warning) => told.push(warning.message));
for (const kind of ["log", "warn", "error", "info"]) console[kind] = (...parts) => told.push(parts.map(String).join(" "));
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function proof(call) {
  if (call.basic) return new soap.BasicAuthSecurity(...call.basic);
  if (call.bearer) return new soap.BearerSecurity(call.bearer);
  if (call.tls) {
    const [key, certificate, ca] = [call.tls.key, call.tls.certificate, call.tls.ca].map((file) => readFileSync(file));
    return new soap.ClientSSLSecurity(key, certificate, ca);
  }
  if (call.signing) {
    const [key, certificate] = [call.signing.key, call.signing.certificate].map((file) => readFileSync(file, "utf-8"));
    return new soap.WSSecurityCert(key, certificate, "", call.signing.options);
  }
  return null;
}

async function made(client, call) {
  const { service, port, operation, body, location } = call;
  client.clearSoapHeaders();
  for (const [name, text] of Object.entries(call.headers)) client.addSoapHeader({ [`gw:${name}`]: text }, "", "gw", "urn:lgsp:gateway:1");
  client.setSecurity(proof(call));
  client.setEndpoint(location);
  try {
    const [answer, raw] = await new Promise((resolve, reject) => {
      client[service][port][operation](body, (error, ...rest) => (error ? reject(error) : resolve(rest)), {}, call.http);
    });
    return { answer, envelope: raw.match(/"([^"]*envelope[^"]*)"/)[1], sent: client.lastRequest, raw };
  } catch (error) {
    if (!error.root) return { failed: String(error) };
    return { fault: error.root.Envelope.Body.Fault, status: error.response.status };
  }
}

// What must be said for this package to hand out null for nil and text with the white space that was sent.
const EXACT = { handleNilAsNull: true, preserveWhitespace: true };
for (const contract of process.argv.slice(2)) {
  const client = await soap.createClientAsync(contract, { disableCache: true });
  say({ id: basename(contract), described: client.describe(), told: told.splice(0) });
}
const clients = {};
for (const call of JSON.parse(readFileSync(0, "utf-8"))) {
  // The version is a matter of this option, not of the port.
  const options = { disableCache: true, forceSoap12Headers: call.soap === "1.2", ...EXACT };
  const client = (clients[`${call.wsdl} ${call.soap}`] ??= await soap.createClientAsync(call.wsdl, options));
  say({ id: call.id, ...(await made(client, call)), told: told.splice(0) });
}
