"""Our own signing keys: a private key and its certificate, from PEM files that nobody else may read."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from security.signature_algorithms import (
    ECDSA_SHA256,
    ECDSA_SHA384,
    RSA_PSS_SHA256,
    RSA_SHA256,
    Algorithm,
    PrivateKey,
    encode,
    signing,
    weakness,
)

_MAX_FILE = 64 * 1024


class KeyRefused(Exception):
    """A key or certificate file that must not be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the certificate that goes with it and the algorithm it signs with.

    `token` is the certificate's DER form in base64, as messages carry it. `sign` makes the signature value over data,
    in the form of XML signatures.
    """

    private: PrivateKey = field(repr=False)
    certificate: x509.Certificate
    algorithm: Algorithm
    token: bytes = field(repr=False)
    sign: Callable[[bytes], bytes] = field(repr=False, compare=False)

    @classmethod
    def of(cls, private: object, certificate: x509.Certificate, *, pss: bool = False) -> Self:
        """The signing key of a loaded pair; KeyRefused if the two do not belong together or the key is too weak."""
        if isinstance(private, rsa.RSAPrivateKey):
            algorithm = RSA_PSS_SHA256 if pss else RSA_SHA256
        elif isinstance(private, ec.EllipticCurvePrivateKey):
            algorithm = ECDSA_SHA384 if private.key_size > 256 else ECDSA_SHA256
        else:
            raise KeyRefused("a signing key must be an RSA or ECDSA key")
        reason = weakness(private.public_key())
        if reason is not None:
            raise KeyRefused(f"{reason} is not accepted: use RSA from 2048 bits, ECDSA P-256 or P-384")
        if private.public_key() != certificate.public_key():
            raise KeyRefused("the certificate belongs to another private key")
        token = encode(certificate.public_bytes(Encoding.DER))
        return cls(private, certificate, algorithm, token, signing(algorithm, private))

    @classmethod
    def load(cls, key: Path, certificate: Path, password: bytes | None = None, *, pss: bool = False) -> Self:
        """The signing key of two PEM files (the certificate is the first of its file).

        KeyRefused if a file is missing or unreadable, if the key file is open to group or others, or as in `of`.
        """
        raw = _read_private(key)
        try:
            private = load_pem_private_key(raw, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyRefused(f"{key} holds no private key that can be read with the given password: {error}") from None
        try:
            first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        except (OSError, ValueError) as error:
            raise KeyRefused(f"{certificate} holds no certificate that can be read: {error}") from None
        try:
            return cls.of(private, first, pss=pss)
        except KeyRefused as refused:
            raise KeyRefused(f"{key}, {certificate}: {refused}") from None


def _read_private(path: Path) -> bytes:
    # The permissions are those of the file that is read, not of what stood there a moment ago.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyRefused(f"{path} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyRefused(f"{path} is not a regular file")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise KeyRefused(f"{path} is open to group or others (mode {mode:04o}): run chmod 600 {path}")
        return os.read(descriptor, _MAX_FILE)
    finally:
        os.close(descriptor)
