"""Enveloped signatures of whole documents: ours verify everywhere, others' honest ones here, forgeries nowhere."""

import copy
import re
from datetime import UTC, datetime, timedelta

import pytest
import xmlsec
from lxml import etree
from signxml import CanonicalizationMethod, XMLSigner, methods

from security.signature import RecentSignatures, Rejected, SignaturePolicy
from security.xml_signature import sign_enveloped, verify_enveloped
from tests.test_signatures.conftest import private_pem

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DS = "http://www.w3.org/2000/09/xmldsig#"
DOCUMENT = """<Answer xmlns="urn:land" xmlns:x="urn:unused" requestId="r-1" issuedAt="2026-11-22T15:00:00+07:00">
  <Parcel><Sheet>12</Sheet><Owner>Nguyễn Văn A &amp; vợ</Owner></Parcel>
</Answer>""".encode()
ANY = SignaturePolicy()
INCLUSIVE = SignaturePolicy(inclusive_c14n=True)
C14N_1_1 = "http://www.w3.org/2006/12/xml-c14n11"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"


def refusal(document, trust, policy=ANY, **options) -> str:
    with pytest.raises(Rejected) as refused:
        verify_enveloped(document, policy, trust, now=options.pop("now", NOW), **options)
    return refused.value.reason


def change(document: bytes, old, new) -> bytes:
    old, new = (text if isinstance(text, bytes) else text.encode() for text in (old, new))
    assert old in document, "the test changes nothing"
    return document.replace(old, new, 1)


def by_signxml(document: bytes, key, c14n: str, **options) -> bytes:
    signer = XMLSigner(method=methods.enveloped, c14n_algorithm=CanonicalizationMethod(c14n), **options)
    signed = signer.sign(
        etree.fromstring(document), key=key.private, cert=[key.certificate], always_add_key_value=False
    )
    return etree.tostring(signed)


def by_xmlsec(document: bytes, key, c14n: str, *, prefix: str | None, uri: str = "") -> bytes:
    """Signed by another implementation, in the style of Java and .NET where there is no prefix."""
    root = etree.fromstring(document)
    name = f"{prefix}:" if prefix else ""
    declared = f"xmlns:{prefix}" if prefix else "xmlns"
    token = key.token.decode()
    template = etree.fromstring(f"""<{name}Signature {declared}="{DS}"><{name}SignedInfo>
<{name}CanonicalizationMethod Algorithm="{c14n}"/>
<{name}SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><{name}Reference URI="{uri}">
<{name}Transforms><{name}Transform Algorithm="{DS}enveloped-signature"/><{name}Transform Algorithm="{c14n}"/>
</{name}Transforms><{name}DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>
<{name}DigestValue/></{name}Reference></{name}SignedInfo><{name}SignatureValue/><{name}KeyInfo><{name}X509Data>
<{name}X509Certificate>{token}</{name}X509Certificate></{name}X509Data></{name}KeyInfo></{name}Signature>""")
    root.append(template)
    if uri:
        xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(private_pem(key), xmlsec.constants.KeyDataFormatPem)
    context.sign(template)
    return etree.tostring(root)


@pytest.fixture
def signed(key):
    return sign_enveloped(DOCUMENT, key)


def test_what_we_sign_verifies_everywhere(key, pki, signed, xmlsec_accepts, signxml_accepts):
    verified = verify_enveloped(signed, ANY, pki.pinned(key), request_id="r-1", now=NOW)
    assert verified.signed_at == NOW
    assert verified.element.find(f"{{{DS}}}Signature") is None
    assert etree.tostring(verified.element, method="c14n", exclusive=True) == etree.tostring(
        etree.fromstring(DOCUMENT), method="c14n", exclusive=True
    )
    xmlsec_accepts(signed, key)
    signxml_accepts(signed, key)


def test_an_empty_root_can_be_signed(pki, xmlsec_accepts):
    key = pki.signer()
    signed = sign_enveloped(b'<a issuedAt="2026-11-22T08:00:00Z"/>', key)
    xmlsec_accepts(signed, key)
    assert verify_enveloped(signed, ANY, pki.pinned(key), now=NOW).element.tag == "a"


@pytest.mark.parametrize("prefix", [None, "ds"])
@pytest.mark.parametrize("uri", ["", "#whole"])
@pytest.mark.parametrize("c14n", [C14N, C14N_1_1, EXC])
def test_honest_signatures_of_other_stacks_are_accepted(pki, c14n, prefix, uri):
    key = pki.signer("rsa")
    document = change(DOCUMENT, 'requestId="r-1"', 'Id="whole" requestId="r-1"')
    answer = by_xmlsec(document, key, c14n, prefix=prefix, uri=uri)
    assert verify_enveloped(answer, INCLUSIVE, pki.pinned(key), request_id="r-1", now=NOW)
    if c14n != EXC:
        assert refusal(answer, pki.pinned(key), ANY) == "malformed"
    assert refusal(change(answer, "Sheet>12", "Sheet>13"), pki.pinned(key), INCLUSIVE) == "altered"


def test_signxml_agrees(pki):
    key = pki.signer("rsa")
    assert verify_enveloped(by_signxml(DOCUMENT, key, EXC), ANY, pki.pinned(key), now=NOW)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<Sheet>12", "<Sheet>13", "altered"),
        ('requestId="r-1"', 'requestId="r-2"', "altered"),
        ("15:00:00+07:00", "15:01:00+07:00", "altered"),
        ("</Parcel>", "</Parcel><Parcel/>", "altered"),
        ("</Parcel>", "</Parcel> ", "altered"),
        ("<Sheet>", "<!-- --><Sheet>", "malformed"),
        ("enveloped-signature", "enveloped-signatur", "malformed"),
        ('URI=""', 'URI="#x"', "not-covered"),
        ('URI=""', 'URI="http://evil.example/"', "malformed"),
        ('URI=""', 'URI="#"', "malformed"),
        ('URI=""', "", "malformed"),
        ("<ds:X509Data>", "<ds:KeyName>x</ds:KeyName><ds:X509Data>", "malformed"),
        ("<ds:X509Data>", "<ds:X509Data><ds:X509CRL/>", "malformed"),
        ("xmlenc#sha256", "xmlenc#sha1", "altered"),
        ("</ds:SignedInfo>", "</ds:SignedInfo><ds:SignedInfo/>", "malformed"),
        ("</ds:Signature>", "<ds:Object/></ds:Signature>", "malformed"),
    ],
)  # fmt: skip
def test_changes_are_refused(pki, old, new, reason):
    key = pki.signer("rsa")
    assert refusal(change(sign_enveloped(DOCUMENT, key), old, new), pki.pinned(key)) in (reason, "malformed")


def test_one_reference_and_one_known_name_of_the_signer(pki):
    key = pki.signer("rsa")
    signed = sign_enveloped(DOCUMENT, key)
    other = signed.replace(b"X509Certificate>", b"X509Digest>")
    assert refusal(other, pki.pinned(key)) == "malformed"
    reference = re.search(rb"<ds:Reference .*?</ds:Reference>", signed)[0]
    assert refusal(signed.replace(reference, reference * 2), pki.pinned(key)) == "malformed"


def wrap(document: bytes, how: str) -> bytes:
    genuine = etree.fromstring(document)
    signature = genuine.find(f"{{{DS}}}Signature")
    evil = copy.deepcopy(genuine)
    evil[0][0].text = "666"
    evil_signature = evil.find(f"{{{DS}}}Signature")
    if how == "inside the forged root":
        evil.remove(evil_signature)
        evil.append(genuine)
        return etree.tostring(evil)
    if how == "signature moved to the forged root":
        evil.remove(evil_signature)
        evil.append(signature)
        evil.append(genuine)
        return etree.tostring(evil)
    if how == "genuine in Object":
        etree.SubElement(evil_signature, f"{{{DS}}}Object").append(genuine)
        return etree.tostring(evil)
    if how == "genuine in KeyInfo":
        evil_signature[2].append(genuine)
        return etree.tostring(evil)
    if how == "two signatures":
        genuine.append(copy.deepcopy(signature))
        return etree.tostring(genuine)
    if how == "signature deeper":
        genuine[0].append(signature)
        return etree.tostring(genuine)
    genuine.remove(signature)
    return etree.tostring(genuine)


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize("how", [
    "inside the forged root", "signature moved to the forged root", "genuine in Object", "genuine in KeyInfo",
    "two signatures", "signature deeper", "no signature",
])  # fmt: skip
def test_wrapped_documents_are_refused(pki, how, by_id):
    key = pki.signer("rsa")
    document = change(DOCUMENT, 'requestId="r-1"', 'Id="whole" requestId="r-1"')
    signed = by_xmlsec(document, key, EXC, prefix="ds", uri="#whole" if by_id else "")
    assert verify_enveloped(signed, ANY, pki.pinned(key), now=NOW)
    assert refusal(wrap(signed, how), pki.pinned(key)) in ("altered", "malformed", "not-covered")


def test_an_id_that_two_elements_share_is_refused(pki):
    key = pki.signer("rsa")
    document = change(DOCUMENT, 'requestId="r-1"', 'Id="whole" requestId="r-1"')
    for name in ("id", "xml:id", "ID", "Id"):
        twice = change(document, "<Sheet>", f'<Sheet {name}="other">')
        signed = by_xmlsec(twice, key, EXC, prefix="ds", uri="#whole")
        assert verify_enveloped(signed, ANY, pki.pinned(key), now=NOW)
        assert refusal(change(signed, b'="other"', b'="whole"'), pki.pinned(key)) == "malformed"


def test_no_signature_wrong_signer_and_time(pki):
    key = pki.signer("p256")
    signed = sign_enveloped(DOCUMENT, key)
    trust = pki.pinned(key)
    assert refusal(DOCUMENT, trust) == "not-covered"
    assert refusal(signed, pki.pinned(pki.signer("p384"))) == "untrusted"
    assert refusal(signed, trust, now=NOW + timedelta(days=60)) == "expired"
    assert refusal(signed, trust, now=NOW + timedelta(minutes=6)) == "stale"
    assert verify_enveloped(signed, ANY, trust, now=NOW + timedelta(minutes=5, seconds=59))
    assert refusal(signed, trust, now=NOW - timedelta(minutes=2)) == "stale"
    assert refusal(signed, trust, request_id="r-2") == "not-answer-to-request"
    replays = SignaturePolicy(replays=RecentSignatures(clock=lambda: NOW))
    assert verify_enveloped(signed, replays, trust, now=NOW)
    assert refusal(signed, trust, replays) == "replayed"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<a/>", "malformed"),
        (b'<a issuedAt="2026-11-22"/>', "malformed"),
        (b'<a issuedAt="2026-11-22T08:00:00"/>', "malformed"),
        (b'<a issuedAt="2026-11-22T08:00:00Z"><issuedAt>2026-11-22T08:00:00Z</issuedAt></a>', "malformed"),
        (b'<a xmlns="urn:a"><issuedAt>2026-11-22T08:00:00Z</issuedAt></a>', "not-answer-to-request"),
        (b'<a xmlns="urn:a"><issuedAt>2026-11-22T08:00:00Z</issuedAt><requestId>r</requestId></a>', None),
        (b'<a xmlns="urn:a"><requestId>r</requestId><issuedAt xmlns="">2026-11-22T08:00:00Z</issuedAt></a>', None),
        (b'<a><b issuedAt="2026-11-22T08:00:00Z" requestId="r"/></a>', "malformed"),
    ],
)
def test_where_request_and_time_are_read(pki, document, reason):
    key = pki.signer()
    signed = sign_enveloped(document, key)
    if reason is None:
        assert verify_enveloped(signed, ANY, pki.pinned(key), request_id="r", now=NOW)
    else:
        assert refusal(signed, pki.pinned(key), request_id="r") == reason
