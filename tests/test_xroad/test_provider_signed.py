"""Signed messages behind a security server: signer and X-Road client are one; X-Road's own words are not signed."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from security.signature_key import SigningKey
from security.soap_callers import GATEWAY
from security.soap_signing import sign_soap_parts, text_header
from tests.test_xroad.double.messages import NUMBER, fields
from tests.test_xroad.double.vocabulary import HEADER, IDENTIFIERS, XROAD, Identifier, parse
from tests.test_xroad.gateway import DOSSIER, LIMITED, PERSON, PROVINCE, Behind, header_blocks, payload, problem

SIGNATURE = "{http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd}SignatureConfirmation"
NOBODY = Identifier.of("LGSP-SANDBOX/GOV/H27/DVC")


def signed(behind: Behind, by: str, client: Identifier | None, **blocks: str) -> bytes:
    """A message that a client of the demo signed, with its header blocks, and X-Road fields that nobody signed."""
    papers = behind.live.described["clients"][by]
    key = SigningKey.load(Path(papers["key"]), Path(papers["certificate"]))
    said = {"Purpose": "identity-verification"} | blocks
    body = etree.tostring(etree.fromstring(behind.body(PERSON)), method="c14n", exclusive=True)
    xroad = b""
    if client is not None:
        text = fields(client, behind.service(PERSON), user="VNdemo.officer", issue=DOSSIER)
        root = etree.fromstring(f'<x xmlns:xrd="{XROAD}" xmlns:id="{IDENTIFIERS}">{text}</x>')
        xroad = b"".join(etree.tostring(each) for each in root)
    parts = [text_header(GATEWAY, name, text) for name, text in said.items()]
    return sign_soap_parts(body, key, headers=parts, unsigned_headers=xroad).envelope


async def test_who_signs_is_who_asks(behind: Behind) -> None:
    envelope = signed(behind, "province", PROVINCE)
    async with behind.server() as server:
        answer = await server.call_soap(envelope)
    assert server.violations == []
    assert etree.QName(payload(answer)).localname == "PersonResponse"
    assert server.raw is not None
    assert header_blocks(server.raw.body) == header_blocks(envelope)
    header = parse(answer.body).find(HEADER)
    assert header is not None
    assert header.find(f".//{SIGNATURE}") is not None


async def test_another_signer_than_the_client_is_refused(behind: Behind) -> None:
    for signer, client in (("ministry", PROVINCE), ("province", LIMITED), ("province", NOBODY)):
        envelope = signed(behind, signer, client)
        async with behind.server() as server:
            answer = await server.call_soap(envelope)
        found = problem(answer)
        assert (found["code"], found["requestId"]) == ("unauthenticated", NUMBER)
        assert header_blocks(answer.body) == header_blocks(envelope)


async def test_a_signature_alone_does_not_pass_a_security_server(behind: Behind) -> None:
    found = problem(await behind.post(signed(behind, "province", None)))
    assert (found["code"], found["reason"]) == ("unauthenticated", "missing")


async def test_words_that_nobody_signed_are_no_dossier_and_no_officer(behind: Behind) -> None:
    """Else whoever carries the message could put another one there."""
    unsigned = problem(await behind.post(signed(behind, "limited", LIMITED)))
    assert "dossier" in unsigned["code"]
    said = signed(behind, "limited", LIMITED, Dossier=DOSSIER, Officer="demo.officer")
    assert etree.QName(payload(await behind.post(said))).localname == "PersonResponse"
