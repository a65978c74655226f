"""A foreign source that signs, over SOAP and over plain XML, and the endpoint that believes it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from adapters.signed_xml import SignedXml
from sandbox.pki import Pki
from schemas.exchange import Answer, Database
from security.signature_key import SigningKey
from security.soap_signing import sign_soap_parts
from security.xml import Limits
from security.xml_signature import sign_enveloped
from tests.test_translation.foreign import (
    MEDIA,
    SPACE,
    TYPES,
    asked,
    binding_of,
    contract_file,
    database_of,
    http,
    payload,
)

Respell = Callable[[bytes], bytes]


def as_it_is(message: bytes) -> bytes:
    return message


@dataclass
class Signing:
    """A source that signs, and the endpoint that believes it."""

    pki: Pki
    signer: SigningKey

    def database(self, kind: str) -> Database:
        if kind == "signed-xml":
            types = TYPES.replace('<xs:element name="So" type="xs:string"/>\n  </xs:sequence>', _ASKED)
            types = types.replace(_LAST, _STATED)
            text = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:f="{SPACE}"
              targetNamespace="{SPACE}" elementFormDefault="qualified">{types}</xs:schema>"""
            binding: Any = SignedXml(
                contract=contract_file(text, ".xsd"),
                path="/hoi",
                request=(SPACE, "Hoi"),
                answer=(SPACE, "HoiResponse"),
                record="Thu",
            )
        else:
            binding = binding_of("soap-1.2" if kind == "1.2" else "soap-1.1")
        database = database_of(binding)
        return replace(database, operations=(replace(database.operations[0], signed=True),))

    def endpoint(self) -> dict[str, Any]:
        pair = self.pki.registry("tax")
        ca = self.pki.registries_ca
        return {"key": pair.key, "certificate": pair.certificate, "signer": pair.certificate, "trust": (ca,)}

    def answer(
        self, kind: str, inside: str, attributes: str = "", respell: Respell = as_it_is
    ) -> Callable[[bytes], bytes]:
        """Sign an answer to the question that comes; `respell` writes the same document in another way."""
        text = payload(inside, attributes).encode()

        def answered(question: bytes) -> bytes:
            if kind == "signed-xml":
                (asked_as,) = re.findall(rb'requestId="([^"]+)"', question)
                stated = b' requestId="%b" issuedAt="%b"><Thu' % (asked_as, datetime.now(UTC).isoformat().encode())
                document = sign_enveloped(text.replace(b"><Thu", stated, 1), self.signer, _ANY_SIZE)
                return http(respell(document), b"application/xml")
            (value,) = re.findall(rb"SignatureValue>([^<]+)<", question)
            canonical = etree.tostring(etree.fromstring(text), method="c14n", exclusive=True)
            version: Any = kind
            signed = sign_soap_parts(canonical, self.signer, version=version, confirms=value.decode())
            return http(respell(signed.envelope), MEDIA[kind])

        return answered

    async def read(self, kind: str, inside: str, attributes: str = "", respell: Respell = as_it_is) -> Answer:
        return await asked(self.database(kind), self.answer(kind, inside, attributes, respell), **self.endpoint())


_ASKED = '<xs:element name="So" type="xs:string"/></xs:sequence><xs:attribute name="requestId" use="required"/>'
_LAST = """maxOccurs="unbounded" nillable="true"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="Loi">"""
_STATED = """maxOccurs="unbounded" nillable="true"/>
  <xs:any namespace="http://www.w3.org/2000/09/xmldsig#" processContents="skip" minOccurs="0"/>
  </xs:sequence><xs:attribute name="requestId"/><xs:attribute name="issuedAt"/></xs:complexType></xs:element>
  <xs:element name="Loi">"""
_ANY_SIZE = Limits(size=2**30, elements=10**6)
