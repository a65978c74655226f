"""Whatever key a vector may have been made with, and signatures by algorithms that we refuse, checked with OpenSSL.

That a refused signature fits our canonical form proves the form, not the signature.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from security.signature_structure import DS

DS11 = "http://www.w3.org/2009/xmldsig11#"
HASHES: dict[str, Any] = {
    "md5": hashes.MD5(),
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_CURVES = {"1.2.840.10045.3.1.7": ec.SECP256R1(), "1.3.132.0.34": ec.SECP384R1(), "1.3.132.0.35": ec.SECP521R1()}
# What the authors of the vectors say that they shared.
_SECRETS = (b"secret", b"test", b"testkey")


class Keyring:
    """The keys that come with the vectors as files, and the secrets that everybody knows."""

    def __init__(self, files: Iterable[Path]) -> None:
        texts = [path.read_bytes() for path in files]
        certificates = [*_attempt(x509.load_pem_x509_certificate, *texts)]
        self.certificates = [*certificates, *_attempt(x509.load_der_x509_certificate, *texts)]
        self.keys = [*_SECRETS, *texts, *_attempt(load_pem_public_key, *texts), *_attempt(load_der_public_key, *texts)]
        self.keys += _attempt(x509.Certificate.public_key, *self.certificates)

    def with_those_in(self, element: Any) -> list[Any]:
        """All keys, those of certificates and values below an element first."""
        found: list[Any] = []
        for text in element.iter("{*}X509Certificate", "{*}BinarySecurityToken"):
            found += _attempt(lambda der: x509.load_der_x509_certificate(der).public_key(), _decoded(text))
        for name, make in _VALUES.items():
            found += _attempt(make, *element.iter(name))
        return found + self.keys


def _attempt(make: Any, *given: Any) -> Iterator[Any]:
    for one in given:
        try:
            yield make(one)
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, KeyError):
            continue


def _decoded(element: Any) -> bytes:
    return base64.b64decode("".join((element.text or "").split()))


def _numbers(element: Any, *names: str) -> list[int]:
    return [int.from_bytes(base64.b64decode(element.findtext(f"{{{DS}}}{name}"))) for name in names]


def _rsa(element: Any) -> rsa.RSAPublicKey:
    modulus, exponent = _numbers(element, "Modulus", "Exponent")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _dsa(element: Any) -> dsa.DSAPublicKey:
    p, q, g, y = _numbers(element, "P", "Q", "G", "Y")
    return dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key()


def _ec(element: Any) -> ec.EllipticCurvePublicKey:
    curve = element.find(f"{{{DS11}}}NamedCurve").get("URI").removeprefix("urn:oid:")
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve], _decoded(element.find(f"{{{DS11}}}PublicKey")))


_VALUES: dict[str, Any] = {
    f"{{{DS}}}RSAKeyValue": _rsa,
    f"{{{DS}}}DSAKeyValue": _dsa,
    f"{{{DS11}}}ECKeyValue": _ec,
    f"{{{DS11}}}DEREncodedKeyValue": lambda element: load_der_public_key(_decoded(element)),
}


def knows(method: str) -> bool:
    """Whether there is anything that can check a signature by this method."""
    return method.rpartition("-")[2].lower() in HASHES


def fits(method: str, key: Any, value: bytes, data: bytes) -> bool:
    """Whether a signature value fits, by any algorithm that OpenSSL has."""
    kind, _, hashed = method.rpartition("#")[2].rpartition("-")
    algorithm = HASHES[hashed.lower()]
    try:
        if kind == "hmac" and isinstance(key, bytes):
            return len(value) >= 5 and hmac.new(key, data, hashed).digest().startswith(value)
        if kind == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PKCS1v15(), algorithm)
            return True
        r, s = (int.from_bytes(half) for half in (value[: len(value) // 2], value[len(value) // 2 :]))
        if kind == "dsa" and isinstance(key, dsa.DSAPublicKey):
            key.verify(encode_dss_signature(r, s), data, algorithm)
            return True
        if kind == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(algorithm))
            return True
    except (InvalidSignature, ValueError):
        return False
    return False


def digest(method: str, octets: bytes) -> bytes | None:
    """The digest by any algorithm that Python has, None for others."""
    name = method.rpartition("#")[2]
    return hashlib.new(name, octets).digest() if name in HASHES else None
