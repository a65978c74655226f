"""The algorithms a signature may use (RFC 9231 names) and the two operations on them; everything else is refused.

RSA from 2048 to 4096 bits with PKCS#1 v1.5 or PSS, ECDSA on P-256 and P-384, SHA-256/384/512. SHA-1, MD5, DSA and every
HMAC are missing on purpose: a MAC keyed with a public key is a classic forgery.
"""

import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from security.signature import Rejected
from security.xml import WHITESPACE

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096
"""A verification costs the square of the size: a larger key is a way to spend our time."""

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"
_XMLENC = "http://www.w3.org/2001/04/xmlenc#"


class _Hash(Protocol):
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One signature algorithm: kind of key and padding, hash."""

    uri: str
    kind: Literal["pkcs1", "pss", "ecdsa"]
    hash: hashes.HashAlgorithm


_SHA2: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

ALGORITHMS: dict[str, Algorithm] = {
    algorithm.uri: algorithm
    for name, sha2 in _SHA2.items()
    for algorithm in (
        Algorithm(f"{_MORE}rsa-{name}", "pkcs1", sha2),
        Algorithm(f"{_MORE_2007}{name}-rsa-MGF1", "pss", sha2),
        Algorithm(f"{_MORE}ecdsa-{name}", "ecdsa", sha2),
    )
}
RSA_SHA256 = ALGORITHMS[f"{_MORE}rsa-sha256"]
RSA_PSS_SHA256 = ALGORITHMS[f"{_MORE_2007}sha256-rsa-MGF1"]
ECDSA_SHA256 = ALGORITHMS[f"{_MORE}ecdsa-sha256"]
ECDSA_SHA384 = ALGORITHMS[f"{_MORE}ecdsa-sha384"]

SHA256 = f"{_XMLENC}sha256"
DIGESTS: dict[str, Callable[[bytes], _Hash]] = {
    SHA256: hashlib.sha256,
    f"{_MORE}sha384": hashlib.sha384,
    f"{_XMLENC}sha512": hashlib.sha512,
}

_PKCS1 = padding.PKCS1v15()
_ECDSA = {name: ec.ECDSA(sha2) for name, sha2 in _SHA2.items()}
_PSS = {name: padding.PSS(mgf=padding.MGF1(sha2), salt_length=sha2.digest_size) for name, sha2 in _SHA2.items()}


def weakness(key: object) -> str | None:
    """Why a public key may not sign here, None if it may."""
    if isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            return f"an RSA key of {key.key_size} bits"
        return None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return None if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1) else f"an ECDSA key on {key.curve.name}"
    return "a key that is neither RSA nor ECDSA"


encode: Callable[[bytes], bytes] = partial(binascii.b2a_base64, newline=False)
"""Base64 in one line."""


def strict_base64(text: str | None, what: str) -> bytes:
    """The bytes of an xs:base64Binary; Rejected("malformed") for anything but canonical base64 with white space."""
    compact = text or ""
    try:
        decoded = binascii.a2b_base64(compact, strict_mode=True)
    except (binascii.Error, ValueError):
        # Most senders write one line; only what is not that pays for the removal of white space.
        compact = compact.translate(_NO_WHITESPACE)
        try:
            decoded = binascii.a2b_base64(compact, strict_mode=True)
        except (binascii.Error, ValueError):
            raise Rejected("malformed", f"{what} is not base64") from None
    # Strict mode still takes stray low bits before the padding: two texts for one value.
    if not decoded or encode(decoded).decode() != compact:
        raise Rejected("malformed", f"{what} is not canonical base64")
    return decoded


_NO_WHITESPACE = dict.fromkeys(map(ord, WHITESPACE))


def digest(uri: str, data: bytes) -> bytes:
    """The digest of `data` by an allowed algorithm; Rejected("malformed") for any other."""
    try:
        return DIGESTS[uri](data).digest()
    except KeyError:
        raise Rejected("malformed", "a digest algorithm that is not accepted") from None


Check = Callable[[bytes, bytes], None]
"""Takes a signature value (the form of XML signatures: r and s side by side for ECDSA) and the data that was signed.

Returns nothing if they fit; Rejected("altered") if not, Rejected("malformed") if the value has the wrong length.
"""


def checks(key: PublicKey) -> dict[str, Check]:
    """For each algorithm that fits the key, by name, the check of a signature made with it."""
    found: dict[str, Check] = {}
    for one in ALGORITHMS.values():
        if one.kind == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            size = (key.key_size + 7) // 8
            found[one.uri] = partial(_check_ecdsa, key.verify, size, _ECDSA[one.hash.name])
        elif one.kind != "ecdsa" and isinstance(key, rsa.RSAPublicKey):
            padded = _PSS[one.hash.name] if one.kind == "pss" else _PKCS1
            found[one.uri] = partial(_check_rsa, key.verify, padded, one.hash)
    return found


def check_of(uri: str, fitting: Mapping[str, Check]) -> Check:
    """The check by this algorithm out of those that fit a key; Rejected("malformed") if there is none."""
    found = fitting.get(uri)
    if found is None:
        known = "does not fit the signer's key" if uri in ALGORITHMS else "is not accepted"
        raise Rejected("malformed", f"the signature algorithm {known}")
    return found


def _check_ecdsa(
    verify: Callable[[bytes, bytes, ec.EllipticCurveSignatureAlgorithm], None],
    size: int,
    scheme: ec.ECDSA,
    signature: bytes,
    data: bytes,
) -> None:
    if len(signature) != 2 * size:
        raise Rejected("malformed", "an ECDSA signature of the wrong length")
    r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
    try:
        verify(encode_dss_signature(r, s), data, scheme)
    except InvalidSignature:
        raise _altered() from None


def _check_rsa(
    verify: Callable[[bytes, bytes, padding.AsymmetricPadding, hashes.HashAlgorithm], None],
    padded: padding.AsymmetricPadding,
    sha2: hashes.HashAlgorithm,
    signature: bytes,
    data: bytes,
) -> None:
    try:
        verify(signature, data, padded, sha2)
    except InvalidSignature:
        raise _altered() from None


def _altered() -> Rejected:
    return Rejected("altered", "the signature value does not fit what was signed")


def signing(chosen: Algorithm, key: PrivateKey) -> Callable[[bytes], bytes]:
    """The function that signs data with the key, in the form of XML signatures."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return partial(_sign_ecdsa, key.sign, (key.key_size + 7) // 8, _ECDSA[chosen.hash.name])
    padded = _PSS[chosen.hash.name] if chosen.kind == "pss" else _PKCS1
    return partial(key.sign, padding=padded, algorithm=chosen.hash)


def sign(chosen: Algorithm, key: PrivateKey, data: bytes) -> bytes:
    """The signature of `data` in the form of XML signatures."""
    return signing(chosen, key)(data)


def _sign_ecdsa(
    sign: Callable[[bytes, ec.EllipticCurveSignatureAlgorithm], bytes], size: int, scheme: ec.ECDSA, data: bytes
) -> bytes:
    r, s = decode_dss_signature(sign(data, scheme))
    return r.to_bytes(size) + s.to_bytes(size)
