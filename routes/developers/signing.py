"""How callers sign their SOAP messages: the part of the developers' pages about it (ký thông điệp SOAP)."""

from __future__ import annotations

from typing import Final

from routes.developers.html import block, both, code, link, paragraph
from schemas.errors import Text

SIGNING: Final = "clients/zeep_wsse.py"
"""The plug-in for zeep that signs, below `/docs/`."""

ZEEP: Final = """\
import os

import zeep
from zeep_wsse import GatewaySignature

# Your key and certificate, and the certificates that the gateway may sign answers with.
signature = GatewaySignature(os.environ["LGSP_KEY"], os.environ["LGSP_CERTIFICATE"], os.environ["LGSP_GATEWAY"])
client = zeep.Client(os.environ["LGSP_URL"] + "/soap/me?wsdl", wsse=signature)
for grant in client.service.Me().grants.item:
    print(grant.namespace, grant.element)
"""

NODE: Final = """\
const soap = require("soap");
const { randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");

async function main() {
  const client = await soap.createClientAsync(process.env.LGSP_URL + "/soap/me?wsdl");
  // Each header block is signed too, by the name it is given here; a look-up has g:Purpose, g:Dossier, g:Officer.
  client.addSoapHeader({ "g:RequestId": randomUUID() }, "", "g", "urn:lgsp:gateway:1");
  client.setSecurity(new soap.WSSecurityCert(
    readFileSync(process.env.LGSP_KEY),
    readFileSync(process.env.LGSP_CERTIFICATE),
    "",
    {
      hasTimeStamp: true,
      additionalReferences: ["g:RequestId"],
      signatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
      signatureTransformations: ["http://www.w3.org/2001/10/xml-exc-c14n#"],
      signerOptions: { idMode: "wssecurity" },
    },
  ));
  const [answer] = await client.MeAsync({});
  for (const grant of answer.grants.item) console.log(grant.namespace, grant.element);
}
main();
"""


def signing(root: str) -> str:
    """Return the section; `root` leads from the page to `/docs/`."""
    return (
        f"<h2 id='signing'>{both(Text('Ký thông điệp SOAP', 'Signing SOAP requests'))}</h2>"
        + paragraph(
            "WS-Security X.509, chứng thư đã đăng ký để ký: ký Body, Timestamp (có Expires, không quá 5 phút) và từng "
            "khối Header của trục, theo exclusive C14N, SHA-256; Id là wsu:Id; BinarySecurityToken mang chứng thư. Mỗi "
            "thông điệp chỉ dùng được một lần. Trả lời được trục ký lại, kèm SignatureConfirmation.",
            "WS-Security X.509 with a certificate that is registered for signing: sign Body, Timestamp (with Expires, "
            "five minutes at most) and each header block of the gateway's, with exclusive C14N and SHA-256; Ids are "
            "wsu:Id; a BinarySecurityToken carries the certificate. Each message counts once. The answer is signed "
            "back, with a SignatureConfirmation.",
        )
        + f"<h3>Python, zeep: {link(root + SIGNING, code('zeep_wsse.py'))}</h3>"
        + block(ZEEP, "signing-zeep")
        + f"<h3>Node.js, {code('soap')}: WSSecurityCert, RSA</h3>"
        + paragraph(
            f"Mặc định của gói này bị từ chối: cần {code('idMode')} là {code('wssecurity')} và chỉ một phép biến đổi, "
            "exclusive C14N.",
            "What this package does by default is refused: it needs idMode wssecurity, and exclusive C14N as the only "
            "transform.",
        )
        + block(NODE, "signing-node")
    )
