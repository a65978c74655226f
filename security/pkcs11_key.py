"""Signing keys on tokens: found by URI, matched with their certificate by a signature, used through the token's log-in.

The token gets digests, never messages: CKM_RSA_PKCS, CKM_RSA_PKCS_PSS and CKM_ECDSA over a digest made here are what
every token with such a key can do (PKCS#11 2.40, mechanisms 2.1.6, 2.1.10, 2.3.6).
"""

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass, PKCS11Error, Session
from pkcs11.types import SignMixin

from config.pkcs11_uri import Pkcs11Uri
from security.pkcs11_token import Login, login, said
from security.private_files import KeyRefused, read_private
from security.signature import Rejected
from security.signature_algorithms import Algorithm, checks, encode
from security.signature_key import KeySilent, Signer, algorithm_of, first_certificate

log = structlog.get_logger()

# DigestInfo of RFC 8017, 9.2, up to the digest itself.
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
}
_PSS = Mechanism.SHA256, MGF.SHA256, 32
_KEY_TYPES = {"pkcs1": KeyType.RSA, "pss": KeyType.RSA, "ecdsa": KeyType.EC}


class TokenKey:
    """A private key on a token; found again in each new session, since its handle ends with the session."""

    def __init__(self, uri: Pkcs11Uri, at: Login) -> None:
        self._uri = uri
        self._at = at
        self._session: Session | None = None
        self._object: Any = None
        self._silent = False

    def ask(self, question: Callable[[Any], bytes]) -> bytes:
        """What `question` returns about the key; KeyRefused if the key is not there, KeySilent."""

        def about_the_key(session: Session) -> bytes:
            if session is not self._session:
                self._object, self._session = self._found(session), session
            return question(self._object)

        return self._at.ask(about_the_key)

    def sign(self, algorithm: Algorithm, data: bytes) -> bytes:
        """The signature of data in the form of XML signatures; KeySilent."""
        try:
            made = self.ask(lambda key: _signature(key, algorithm, data, self._at.pin))
        except (KeySilent, KeyRefused) as failure:
            if not self._silent:
                self._silent = True
                log.error("key-silent", key=str(self._uri), hint=f"{failure}; see `lgsp doctor`")
            # Even what was refused worked before, and may be put right without us.
            raise KeySilent(str(failure)) from None
        if self._silent:
            self._silent = False
            log.info("key-signs-again", key=str(self._uri))
        return made

    def certificate(self) -> x509.Certificate:
        """The one certificate on the token that carries the key's id (where it has none, its label); KeyRefused."""
        return x509.load_der_x509_certificate(self.ask(self._certificate))

    def check(self, algorithm: Algorithm, certificate: x509.Certificate) -> None:
        """Refuse a key that may not sign, or that does not belong to the certificate: it has to sign a probe."""
        probe = b"lgsp probe " + secrets.token_bytes(16)

        def signed(key: Any) -> bytes:
            if key[Attribute.KEY_TYPE] != _KEY_TYPES[algorithm.kind]:
                raise self._foreign()
            if not isinstance(key, SignMixin):
                step = "make one with CKA_SIGN, or set that if the token lets you"
                raise KeyRefused(f"{self._uri}: the key is not allowed to sign", step)
            try:
                return _signature(key, algorithm, probe, self._at.pin)
            except PKCS11Error as error:
                if said(error) not in _FORBIDDEN:
                    raise
                text = f"{self._uri}: the token does not sign with this key ({said(error)})"
                raise KeyRefused(text, f"use a key and a token that can do {algorithm.kind} signatures") from None

        try:
            checks(certificate.public_key())[algorithm.uri](self.ask(signed), probe)  # type: ignore[arg-type]
        except Rejected:
            raise self._foreign() from None

    def _foreign(self) -> KeyRefused:
        return KeyRefused(f"{self._uri}: the certificate belongs to another private key", "name the one of this key")

    def _found(self, session: Session) -> Any:
        wanted: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
        if self._uri.label is not None:
            wanted[Attribute.LABEL] = self._uri.label
        if self._uri.object_id is not None:
            wanted[Attribute.ID] = self._uri.object_id
        found = list(session.get_objects(wanted))
        if len(found) > 1:
            raise KeyRefused(f"{self._uri}: {len(found)} private keys are called so", "add id= to the URI")
        if not found:
            step = f"see `pkcs11-tool --module {self._uri.module} --login --list-objects --type privkey`"
            if self._at.pin is None:
                step = "set key_pin (env:NAME or file:PATH): without a PIN a token shows no private keys"
            raise KeyRefused(f"{self._uri}: there is no such private key on the token", step)
        return found[0]

    def _certificate(self, key: Any) -> bytes:
        wanted: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.CERTIFICATE}
        named = Attribute.ID if key[Attribute.ID] else Attribute.LABEL
        wanted[named] = key[named]
        found = list(key.session.get_objects(wanted))
        if len(found) != 1:
            text = f"{self._uri}: {len(found)} certificates on the token have the {named.name.lower()} of the key"
            raise KeyRefused(text, "name a PEM file in `certificate`")
        return bytes(found[0][Attribute.VALUE])


# What a token says about a key or mechanism that it will not use, however often it is asked.
_FORBIDDEN = frozenset({"MechanismInvalid", "MechanismParamInvalid", "KeyTypeInconsistent", "KeySizeRange"})


def load_token_key(uri: Pkcs11Uri, certificate: Path | None, pin: str | None, *, pss: bool = False) -> Signer:
    """The signer with the key that a URI names; its certificate from a PEM file, or None: from the token.

    `pin` opens the token unless the URI names a file for it. KeyRefused for whatever keeps it from signing now.
    """
    at = login(uri)
    try:
        at.use(_pin(uri, pin))
        key = TokenKey(uri, at)
        leaf = key.certificate() if certificate is None else first_certificate(certificate)
        algorithm = algorithm_of(leaf.public_key(), pss=pss)
        key.check(algorithm, leaf)
    except KeySilent as silent:
        raise KeyRefused(f"{uri}: {silent}", "see whether the tool of the token's maker reaches it") from None
    return Signer(
        certificate=leaf,
        algorithm=algorithm,
        token=encode(leaf.public_bytes(Encoding.DER)),
        sign=lambda data: key.sign(algorithm, data),
        thread=at.module.thread,
    )


def token_certificate(uri: Pkcs11Uri, pin: str | None) -> x509.Certificate:
    """The certificate on the token that goes with the key that a URI names; KeyRefused.

    A process that logged in before stays logged in as it is.
    """
    at = login(uri)
    try:
        if at.pin is None:
            at.use(_pin(uri, pin))
        return TokenKey(uri, at).certificate()
    except KeySilent as silent:
        raise KeyRefused(f"{uri}: {silent}", "see `lgsp doctor`") from None


def _pin(uri: Pkcs11Uri, given: str | None) -> str | None:
    if uri.pin_source is None:
        return given or None
    if given:
        raise KeyRefused(f"{uri}: its PIN is named twice", "leave out key_pin or pin-source")
    try:
        return read_private(uri.pin_source).decode().rstrip("\r\n") or None
    except UnicodeDecodeError:
        raise KeyRefused(f"{uri.pin_source} is not UTF-8", "write the PIN there as text, in one line") from None


def _signature(key: Any, algorithm: Algorithm, data: bytes, pin: str | None) -> bytes:
    digest = hashlib.new(algorithm.hash.name, data).digest()
    # Keys made for signatures of persons want the PIN each time (CKA_ALWAYS_AUTHENTICATE).
    options: dict[str, Any] = {"pin": pin} if _always_asks(key) else {}
    if algorithm.kind == "pss":
        made = key.sign(digest, mechanism=Mechanism.RSA_PKCS_PSS, mechanism_param=_PSS, **options)
    elif algorithm.kind == "pkcs1":
        made = key.sign(_DIGEST_INFO[algorithm.hash.name] + digest, mechanism=Mechanism.RSA_PKCS, **options)
    else:
        made = key.sign(digest, mechanism=Mechanism.ECDSA, **options)
    return bytes(made)


def _always_asks(key: Any) -> bool:
    try:
        return bool(key[Attribute.ALWAYS_AUTHENTICATE])
    except PKCS11Error:
        return False
