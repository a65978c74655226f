"""The signature of a signed message (CMS, RFC 5652 section 5) by a certificate that is at hand, and nothing more.

For time-stamps (RFC 3161) that are held to themselves: the library that verifies them does so only with the roots that
are believed. DER only, as that library reads them.
"""

from __future__ import annotations

from hashlib import new
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, ObjectIdentifier

_DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
# RSA with the padding of PKCS #1 1.5, named with the digest or without it.
_RSA: Final = frozenset({f"1.2.840.113549.1.1.{number}" for number in (1, 11, 12, 13)})
_ECDSA: Final = frozenset({"1.2.840.10045.2.1"} | {f"1.2.840.10045.4.3.{number}" for number in (2, 3, 4)})
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
# Attributes with a hash of the signer's certificate (RFC 5035).
_NAMING: Final = frozenset({f"1.2.840.113549.1.9.16.2.{number}" for number in (12, 47)})
_NAMED_BY: Final = ("sha1", "sha224", "sha256", "sha384", "sha512")


@asn1.sequence
class _Algorithm:
    oid: ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _Attribute:
    oid: ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _IssuerAndSerial:
    issuer: asn1.TLV
    serial: int


@asn1.sequence
class _SignerInfo:
    version: int
    sid: _IssuerAndSerial
    digest: _Algorithm
    attributes: Annotated[asn1.SetOf[_Attribute] | None, asn1.Implicit(0)]
    algorithm: _Algorithm
    signature: bytes
    unsigned: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(1)]


@asn1.sequence
class _Content:
    oid: ObjectIdentifier
    octets: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class _SignedData:
    version: int
    digests: asn1.SetOf[_Algorithm]
    content: _Content
    certificates: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(0)]
    lists: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(1)]
    signers: asn1.SetOf[_SignerInfo]


@asn1.sequence
class _ContentInfo:
    oid: ObjectIdentifier
    data: Annotated[_SignedData, asn1.Explicit(0)]


def is_signed(message: bytes, certificate: Certificate) -> bool:
    """Whether the one signature of a message may be by this certificate, and the content be what was signed.

    False where it is not; True also for forms and algorithms that are not understood here.
    """
    try:
        data = asn1.decode_der(_ContentInfo, message).data
    except ValueError:
        return True
    (signer,) = data.signers.as_list()
    if signer.digest.oid not in [each.oid for each in data.digests.as_list()]:
        return False
    digest = _DIGESTS.get(signer.digest.oid.dotted_string)
    if digest is None:
        return True
    signed = data.content.octets
    if signer.attributes is not None:
        if not _names(signer.attributes, signed, digest, certificate):
            return False
        signed = asn1.encode_der(signer.attributes)
    return _fits(signer, signed, digest, certificate)


def _names(
    attributes: asn1.SetOf[_Attribute], content: bytes, digest: hashes.HashAlgorithm, certificate: Certificate
) -> bool:
    """Whether the signed attributes name this content, and this certificate where they name one."""
    der = certificate.public_bytes(Encoding.DER)
    known = [new(name, der, usedforsecurity=False).digest() for name in _NAMED_BY]
    digests = []
    for attribute in attributes.as_list():
        values = [bytes(value.data) for value in attribute.values.as_list()]
        if attribute.oid.dotted_string == _MESSAGE_DIGEST:
            digests += values
        elif attribute.oid.dotted_string in _NAMING and not any(each in value for value in values for each in known):
            return False
    return digests == [new(digest.name, content).digest()]


def _fits(signer: _SignerInfo, signed: bytes, digest: hashes.HashAlgorithm, certificate: Certificate) -> bool:
    algorithm = signer.algorithm.oid.dotted_string
    try:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA:
            key.verify(signer.signature, signed, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            key.verify(signer.signature, signed, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    except UnsupportedAlgorithm:
        return True
    return True
