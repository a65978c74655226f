"""Signatures by algorithms that prove nothing, and canonical forms that are none."""

import base64
import re
from functools import partial

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from security.signature import Reason
from security.signature_structure import EXC_C14N
from tests.test_attacks.attack import MARK, Family, Genuine, change, signed_anew

ALGORITHMS = Family("algorithm confusion", "malformed", kinds="soap enveloped")
CANONICAL = Family("void canonicalisation", "malformed", kinds="soap enveloped")

_MORE = b"http://www.w3.org/2001/04/xmldsig-more#"
_OLD = b"http://www.w3.org/2000/09/xmldsig#"
_SHA256 = b"http://www.w3.org/2001/04/xmlenc#sha256"


def _named(octets: bytes, uri: bytes, inside: bytes = b"") -> bytes:
    """The message with another name for its signature algorithm."""
    return re.sub(
        rb'<ds:SignatureMethod Algorithm="[^"]*">', b'<ds:SignatureMethod Algorithm="%b">%b' % (uri, inside), octets
    )


def _claimed(message: Genuine, *, uri: bytes) -> bytes:
    return signed_anew(_named(message.octets, uri), message.source.key)


for _name, _uri in {
    "none": b"none",
    "empty": b"",
    "an unknown name": _MORE + b"rsa-sha3-256",
    "dsa-sha1": _OLD + b"dsa-sha1",
    "dsa-sha256": b"http://www.w3.org/2009/xmldsig11#dsa-sha256",
    "rsa-md5": _MORE + b"rsa-md5",
    "rsa-sha1": _OLD + b"rsa-sha1",
    "rsa-sha224": _MORE + b"rsa-sha224",
    "rsa-ripemd160": _MORE + b"rsa-ripemd160",
    "ecdsa-sha1": _MORE + b"ecdsa-sha1",
    "ed25519": b"http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
    "a digest's name": _SHA256,
    "the right name with a space": _MORE + b"rsa-sha256 ",
    "the right name in capitals": _MORE.upper() + b"RSA-SHA256",
    "a name of another host": b"http://www.w3.org.evil.example/2001/04/xmldsig-more#rsa-sha256",
}.items():
    ALGORITHMS.add(f"claims to be {_name}", partial(_claimed, uri=_uri))


@ALGORITHMS.attack()
def algorithm_of_the_other_kind_of_key(message: Genuine) -> bytes:
    other = b"ecdsa-sha256" if message.source.key.algorithm.kind == "pkcs1" else b"rsa-sha256"
    return _claimed(message, uri=_MORE + other)


@ALGORITHMS.attack()
def algorithm_missing(message: Genuine) -> bytes:
    octets = re.sub(rb"<ds:SignatureMethod [^>]*>", b"<ds:SignatureMethod>", message.octets)
    return signed_anew(octets, message.source.key)


def _by_weak_hash(message: Genuine, *, name: bytes, algorithm: hashes.HashAlgorithm) -> bytes | None:
    private = message.source.key.private
    if not isinstance(private, rsa.RSAPrivateKey):
        return None
    named = _named(message.octets, name)
    return signed_anew(
        named, message.source.key, partial(private.sign, padding=padding.PKCS1v15(), algorithm=algorithm)
    )


ALGORITHMS.add("truly RSA with SHA-1", partial(_by_weak_hash, name=_OLD + b"rsa-sha1", algorithm=hashes.SHA1()))
ALGORITHMS.add("truly RSA with MD5", partial(_by_weak_hash, name=_MORE + b"rsa-md5", algorithm=hashes.MD5()))


def _weak_digest(message: Genuine, *, name: bytes) -> bytes:
    return signed_anew(change(message.octets, _SHA256, name), message.source.key)


for _name, _uri in {
    "SHA-1": _OLD + b"sha1",
    "MD5": _MORE + b"md5",
    "SHA-224": _MORE + b"sha224",
    "no": b"",
    "an unknown": b"urn:digest",
}.items():
    ALGORITHMS.add(f"{_name} digest", partial(_weak_digest, name=_uri))


def _mac(message: Genuine, *, secret: str, inside: bytes = b"", length: int = 32) -> bytes:
    """A forged message under a MAC whose key everybody knows."""
    certificate = message.source.key.certificate
    public = certificate.public_key()
    secrets = {
        "nothing": b"",
        "SubjectPublicKeyInfo": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "SubjectPublicKeyInfo in PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "certificate": certificate.public_bytes(Encoding.DER),
        "certificate in PEM": certificate.public_bytes(Encoding.PEM),
        "certificate in base64": message.source.key.token,
    }

    def sign(octets: bytes) -> bytes:
        code = hmac.HMAC(secrets[secret], hashes.SHA256())
        code.update(octets)
        return code.finalize()[:length]

    forged = _named(message.saying(MARK), _MORE + b"hmac-sha256", inside)
    return signed_anew(forged, message.source.key, sign)


for _secret in (
    "nothing",
    "SubjectPublicKeyInfo",
    "SubjectPublicKeyInfo in PEM",
    "certificate",
    "certificate in PEM",
    "certificate in base64",
):
    ALGORITHMS.add(f"HMAC keyed with {_secret}", partial(_mac, secret=_secret))
for _bits in (0, 1, 8, 80):
    ALGORITHMS.add(
        f"HMAC cut to {_bits} bits",
        partial(
            _mac,
            secret="SubjectPublicKeyInfo",
            inside=b"<ds:HMACOutputLength>%d</ds:HMACOutputLength>" % _bits,
            length=max(1, _bits // 8),
        ),
    )


def _valued(message: Genuine, value: bytes) -> bytes:
    """A forged message with right digests and this as its signature value."""
    return signed_anew(message.saying(MARK), message.source.key, lambda _: value)


def _size(message: Genuine) -> int:
    key = message.source.key.private
    return key.key_size // 8 if isinstance(key, rsa.RSAPrivateKey) else 2 * ((key.key_size + 7) // 8)


ALGORITHMS.add("value of zeros", lambda m: _valued(m, bytes(_size(m))), "altered")
ALGORITHMS.add("value one", lambda m: _valued(m, bytes(_size(m) - 1) + b"\1"), "altered")
ALGORITHMS.add("value of ones", lambda m: _valued(m, b"\xff" * _size(m)), "altered")
ALGORITHMS.add("value of one byte", lambda m: _valued(m, b"\1"), "altered", "malformed")
ALGORITHMS.add("value of a megabyte", lambda m: _valued(m, b"\1" * 1_000_000), "altered", "malformed")
ALGORITHMS.add("signature over nothing", lambda m: _valued(m, m.source.key.sign(b"")), "altered")


@ALGORITHMS.attack("altered", "malformed")
def value_longer_by_a_zero(message: Genuine) -> bytes:
    sign = message.source.key.sign
    return signed_anew(message.octets, message.source.key, lambda octets: b"\0" + sign(octets))


@ALGORITHMS.attack("altered", "malformed")
def value_in_the_form_of_the_key_library(message: Genuine) -> bytes | None:
    private = message.source.key.private
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    return signed_anew(
        message.octets, message.source.key, lambda octets: private.sign(octets, ec.ECDSA(hashes.SHA256()))
    )


@ALGORITHMS.attack("altered")
def value_with_r_and_s_changed_for_one_another(message: Genuine) -> bytes | None:
    private = message.source.key.private
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None

    def sign(octets: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(octets, ec.ECDSA(hashes.SHA256())))
        return s.to_bytes(32) + r.to_bytes(32)

    return signed_anew(message.octets, message.source.key, sign)


@ALGORITHMS.attack("altered")
def value_padded_by_another_scheme(message: Genuine) -> bytes | None:
    private = message.source.key.private
    if not isinstance(private, rsa.RSAPrivateKey):
        return None
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    return signed_anew(
        message.octets, message.source.key, partial(private.sign, padding=pss, algorithm=hashes.SHA256())
    )


def _written(message: Genuine, *, spoil: bytes) -> bytes:
    start = message.octets.index(b"<ds:SignatureValue>") + 19
    end = message.octets.index(b"<", start)
    value = message.octets[start:end]
    return message.octets[:start] + spoil.replace(b"VALUE", value) + message.octets[end:]


for _name, _spoil in {
    "no value": b"",
    "a value that is no base64": b"!!!!",
    "a value of base64url": b"-_-_VALUE",
    "a value with more behind its end": b"VALUE====",
    "a value with a full stop": b"VALUE.",
    "two values in one": b"VALUEVALUE",
}.items():
    ALGORITHMS.add(_name, partial(_written, spoil=_spoil), "malformed", "altered")


def _canonical_method(message: Genuine, *, instead: bytes) -> bytes:
    ours = b'<ds:CanonicalizationMethod Algorithm="%b"></ds:CanonicalizationMethod>' % EXC_C14N.encode()
    return signed_anew(change(message.octets, ours, instead), message.source.key)


_METHOD = b'<ds:CanonicalizationMethod Algorithm="%b"></ds:CanonicalizationMethod>'
for _name, _instead in {
    "no method": b"",
    "no name": b"<ds:CanonicalizationMethod></ds:CanonicalizationMethod>",
    "an empty name": _METHOD % b"",
    "an unknown name": _METHOD % b"urn:nothing",
    "inclusive": _METHOD % b"http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "inclusive with comments": _METHOD % b"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "1.1": _METHOD % b"http://www.w3.org/2006/12/xml-c14n11",
    "2.0": _METHOD % b"http://www.w3.org/2010/xml-c14n2",
    "with comments": _METHOD % b"http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "base64": _METHOD % (_OLD + b"base64"),
    "with a stylesheet": _METHOD.replace(b"></", b'><x:s xmlns:x="http://www.w3.org/1999/XSL/Transform"/></')
    % EXC_C14N.encode(),
}.items():
    # A verifier that takes inclusive forms of documents finds that it was not signed by this one.
    _reasons: tuple[Reason, ...] = ("malformed", "altered") if _name in ("inclusive", "1.1") else ("malformed",)
    CANONICAL.add(f"SignedInfo by {_name}", partial(_canonical_method, instead=_instead), *_reasons)


def _without_form(message: Genuine, *, relative: bytes, inside: bytes) -> bytes:
    """SignedInfo that has no canonical form, under a genuine signature over nothing."""
    forged = message.saying(MARK)
    octets = signed_anew(forged, message.source.key)
    value = base64.b64encode(message.source.key.sign(b""))
    start = octets.index(b"<ds:SignatureValue>") + 19
    octets = octets[:start] + value + octets[octets.index(b"<", start) :]
    return change(octets, inside, inside + relative, 1)


for _name, _relative in {
    "relative": b' xmlns:v="nothing"',
    "relative upwards": b' xmlns:v="../nothing"',
    "relative and used": b' xmlns:v="nothing" v:v=""',
}.items():
    CANONICAL.add(
        f"SignedInfo with a {_name} namespace",
        partial(_without_form, relative=_relative, inside=b"<ds:SignedInfo"),
        "malformed",
        "altered",
    )


@CANONICAL.attack("malformed")
def signed_part_with_a_relative_namespace(message: Genuine) -> bytes:
    empty = base64.b64encode(bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
    octets = message.saying(MARK)
    start = octets.index(b"<ds:DigestValue>") + 16
    octets = octets[:start] + empty + octets[octets.index(b"<", start) :]
    signed = signed_anew(octets, message.source.key, digests=False)
    place = rb"(<(?:\w+:)?%b)(?=[ >])" % message.source.victim
    return re.sub(place, rb'\1 xmlns:v="nothing" v:v=""', signed, count=1)
