"""The same work done by libraries that a ministry would reach for: xmlsec, signxml, zeep, pydantic, json.

xmlsec and signxml get the envelopes of `pieces_wire` and the pinned certificate of their signer, and check signature
and references over Body, Timestamp and SignatureConfirmation. They know nothing of the rest of the profile (structure,
caps, freshness, path to an authority, which question was answered), so their times are of less work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier
from zeep import Client
from zeep.transports import Transport

from bench.answer import EXPECTED, payload
from bench.pieces_clock import Clock
from bench.pieces_wire import Answer, Wire, enveloped
from schemas.tax import Taxpayer
from security.contracts import contract_path
from security.signature_structure import DS, WSU_ID


def other_verifiers(made: Wire) -> tuple[dict[str, Callable[[], object]], list[str]]:
    """xmlsec and signxml over every signed answer, and who does not load with the reason."""
    found, absent = {}, []
    try:
        xmlsec = import_module("xmlsec")
    except Exception as failure:  # noqa: BLE001 - with another libxml2 than lxml's it raises an error of its own
        absent.append(f"absent: xmlsec ({failure})")
    else:
        for name, answer in made.answers.items():
            found[f"{name} xmlsec"] = _by_xmlsec(xmlsec, answer)
    for name, answer in made.answers.items():
        found[f"{name} signxml"] = _by_signxml(answer)
    return found, absent


def _by_xmlsec(xmlsec: Any, answer: Answer) -> Callable[[], object]:
    pem = answer.signer.certificate.public_bytes(Encoding.PEM)
    key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)

    def verify() -> None:
        root = etree.fromstring(answer.envelope)
        for element in root.iter(etree.Element):
            if WSU_ID in element.attrib:
                xmlsec.tree.add_ids(element, ["Id"])
        context = xmlsec.SignatureContext()
        context.key = key
        context.verify(next(root.iter(f"{{{DS}}}Signature")))

    return verify


def _by_signxml(answer: Answer) -> Callable[[], object]:
    references = answer.envelope.count(b"<ds:Reference ")
    config = SignatureConfiguration(require_x509=False, location=".//", expect_references=references)

    def verify() -> object:
        verifier = XMLVerifier()
        return verifier.verify(answer.envelope, x509_cert=answer.signer.certificate, expect_config=config)

    return verify


class _Canned(Transport):
    """Answers every question with the same bytes, without a network."""

    def __init__(self, body: bytes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._answer = SimpleNamespace(
            status_code=200, content=body, headers={"Content-Type": "application/soap+xml"}, encoding="utf-8"
        )

    def post(self, address: str, message: bytes, headers: object) -> Any:
        """Return the answer."""
        return self._answer


def library_pieces(clock: Clock) -> dict[str, float]:
    """What zeep, pydantic and json take for the answer of 26 fields."""
    body = enveloped(b"m".join(payload()))
    client = Client(str(contract_path("tax.wsdl")), transport=_Canned(body))  # type: ignore[no-untyped-call]
    name, request = "TraCuuNguoiNopThue", {"MaYeuCau": "m", "MaHeThong": "LGSP", "MaSoThue": EXPECTED["tax_code"]}
    ask = client.service[name]
    text = json.dumps(EXPECTED, ensure_ascii=False)
    return {
        "zeep create": clock.one(lambda: client.create_message(client.service, name, **request)),  # type: ignore[no-untyped-call]
        "zeep create, write, read": clock.one(lambda: ask(**request)),
        "pydantic validate": clock.one(lambda: Taxpayer.model_validate(EXPECTED)),
        "json write": clock.one(lambda: json.dumps(EXPECTED, ensure_ascii=False)),
        "json read": clock.one(lambda: json.loads(text)),
    }
