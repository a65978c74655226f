"""What is in the files that certification authorities hand out: PEM or DER, one thing or many (PKCS#7 bundles too)."""

from __future__ import annotations

import base64
import binascii
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
    pkcs7,
)

STANDARD_INPUT: Final = Path("-")
T = TypeVar("T")
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
# Revocation lists of large authorities have tens of megabytes.
_LARGEST: Final = 64 * 1024 * 1024


class FileUnreadable(Exception):
    """A file that holds nothing that can be explained; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A private key that is encrypted: all that can be said about it without its passphrase."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something that is not read here; `what` says what it is and `step` what to do with it."""

    what: str
    step: str


Thing = (
    x509.Certificate
    | x509.CertificateSigningRequest
    | x509.CertificateRevocationList
    | PrivateKeyTypes
    | PublicKeyTypes
    | Locked
    | Foreign
)


def things_in(path: Path) -> list[Thing]:
    """Return everything in a file (`-` is standard input), in its order; raises OSError, FileUnreadable."""
    if path == STANDARD_INPUT:
        raw = sys.stdin.buffer.read(_LARGEST + 1)
    else:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise FileUnreadable(f"{path} is larger than {_LARGEST // 1024 // 1024} MiB")
    found = list(_from_pem(raw)) if b"-----BEGIN " in raw else list(_from_der(raw) or _from_base64(raw))
    if not found:
        raise FileUnreadable(
            f"{path} holds no certificate, key, request or revocation list in PEM or DER form; if it is a PKCS#12 file"
            " (.p12, .pfx), take it apart with `openssl pkcs12 -in FILE -nokeys` and `-nocerts`"
        )
    return found


def _from_pem(raw: bytes) -> Iterator[Thing]:
    for block in _BLOCK.finditer(raw):
        label, text = block[1].decode(), block[0]
        try:
            match label:
                case "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE":
                    yield x509.load_pem_x509_certificate(text)
                case "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST":
                    yield x509.load_pem_x509_csr(text)
                case "X509 CRL":
                    yield x509.load_pem_x509_crl(text)
                case "PKCS7":
                    yield from _bundled(pkcs7.load_pem_pkcs7_certificates, text)
                case "PUBLIC KEY":
                    yield load_pem_public_key(text)
                case "ENCRYPTED PRIVATE KEY":
                    yield Locked()
                case "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY":
                    yield Locked() if b"ENCRYPTED" in text else load_pem_private_key(text, None)
                case _:
                    yield Foreign(f"a block {label}", "leave it out")
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            yield Foreign(f"a broken block {label} ({error})", "have the file sent again")


def _from_der(raw: bytes) -> list[Thing]:
    return (
        _tried(x509.load_der_x509_certificate, raw)
        or _tried(x509.load_der_x509_csr, raw)
        or _tried(x509.load_der_x509_crl, raw)
        or _tried(lambda der: load_der_private_key(der, None), raw)
        or _tried(load_der_public_key, raw)
        or [one for many in _tried(partial(_bundled, pkcs7.load_der_pkcs7_certificates), raw) for one in many]
    )


def _bundled(load: Callable[[bytes], list[x509.Certificate]], raw: bytes) -> list[x509.Certificate]:
    with warnings.catch_warnings():
        # Most bundles are BER and not DER, since their certificates stand in order of the path.
        warnings.simplefilter("ignore", UserWarning)
        return load(raw)


def _from_base64(raw: bytes) -> list[Thing]:
    """Read DER in bare base64, as it is cut out of XML signatures."""
    try:
        return _from_der(base64.b64decode(b"".join(raw.split()), validate=True))
    except binascii.Error:
        return []


def _tried(load: Callable[[bytes], T], raw: bytes) -> list[T]:
    try:
        return [load(raw)]
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return []
