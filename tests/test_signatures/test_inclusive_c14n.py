"""Inclusive canonicalisation, 1.0 and 1.1, as Java, .NET and Santuario sign documents: xmlsec says what is right."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters import DATABASES
from adapters.dispatch import compile_codecs
from adapters.transport import Reply
from config.settings import Endpoint
from schemas.errors import NoRecord, UpstreamSignatureRejected
from security.signature import Rejected, SignaturePolicy
from security.signature_key import SigningKey
from security.signature_structure import C14N, C14N_1_1, DS, ENVELOPED, EXC_C14N
from security.xml import canonical_inclusive, parse
from security.xml_signature import verify_enveloped
from tests.test_oracles.asking import exchange_of, operation_of
from tests.test_signatures.conftest import NOW, private_pem

POLICY = SignaturePolicy(inclusive_c14n=True)
INCLUSIVE = [None, C14N, C14N_1_1]
RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def template(token: bytes, c14n: str, transform: str | None, prefix: str = "", gap: str = "") -> str:
    """A Signature to be filled by xmlsec; without `transform` enveloped-signature stands alone, as in .NET and Java."""
    transforms = [ENVELOPED, *([transform] if transform else [])]
    text = f"""<Signature xmlns="{DS}">{gap}<SignedInfo>{gap}<CanonicalizationMethod Algorithm="{c14n}"/>
<SignatureMethod Algorithm="{RSA}"/>{gap}<Reference URI=""><Transforms>{gap}{
        "".join(f'<Transform Algorithm="{one}"/>' for one in transforms)
    }</Transforms>
<DigestMethod Algorithm="{SHA256}"/><DigestValue/></Reference></SignedInfo><SignatureValue/>{gap}<KeyInfo><X509Data>
<X509Certificate>{token.decode()}</X509Certificate></X509Data></KeyInfo></Signature>"""
    return re.sub("(</?)", rf"\1{prefix}:", text).replace("xmlns=", f"xmlns:{prefix}=") if prefix else text


def filled(document: str, key: SigningKey) -> bytes:
    """The document with its template filled by xmlsec."""
    root = etree.fromstring(document.encode())
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(private_pem(key), xmlsec.constants.KeyDataFormatPem)
    context.sign(next(root.iter(f"{{{DS}}}Signature")))
    return etree.tostring(root, encoding="utf-8")


@st.composite
def documents(draw) -> str:
    """Namespaces declared, redeclared and taken back at every level, xml:* attributes anywhere, one place to sign."""

    def element(depth: int, scope: dict[str, str]) -> str:
        prefix = draw(st.sampled_from(["", "", "a", "b"]))
        inside = dict(scope)
        attributes = {}
        for one in {prefix, draw(st.sampled_from(["", "a", "b", "ds"]))}:
            if draw(st.booleans()) or (one and one not in inside):
                inside[one] = draw(st.sampled_from(["urn:1", "urn:2", *([""] if not one else [])]))
                attributes[f"xmlns:{one}" if one else "xmlns"] = inside[one]
        for name, value in (("lang", "vi"), ("space", "preserve"), ("base", "http://a/b/"), ("id", f"i{draw(IDS)}")):
            if draw(st.sampled_from([False, False, True])):
                attributes[f"xml:{name}"] = value
        if not depth:
            attributes["issuedAt"] = "2026-11-22T08:00:00Z"
        name = f"{prefix}:e" if prefix else "e"
        content = draw(TEXTS)
        for _ in range(draw(st.integers(0, 2)) if depth < 3 else 0):
            content += element(depth + 1, inside) + draw(TEXTS)
        content += "[signature]" + draw(TEXTS) if not depth else ""
        written = "".join(f' {one}="{value}"' for one, value in attributes.items())
        return f"<{name}{written}>{content}</{name}>"

    return element(0, {})


TEXTS = st.sampled_from(["", "", "x", "\r\n", "&#13;\t", "&lt;ễ&gt;", "<![CDATA[&]]>"])
IDS = st.integers(0, 2**40)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=documents(),
    c14n=st.sampled_from([C14N, C14N_1_1, EXC_C14N]),
    transform=st.sampled_from([*INCLUSIVE, EXC_C14N]),
    prefix=st.sampled_from(["", "", "ds", "a"]),
    gap=st.sampled_from(["", "\n  "]),
)
def test_whatever_xmlsec_signs_is_accepted(pki, document, c14n, transform, prefix, gap):
    key = pki.signer("rsa")
    try:
        signed = filled(document.replace("[signature]", template(key.token, c14n, transform, prefix, gap)), key)
    except (etree.XMLSyntaxError, xmlsec.Error):
        # An Id that stands twice, for example.
        return
    based = "{http://www.w3.org/XML/1998/namespace}base" in etree.fromstring(signed).attrib
    if c14n == C14N_1_1 and based:
        event("below xml:base")
        with pytest.raises(Rejected, match="below xml:base"):
            verify_enveloped(signed, POLICY, pki.pinned(key), now=NOW)
        return
    event("accepted")
    assert verify_enveloped(signed, POLICY, pki.pinned(key), now=NOW)
    if {c14n, transform} & {None, C14N, C14N_1_1}:
        with pytest.raises(Rejected, match="malformed: a canonicalisation that is not accepted"):
            verify_enveloped(signed, SignaturePolicy(), pki.pinned(key), now=NOW)


@pytest.mark.parametrize("c14n", [C14N, C14N_1_1])
def test_what_is_inherited_is_signed(pki, c14n):
    """Canonical forms differ in what they inherit: none of them may be taken for another one."""
    key = pki.signer("rsa")
    root = '<e xml:lang="vi" xml:id="i" xmlns="urn:1" xmlns:unused="urn:2" issuedAt="2026-11-22T08:00:00Z">%s</e>'
    signed = filled(root % template(key.token, c14n, EXC_C14N), key)
    assert verify_enveloped(signed, POLICY, pki.pinned(key), now=NOW)
    other = {C14N: C14N_1_1, C14N_1_1: C14N}[c14n]
    for old, new in ((c14n, other), (' xml:lang="vi"', ""), (' xmlns:unused="urn:2"', "")):
        changed = signed.replace(old.encode(), new.encode(), 1)
        assert changed != signed
        with pytest.raises(Rejected, match="altered: the signature value does not fit"):
            verify_enveloped(changed, POLICY, pki.pinned(key), now=NOW)


@pytest.mark.parametrize("prefix", ["", "ds"])
@pytest.mark.parametrize("transform", INCLUSIVE)
@pytest.mark.parametrize("c14n", [C14N, C14N_1_1])
def test_the_land_registry_may_sign_as_java_and_dotnet_do(pki, tmp_path, c14n, transform, prefix):
    now = datetime.now(UTC)
    (land,) = (one for one in DATABASES if one.name == "land")
    files = {}
    for name, certificate in (("ca", pki.root.certificate), ("us", pki.signer().certificate)):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_bytes(certificate.public_bytes(Encoding.PEM))
    key = pki.signer("rsa")
    files["signer"] = tmp_path / "signer.pem"
    files["signer"].write_bytes(key.certificate.public_bytes(Encoding.PEM))
    (ours := Path(tmp_path / "us.key")).touch(mode=0o600)
    ours.write_bytes(private_pem(pki.signer()))
    endpoint = Endpoint(
        url="http://localhost", key=ours, certificate=files["us"], signer=files["signer"], trust=[files["ca"]],
        params={"client_id": "x"}, username="x", secret="x",
    )  # fmt: skip
    codec = compile_codecs([land], {"land": endpoint})["land", "certificate"]
    question = exchange_of(land, operation_of(land, "certificate"), {"serial": "AA 000001"})
    _, expected = codec.write(question)
    answer = (
        f'<KetQuaGiayChungNhan xmlns="urn:lgsp:sandbox:datdai:1.0" requestId="{expected.message_id}" '
        f'issuedAt="{now.isoformat()}"><MaKetQua>01</MaKetQua><MoTaKetQua>Không</MoTaKetQua>[signature]'
        "</KetQuaGiayChungNhan>"
    )
    signed = filled(answer.replace("[signature]", template(key.token, c14n, transform, prefix)), key)
    with pytest.raises(NoRecord):
        codec.read(Reply(200, {}, signed), expected)
    with pytest.raises(UpstreamSignatureRejected) as refused:
        codec.read(Reply(200, {}, signed.replace("Không".encode(), b"Khong")), expected)
    assert refused.value.reason == "altered"


@pytest.mark.parametrize(
    ("version", "inherited"), [("1.0", ' xml:base="b" xml:id="i" xml:lang="2"'), ("1.1", ' xml:lang="2"')]
)
def test_a_part_inherits_from_the_nearest_and_keeps_its_own(version, inherited):
    document = """<a xmlns="urn:a" xml:lang="1" xml:space="default" xml:base="b" xml:id="i">
        <b xml:lang="2" xmlns:x="urn:x"><c xmlns="" xml:space="preserve"/></b></a>"""
    part = parse(document.encode())[0][0]
    expected = f'<c xmlns:x="urn:x"{inherited} xml:space="preserve"></c>'
    assert canonical_inclusive(part, version).decode() == expected


@pytest.mark.parametrize("place", [f'Algorithm="{RSA}"', 'w="-"', "<SignedInfo>"])
@pytest.mark.parametrize("letter", ['"', ">", "\n", "ễ"])
def test_what_grows_when_it_is_escaped_has_a_verdict(pki, place, letter):
    """A part is written out and read again: six times as long, it is more than a parser takes."""
    key = pki.signer("rsa")
    root = '<e w="-" xmlns="urn:1" issuedAt="2026-11-22T08:00:00Z">%s</e>'
    signed = filled(root % template(key.token, C14N, C14N), key).decode()
    assert signed.count(place) == 1
    name, _, _ = place.partition("=")
    long = letter * (4_000_000 // len(letter.encode()))
    changed = signed.replace(place, f"{name}='{long}'" if "=" in place else f"<SignedInfo Id='{long}'>")
    with pytest.raises(Rejected) as refused:
        verify_enveloped(changed.encode(), POLICY, pki.pinned(key), now=NOW)
    assert refused.value.reason in ("malformed", "altered")
