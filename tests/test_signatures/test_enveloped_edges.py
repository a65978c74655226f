"""Edges of enveloped signatures that mutation testing found nobody to hold: caps, targets, text around a Signature."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from lxml import etree

from security.signature import Rejected, SignaturePolicy
from security.xml import Limits, XmlRefused
from security.xml_signature import sign_enveloped, verify_enveloped

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DS = "http://www.w3.org/2000/09/xmldsig#"
ROOT = 'requestId="r-1" issuedAt="2026-11-22T15:00:00+07:00"'
ANY = SignaturePolicy()


@pytest.fixture
def key(pki):
    return pki.signer("p256")


def accepted(document, key, pki, **options) -> bool:
    verify_enveloped(document, options.pop("policy", ANY), pki.pinned(key), now=NOW, **options)
    return True


def reason(document, key, pki, **options) -> str:
    with pytest.raises(Rejected) as refused:
        accepted(document, key, pki, **options)
    return refused.value.reason


def signed(document: str, key, uri: str = "", key_info: str = "", more: str = "") -> bytes:
    """A document with a genuine signature over all of it, whatever its Reference says."""
    octets = etree.tostring(etree.fromstring(document), method="c14n", exclusive=True)
    template = sign_enveloped(b"<a></a>", key).decode()
    signature = template[len("<a>") : -len("</a>")]
    info = signature[signature.index("<ds:SignedInfo") : signature.index("</ds:SignedInfo>") + len("</ds:SignedInfo>")]
    digest = b64encode(hashlib.sha256(octets).digest()).decode()
    old = info[info.index("<ds:DigestValue>") + len("<ds:DigestValue>") : info.index("</ds:DigestValue>")]
    changed = info.replace('URI=""', f'URI="{uri}"').replace(old, digest)
    changed = changed.replace("</ds:Transforms>", f"{more}</ds:Transforms>")
    value = b64encode(key.sign(changed.encode())).decode()
    start = signature.index("<ds:SignatureValue>") + len("<ds:SignatureValue>")
    old_value = signature[start : signature.index("</ds:SignatureValue>")]
    signature = signature.replace(info, changed).replace(old_value, value)
    signature = signature.replace("<ds:KeyInfo>", f"<ds:KeyInfo{key_info}>")
    end = document.rindex("</")
    return (document[:end] + signature + document[end:]).encode()


def test_the_caps_of_the_policy_and_of_the_signer_count(key, pki):
    document = sign_enveloped(f"<a {ROOT}><b>{'x' * 200}</b></a>".encode(), key)
    assert accepted(document, key, pki)
    assert reason(document, key, pki, policy=SignaturePolicy(limits=Limits(size=len(document) - 1))) == "malformed"
    with pytest.raises(XmlRefused):
        sign_enveloped(b"<a>" + b"x" * 100 + b"</a>", key, Limits(size=100))


def test_a_reference_has_to_name_the_root(key, pki):
    for document, uri, verdict in (
        (f'<a Id="this" {ROOT}><b Id="that"/></a>', "#this", None),
        (f'<a id="this" {ROOT}><b/></a>', "#this", None),
        (f'<a Id="this" {ROOT}><b Id="that"/></a>', "#that", "not-covered"),
        (f'<a Id="this" {ROOT}><b/></a>', "#nowhere", "not-covered"),
        (f'<a {ROOT}><b Id="that"/></a>', "#that", "not-covered"),
        (f'<a Id="this" {ROOT}><b Id="this"/></a>', "#this", "malformed"),
    ):
        made = signed(document, key, uri)
        if verdict is None:
            assert accepted(made, key, pki)
        else:
            assert reason(made, key, pki) == verdict, uri


def test_key_info_may_have_an_id_and_nothing_else(key, pki):
    document = f"<a {ROOT}><b/></a>"
    assert accepted(signed(document, key, key_info=' Id="k-1"'), key, pki)
    for other in (' ID="k-1"', ' id="k-1"', ' Name="k-1"'):
        assert reason(signed(document, key, key_info=other), key, pki) == "malformed"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("head", "<b></b>"),
        ("head", " behind <b></b>"),
        ("", " behind <b></b>"),
        ("<b></b>", ""),
        ("<b></b>", " behind "),
        ("<b></b> before ", " behind "),
        ("<b></b> before ", "<c></c> tail "),
        ("<b></b>", " behind <c></c>"),
    ],
)
def test_the_text_around_a_signature_is_covered_wherever_it_stands(key, pki, before, after):
    document = signed(f"<a {ROOT}>{before}{after}</a>", key).decode()
    start, end = document.index("<ds:Signature "), document.index("</ds:Signature>") + len("</ds:Signature>")
    signature = document[start:end]
    moved = f"<a {ROOT}>{before}{signature}{after}</a>"
    verified = verify_enveloped(moved.encode(), ANY, pki.pinned(key), now=NOW)
    assert (
        etree.tostring(verified.element)
        == f"<a {ROOT}>{before}{after}</a>".replace("></b>", "/>").replace("></c>", "/>").encode()
    )
    for text in ("head", "behind", "before", "tail"):
        if text in moved:
            assert reason(moved.replace(text, "changed").encode(), key, pki) == "altered", text


def test_the_id_of_the_question_may_stand_in_the_namespace_of_the_root_and_no_other(key, pki):
    inside = "<requestId>r-1</requestId><issuedAt>2026-11-22T15:00:00+07:00</issuedAt>"
    document = sign_enveloped(f'<a xmlns="urn:land">{inside}</a>'.encode(), key)
    assert accepted(document, key, pki, request_id="r-1")
    assert reason(document, key, pki, request_id="r-2") == "not-answer-to-request"
    foreign = f'<a xmlns:f="urn:foreign" {ROOT.partition(" ")[2]}><f:requestId>r-1</f:requestId></a>'
    assert reason(sign_enveloped(foreign.encode(), key), key, pki, request_id="r-1") == "not-answer-to-request"


def test_a_reference_has_two_transforms_at_most(key, pki):
    document = f"<a {ROOT}><b/></a>"
    assert accepted(signed(document, key), key, pki)
    more = '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>'
    for policy in (ANY, SignaturePolicy(inclusive_c14n=True)):
        for count in (1, 2):
            assert reason(signed(document, key, more=more * count), key, pki, policy=policy) == "malformed"
