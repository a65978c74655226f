"""Edges of signed SOAP that mutation testing found nobody to hold: hidden Ids, header blocks, spaced confirmations."""

import base64

import pytest

from security import signature_structure
from security.signature import Rejected, SignaturePolicy
from security.signature_structure import EXC_C14N, are_unique
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts, text_header
from security.xml import Limits, parse

PAYLOAD = b'<a xmlns="urn:a">1</a>'
WSA = "http://www.w3.org/2005/08/addressing"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
ASKED = base64.b64encode(b"asked-for").decode()


@pytest.fixture
def key(pki):
    return pki.signer("p256")


@pytest.mark.parametrize(
    ("document", "unique"),
    [
        ('<r><a Id="x1"/><b URI="#x1"/></r>', True),
        ('<r><a Id="x1"/><b URI="#x1"/><c Id="x1"/></r>', False),
        ('<r><a Id="x1"/><b URI="#x1"/><c Id="&#120;1"/></r>', False),
        ('<r><a Id="x1"/><b URI="#x1"/><c ID="&#x78;1"/></r>', False),
        ('<r><a Id="&#120;1"/><b URI="#x1"/><c other="x1"/></r>', False),
        ('<r><a Id="&#120;1"/><b URI="#x1"/></r>', True),
        ('<r><a Id="x1"/><b URI="#x1"/>x1 &amp; x1</r>', True),
        ('<r><a Id="x1"/><b URI="#x1"/>&amp;</r>', True),
        ('<r><a Id="x2"/><b URI="#x1"/></r>', False),
    ],
)
def test_no_character_reference_hides_a_second_id(document, unique):
    assert are_unique(["x1"], parse(document.encode()), document.encode()) is unique
    assert not are_unique(["x1", "x1"], parse(document.encode()), document.encode())


def outcome(envelope, pki, key, now, policy=None, **options):
    try:
        verify_soap(envelope, policy or SignaturePolicy(), pki.pinned(key), now=now, **options)
    except Rejected as refused:
        return refused.reason
    return "valid"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("0", "valid"), ("false", "valid"), (" false ", "valid"), ("1", "not-covered"), ("true", "not-covered"),
     ("FALSE", "not-covered"), ("", "not-covered")],
)  # fmt: skip
def test_an_unsigned_block_must_not_be_mandatory(pki, key, now, said, verdict):
    block = f'<x:hint xmlns:x="urn:x" xmlns:env="{ENVELOPE}" env:mustUnderstand="{said}"/>'.encode()
    envelope = sign_soap_parts(PAYLOAD, key, now=now, unsigned_headers=block).envelope
    assert outcome(envelope, pki, key, now) == verdict


def test_only_blocks_that_must_be_signed_stand_there_once(pki, key, now):
    policy = SignaturePolicy(signed_headers=frozenset({f"{{{WSA}}}To"}))

    def message(*names: str, unsigned: bytes = b"") -> bytes:
        headers = [text_header(WSA, name, f"urn:{place}") for place, name in enumerate(names)]
        return sign_soap_parts(PAYLOAD, key, now=now, headers=headers, unsigned_headers=unsigned).envelope

    assert outcome(message("To"), pki, key, now, policy) == "valid"
    assert outcome(message("To", "Cc", "Cc"), pki, key, now, policy) == "valid"
    assert outcome(message("To", "To"), pki, key, now, policy) == "malformed"
    assert outcome(message("Cc"), pki, key, now, policy) == "not-covered"
    forged = f'<w:To xmlns:w="{WSA}">urn:other</w:To>'.encode()
    assert outcome(message("To", unsigned=forged), pki, key, now, policy) == "not-covered"


def test_white_space_in_a_confirmation_is_none(pki, key, now, resign):
    made = sign_soap_parts(PAYLOAD, key, now=now, confirms=ASKED).envelope
    assert outcome(made, pki, key, now, confirms=ASKED) == "valid"
    for between, verdict in ((" ", "valid"), ("&#10;", "valid"), ("!", "malformed"), ("A", "malformed")):
        spaced = made.replace(f'Value="{ASKED}"'.encode(), f'Value="{ASKED[:4]}{between}{ASKED[4:]}"'.encode())
        assert spaced != made
        assert outcome(resign(spaced, key), pki, key, now, confirms=ASKED) == verdict, between


def test_an_envelope_is_a_header_and_a_body(pki, key, now):
    for inside, verdict in (
        ("<e:Header/>", "malformed"),
        ("<e:Body/>", "not-covered"),
        ("<e:Body/><e:Body/>", "malformed"),
        ("<e:Body/><e:Header/>", "malformed"),
        ("<e:Header/><x/>", "malformed"),
        ("<x/><e:Body/>", "malformed"),
        ("", "malformed"),
    ):
        assert outcome(f'<e:Envelope xmlns:e="{ENVELOPE}">{inside}</e:Envelope>'.encode(), pki, key, now) == verdict


def test_the_caps_of_the_policy_count(pki, key, now):
    envelope = sign_soap_parts(PAYLOAD, key, now=now).envelope
    for size, verdict in ((len(envelope), "valid"), (len(envelope) - 1, "malformed")):
        assert outcome(envelope, pki, key, now, SignaturePolicy(limits=Limits(size=size))) == verdict


def prefixes(listed: str) -> list[str] | None:
    method = f'''<c:Transform xmlns:c="http://www.w3.org/2000/09/xmldsig#" Algorithm="{EXC_C14N}">
    <e:InclusiveNamespaces xmlns:e="{EXC_C14N}" PrefixList="{listed}"/></c:Transform>'''
    return signature_structure._method(parse(method.encode()), "it").prefixes


def test_a_prefix_list_is_bounded():
    most = signature_structure._MAX_PREFIXES
    longest = signature_structure._MAX_PREFIX_LIST
    assert prefixes("") is None
    assert prefixes("a b #default") == ["a", "b", "#default"]
    assert prefixes(" ".join(f"p{n}" for n in range(most))) == [f"p{n}" for n in range(most)]
    assert prefixes("a".ljust(longest)) == ["a"]
    for listed in (" ".join(f"p{n}" for n in range(most + 1)), "a".ljust(longest + 1), "a:b", "#other"):
        with pytest.raises(Rejected) as refused:
            prefixes(listed)
        assert refused.value.reason == "malformed"
