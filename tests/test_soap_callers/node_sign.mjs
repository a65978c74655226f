// Signs SOAP envelopes with node's `soap`: lines {"xml", "options"} in, lines {"signed"} out.
// node node_sign.mjs FOLDER_OF_NODE_MODULES KEY CERTIFICATE
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const [, , modules, key, certificate] = process.argv
const { WSSecurityCert } = createRequire(`${modules}/`)('soap')

for await (const line of createInterface({ input: process.stdin })) {
  const { xml, options } = JSON.parse(line)
  const security = new WSSecurityCert(readFileSync(key, 'utf8'), readFileSync(certificate, 'utf8'), '', options)
  console.log(JSON.stringify({ signed: security.postProcess(xml, 'soap') }))
}
