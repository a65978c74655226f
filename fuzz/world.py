"""The world in which every target runs: keys, certificates, one instant, and what makes a mutated message genuine.

All of it follows from constants and ECDSA is deterministic here (RFC 6979), so that a crash replays on any machine.
Random changes alone would never get past the first digest: seeds are texts with places (`[token]`, `[digest b_1]`,
`[value]`) into which the right values are put after the fuzzer changed the rest.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256, sha384, sha512
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from lxml import etree

from security.signature_structure import DS, SIGNATURE, WSU_ID
from security.xml import Element, XmlRefused, canonical, parse

NOW: Final = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY: Final = timedelta(days=1)
FAR: Final = datetime(2100, 1, 1, tzinfo=UTC)
_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_SHA2 = (sha256, sha384, sha512)


@cache
def key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """The private key of this name."""
    return ec.derive_private_key(_number(name), curve())


def _number(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:16])


@cache
def certificate(
    name: str,
    *,
    issuer: str = "root",
    ca: bool = False,
    responds: bool = False,
    curve: type[ec.EllipticCurve] = ec.SECP256R1,
    until: datetime = NOW + 30 * DAY,
) -> x509.Certificate:
    """The certificate of the key of this name; `root` is its own issuer."""
    public = key(name, curve).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(subject(issuer))
        .public_key(public)
        .serial_number(_number(name))
        .not_valid_before(NOW - 30 * DAY)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_usage(ca=ca), critical=True)
    )
    if responds:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return builder.sign(key(issuer), hashes.SHA256(), ecdsa_deterministic=True)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def subject(name: str) -> x509.Name:
    """The subject of the certificate of this name."""
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"), x509.NameAttribute(NameOID.COMMON_NAME, name)])


def revocation_list(revoked: Iterable[x509.Certificate]) -> bytes:
    """A list of the root in DER form."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(subject("root"))
        .last_update(NOW - DAY)
        .next_update(NOW + DAY)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(NOW - DAY)
        builder = builder.add_revoked_certificate(entry.build())
    signed = builder.sign(key("root"), hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


def ocsp_response(about: x509.Certificate, responder: x509.Certificate, name: str, *, revoked: bool = False) -> bytes:
    """What the responder with the key of this name says about a certificate of the root, in DER form.

    Time and signature are those of the moment: the library offers no others.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            about,
            ROOT,
            hashes.SHA1(),
            ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            now,
            now + DAY,
            now - DAY if revoked else None,
            x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
    )
    if responder is not ROOT:
        builder = builder.certificates([responder])
    return builder.sign(key(name), hashes.SHA256()).public_bytes(Encoding.DER)


_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_BASIC_OCSP = bytes.fromhex("06092b0601050507300101")


def sealed(text: bytes, *, ocsp_answer: bool = False) -> bytes:
    """What the root signs: behind a "T" stands what is to be signed of a certificate, list or OCSP answer in DER form.

    Everything else stays as it is.
    """
    if not text.startswith(b"T"):
        return text
    signed = key("root").sign(text[1:], _DETERMINISTIC)
    whole = _der(0x30, text[1:], _ECDSA_SHA256, _der(0x03, b"\0", signed))
    if ocsp_answer:
        answer = _der(0x30, _BASIC_OCSP, _der(0x04, whole))
        return _der(0x30, b"\x0a\x01\x00", _der(0xA0, answer))
    return whole


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


ROOT: Final = certificate("root", ca=True, until=FAR)
SIGNER: Final = certificate("signer")
TOKEN: Final = base64.b64encode(SIGNER.public_bytes(Encoding.DER))


def signature(data: bytes) -> bytes:
    """The signer's signature over data in the form of XML and HTTP signatures, in base64."""
    r, s = decode_dss_signature(key("signer").sign(data, _DETERMINISTIC))
    return base64.b64encode(r.to_bytes(32) + s.to_bytes(32))


class Genuine(NamedTuple):
    """A document with its places filled, and the SignedInfo that the signer signed for it, None where there is none."""

    document: bytes
    signed: bytes | None


_DIGEST = re.compile(rb"\[digest ([^\]]*)\]")


def genuine(text: bytes) -> Genuine:
    """Fill the places of a text; what is not well-formed stays as it is.

    `[token]`: the signer's certificate. `[digest b_1]`: of the element with this wsu:Id. `[enveloped]`, `[inclusive]`:
    of the root without its Signature, by exclusive and inclusive C14N. `[value]`: the signature over SignedInfo.
    """
    text = text.replace(b"[token]", TOKEN)
    try:
        if b"[digest " in text:
            elements = {element.get(WSU_ID, ""): element for element in reversed([*parse(text).iter(etree.Element)])}
            text = _DIGEST.sub(lambda found: _digest_of(elements.get(found[1].decode()), found[0]), text)
        for place, exclusive in ((b"[enveloped]", True), (b"[inclusive]", False)):
            if place in text:
                octets = etree.tostring(_without_signature(text), method="c14n", exclusive=exclusive)
                text = text.replace(place, _digest(octets))
        signed_info = next(parse(text).iter(f"{{{DS}}}SignedInfo"), None) if b"[value]" in text else None
        if signed_info is None:
            return Genuine(text, None)
        octets = _signed_octets(signed_info)
    except (XmlRefused, etree.C14NError):
        return Genuine(text, None)
    return Genuine(text.replace(b"[value]", signature(octets)), octets)


def _digest(octets: bytes) -> bytes:
    return base64.b64encode(sha256(octets).digest())


def _digest_of(element: Element | None, otherwise: bytes) -> bytes:
    return otherwise if element is None else _digest(canonical(element))


def _without_signature(text: bytes) -> Element:
    root = parse(text)
    for one in root.findall(SIGNATURE):
        before = one.getprevious()
        if before is None:
            root.text = (root.text or "") + (one.tail or "")
        else:
            before.tail = (before.tail or "") + (one.tail or "")
        one.tail = None
        root.remove(one)
    return root


def _signed_octets(signed_info: Element) -> bytes:
    """The canonical SignedInfo, by the method and the PrefixList that it names."""
    method = signed_info.find(f"{{{DS}}}CanonicalizationMethod")
    if method is not None and not method.get("Algorithm", "").endswith("exc-c14n#"):
        return etree.tostring(_alone(signed_info), method="c14n")
    return canonical(signed_info, None if method is None else prefixes_of(method))


def _alone(element: Element) -> Element:
    """A copy that is a document of its own, as inclusive C14N needs it here (see `canonical_inclusive`)."""
    return parse(etree.tostring(element, with_tail=False, encoding="utf-8"))


def prefixes_of(method: Element) -> list[str] | None:
    """The PrefixList of a canonicalisation."""
    for inclusive in method:
        return inclusive.get("PrefixList", "").split() or None
    return None


def vouched(element: Element, signed: bytes) -> bool:
    """Whether a signed SignedInfo holds the digest of this very element, by exclusive or inclusive C14N."""
    inclusive = etree.tostring(_alone(element), method="c14n", with_comments=False)
    for reference in parse(signed).iter(f"{{{DS}}}Reference"):
        expected = "".join((reference.findtext(f"{{{DS}}}DigestValue") or "").split())
        methods = reference.iter(f"{{{DS}}}Transform")
        forms = {inclusive, *(canonical(element, prefixes_of(method)) for method in methods)}
        if expected in {base64.b64encode(hashed(octets).digest()).decode() for octets in forms for hashed in _SHA2}:
            return True
    return False
