"""Our own signing keys: a certificate and what signs in its name, from PEM files or from a token."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from config.pkcs11_uri import Pkcs11Uri
from security.private_files import KeyRefused, read_private
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

__all__ = [
    "KeyLocked",
    "KeyRefused",
    "KeySilent",
    "Signer",
    "SigningKey",
    "algorithm_of",
    "first_certificate",
    "load_signer",
    "token_certificate",
]


class KeyLocked(KeyRefused):
    """A private key that is encrypted, and not with the passphrase given; or none was given."""


class KeySilent(Exception):
    """A key that was taken does not sign now; it may again in a moment, without a change here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What can sign: a certificate, and the key that belongs to it wherever that is.

    `token` is the certificate's DER form in base64, as messages carry it. `sign` makes the signature value over data,
    in the form of XML signatures. `thread` is where that has to be done by who must not wait, since the key is in a
    device (`sign` may then raise KeySilent); None if it takes no longer than computing.
    """

    certificate: x509.Certificate
    algorithm: Algorithm
    token: bytes = field(repr=False)
    sign: Callable[[bytes], bytes] = field(repr=False, compare=False)
    thread: Executor | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey(Signer):
    """A signer whose private key is in the memory of this process."""

    private: PrivateKey = field(repr=False)

    @classmethod
    def of(cls, private: object, certificate: x509.Certificate, *, pss: bool = False) -> Self:
        """The signing key of a loaded pair; KeyRefused if the two do not belong together or the key is too weak."""
        if not isinstance(private, PrivateKey):
            raise KeyRefused("a signing key must be an RSA or ECDSA key", "make another one")
        algorithm = algorithm_of(private.public_key(), pss=pss)
        if private.public_key() != certificate.public_key():
            raise KeyRefused("the certificate belongs to another private key", "name the one of this key")
        return cls(
            certificate=certificate,
            algorithm=algorithm,
            token=encode(certificate.public_bytes(Encoding.DER)),
            sign=signing(algorithm, private),
            private=private,
        )

    @classmethod
    def load(cls, key: Path, certificate: Path, password: bytes | None = None, *, pss: bool = False) -> Self:
        """The signing key of two PEM files (the certificate is the first of its file).

        KeyRefused if a file is missing or unreadable, if others could read or replace the key, or as in `of`;
        KeyLocked if it is the passphrase that is missing or wrong.
        """
        raw = read_private(key)
        try:
            private = load_pem_private_key(raw, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if b"ENCRYPTED" in raw:
                how = "its passphrase was not given" if password is None else "the passphrase given does not open it"
                raise KeyLocked(f"{key} is encrypted, and {how}", "put an unencrypted key there") from None
            if isinstance(error, TypeError):
                raise KeyRefused(f"{key} is not encrypted", "give no passphrase for it") from None
            text = f"{key} holds no private key that can be read ({error})"
            raise KeyRefused(text, "put a private key in PEM form there") from None
        first = first_certificate(certificate)
        try:
            return cls.of(private, first, pss=pss)
        except KeyRefused as refused:
            raise KeyRefused(f"{key}, {certificate}: {refused.text}", refused.step) from None


def algorithm_of(public: object, *, pss: bool = False) -> Algorithm:
    """The algorithm that a key signs with here, by its public half; KeyRefused for one that is too weak."""
    reason = weakness(public)
    if reason is not None:
        raise KeyRefused(f"{reason} is not accepted", "use RSA from 2048 bits, ECDSA P-256 or P-384")
    if isinstance(public, rsa.RSAPublicKey):
        return RSA_PSS_SHA256 if pss else RSA_SHA256
    return ECDSA_SHA384 if isinstance(public, ec.EllipticCurvePublicKey) and public.key_size > 256 else ECDSA_SHA256


def first_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file; KeyRefused if there is none."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        text = f"{path} holds no certificate that can be read ({error})"
        raise KeyRefused(text, "put a certificate in PEM form there") from None


def load_signer(key: Path | Pkcs11Uri, certificate: Path | None, pin: str | None = None) -> Signer:
    """The signer of a configuration: two PEM files, or a key on a token and its certificate from a file or from there.

    `pin` opens the token where the URI names no file for it. KeyRefused.
    """
    if isinstance(key, Path):
        if certificate is None:
            raise KeyRefused(f"{key} needs a certificate", "name it in `certificate`")
        return SigningKey.load(key, certificate)
    signer: Signer = _tokens(key).load_token_key(key, certificate, pin)
    return signer


def token_certificate(key: Pkcs11Uri, pin: str | None = None) -> x509.Certificate:
    """The certificate on a token that goes with a key there; KeyRefused."""
    found: x509.Certificate = _tokens(key).token_certificate(key, pin)
    return found


def _tokens(key: Pkcs11Uri) -> ModuleType:
    try:
        return import_module("security.pkcs11_key")
    except ModuleNotFoundError:
        step = "run `make hsm` in the checkout of the gateway"
        raise KeyRefused(f"{key}: keys on tokens need the package python-pkcs11", step) from None
