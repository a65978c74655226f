"""Whose signature counts: from a presented certificate, or a name for one, to the signer that may be believed.

The certificate inside a message proves nothing by itself. It is accepted because it is pinned, or because a path of
CA certificates that we hold leads to one of our anchors and it is the signer expected here (RFC 5280, as far as this
profile goes). Intermediate certificates are never taken from a message.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from security.signature import Rejected
from security.signature_algorithms import Check, PublicKey, checks, encode, strict_base64, weakness
from security.trust_path import check_leaf, fingerprint, path_to_anchor
from security.trust_revocation import RevocationLists

_CACHED = 1024


@dataclass(frozen=True, slots=True)
class ByIssuerSerial:
    """A signer named by X509IssuerSerial: issuer as RFC 4514 text, serial number."""

    issuer: str
    serial: int


@dataclass(frozen=True, slots=True)
class ByKeyIdentifier:
    """A signer named by the value of its subject key identifier extension."""

    value: bytes


@dataclass(frozen=True, slots=True)
class ByThumbprint:
    """A signer named by the SHA-1 of its certificate: a name only, nothing is proven by it."""

    value: bytes


Presented = str | bytes | ByIssuerSerial | ByKeyIdentifier | ByThumbprint
"""What a message says about its signer: a certificate (in base64 or DER), or a name for one that we must already hold.
"""


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate that may be believed and the time in which that holds.

    `subject` is its subject as RFC 4514 text, `fingerprint` its SHA-256 in hexadecimal, `checks` what a signature made
    with its key is checked by, by algorithm name.
    """

    certificate: x509.Certificate
    subject: str
    fingerprint: str
    checks: Mapping[str, Check]
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, certificate: x509.Certificate, mark: bytes, key: PublicKey, since: datetime, until: datetime) -> Self:
        """The signer with this certificate, whose SHA-256 is `mark`."""
        return cls(certificate, certificate.subject.rfc4514_string(), mark.hex(), checks(key), since, until)


class Trust(Protocol):
    """Decides who may sign at one endpoint or for one client."""

    def accept(self, presented: Presented, at: datetime) -> Signer:
        """The signer, or Rejected with untrusted, expired or revoked; `at` is UTC."""


def load_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file; ValueError if there is none."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def _key_of(certificate: x509.Certificate) -> PublicKey:
    """The public key, if strong enough to sign here; Rejected("untrusted") if not."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected("untrusted", "the certificate holds a key that cannot be read") from None
    reason = weakness(key)
    if reason is not None:
        raise Rejected("untrusted", f"the certificate holds {reason}")
    return key  # type: ignore[return-value]  # weakness() admits these two types only


def _within(certificate: x509.Certificate, at: datetime, whose: str) -> None:
    if at < certificate.not_valid_before_utc:
        raise Rejected("expired", f"the certificate of the {whose} is not valid yet")
    if at > certificate.not_valid_after_utc:
        raise Rejected("expired", f"the certificate of the {whose} has expired")


class _Held:
    """Certificates that we hold, by the names a message may use for them."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self.certificates = tuple(certificates)
        self.by_fingerprint = {fingerprint(certificate): certificate for certificate in self.certificates}

    def find(self, presented: ByIssuerSerial | ByKeyIdentifier | ByThumbprint) -> x509.Certificate:
        """The one held certificate of that name; Rejected("untrusted") for none or several."""
        found = [certificate for certificate in self.certificates if _is_named(certificate, presented)]
        if len(found) != 1:
            raise Rejected("untrusted", "the signer is named by an identifier that fits no pinned certificate")
        return found[0]


def _is_named(certificate: x509.Certificate, presented: ByIssuerSerial | ByKeyIdentifier | ByThumbprint) -> bool:
    if isinstance(presented, ByThumbprint):
        return certificate.fingerprint(hashes.SHA1()) == presented.value  # noqa: S303 - a name, not a proof
    if isinstance(presented, ByKeyIdentifier):
        try:
            held = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:
            return False
        return held.value.digest == presented.value
    if certificate.serial_number != presented.serial:
        return False
    try:
        issuer = x509.Name.from_rfc4514_string(presented.issuer, _EXTRA_NAMES)
    except ValueError:
        return False
    return _plain(issuer) == _plain(certificate.issuer)


def _der_of(presented: Presented, held: _Held) -> bytes:
    """The certificate that is presented, or the held one that is named; Rejected("malformed") if it is not base64."""
    if isinstance(presented, bytes):
        return presented
    if isinstance(presented, str):
        return strict_base64(presented, "the signer's certificate")
    return held.find(presented).public_bytes(Encoding.DER)


_EXTRA_NAMES = {
    "E": x509.NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": x509.NameOID.EMAIL_ADDRESS,
    "S": x509.NameOID.STATE_OR_PROVINCE_NAME,
    "SERIALNUMBER": x509.NameOID.SERIAL_NUMBER,
}


def _plain(name: x509.Name) -> frozenset[tuple[str, str | bytes]]:
    """A name without the ASN.1 string types and the order, in which stacks differ when they write it as text."""
    return frozenset((attribute.oid.dotted_string, attribute.value) for attribute in name)


class _Verdicts:
    """Accepted signers by their certificates, in DER and in base64; bounded, the oldest go first.

    The base64 text is kept so that no message but the first pays for decoding it. Refusals are not kept: whoever sends
    many bad certificates must not push the good ones out.
    """

    def __init__(self) -> None:
        self._signers: OrderedDict[Presented, Signer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, presented: Presented, at: datetime) -> Signer | None:
        signer = self._signers.get(presented)
        if signer is None or not signer.not_before <= at <= signer.not_after:
            return None
        return signer

    def put(self, der: bytes, signer: Signer) -> None:
        with self._lock:
            # The text is our own and not the message's: white space could make many of that, each of any length.
            self._signers[der] = self._signers[encode(der).decode()] = signer
            while len(self._signers) > _CACHED:
                self._signers.popitem(last=False)


class PinnedTrust:
    """Exactly these certificates may sign, each while it is valid and not revoked.

    Several make an overlap of old and new. ValueError if one holds a weak key.
    """

    def __init__(self, certificates: Sequence[x509.Certificate], revocation: RevocationLists | None = None) -> None:
        if not certificates:
            raise ValueError("at least one pinned certificate is needed")
        for certificate in certificates:
            reason = weakness(certificate.public_key())
            if reason is not None:
                raise ValueError(f"the pinned certificate {certificate.subject.rfc4514_string()} holds {reason}")
        self._held = _Held(certificates)
        self._revocation = revocation
        self._verdicts = _Verdicts()

    def accept(self, presented: Presented, at: datetime) -> Signer:
        """The pinned signer; Rejected with untrusted (another certificate), expired or revoked."""
        return self._verdicts.get(presented, at) or self._accept(_der_of(presented, self._held), at)

    def _accept(self, der: bytes, at: datetime) -> Signer:
        known = self._verdicts.get(der, at)
        if known is not None:
            return known
        mark = hashlib.sha256(der).digest()
        certificate = self._held.by_fingerprint.get(mark)
        if certificate is None:
            raise Rejected("untrusted", "the signer's certificate is not a pinned one")
        _within(certificate, at, "signer")
        not_after = certificate.not_valid_after_utc
        if self._revocation is not None:
            not_after = min(not_after, self._revocation.check(certificate, at))
        signer = Signer.of(certificate, mark, _key_of(certificate), certificate.not_valid_before_utc, not_after)
        self._verdicts.put(der, signer)
        return signer


class AnchoredTrust:
    """Certificates that our anchors vouch for may sign, if they are those of the expected signer.

    `subject`: the expected subject name (None: any signer of the anchors, for tools that only judge). `pinned`: if
    given, the certificate must be one of these as well, and names for a certificate are looked up among them.
    """

    def __init__(
        self,
        anchors: Sequence[x509.Certificate],
        *,
        subject: x509.Name | None,
        intermediates: Sequence[x509.Certificate] = (),
        pinned: Sequence[x509.Certificate] = (),
        revocation: RevocationLists | None = None,
    ) -> None:
        if not anchors:
            raise ValueError("at least one anchor is needed")
        self._anchors = tuple(anchors)
        self._anchor_marks = frozenset(map(fingerprint, anchors))
        self._authorities = (*self._anchors, *intermediates)
        self._subject = None if subject is None else _plain(subject)
        self._pinned = _Held(pinned)
        self._revocation = revocation
        self._verdicts = _Verdicts()

    def accept(self, presented: Presented, at: datetime) -> Signer:
        """The expected signer; Rejected with untrusted (path, subject, usage, key), expired or revoked."""
        return self._verdicts.get(presented, at) or self._accept(_der_of(presented, self._pinned), at)

    def _accept(self, der: bytes, at: datetime) -> Signer:
        known = self._verdicts.get(der, at)
        if known is not None:
            return known
        try:
            certificate = x509.load_der_x509_certificate(der)
        except (ValueError, x509.InvalidVersion):
            raise Rejected("untrusted", "the signer's certificate cannot be read") from None
        signer = self._judge(certificate, hashlib.sha256(der).digest(), at)
        self._verdicts.put(der, signer)
        return signer

    def _judge(self, certificate: x509.Certificate, mark: bytes, at: datetime) -> Signer:
        if self._pinned.certificates and mark not in self._pinned.by_fingerprint:
            raise Rejected("untrusted", "the signer's certificate is not the expected one")
        try:
            key = _key_of(certificate)
            check_leaf(certificate)
            path = path_to_anchor(certificate, self._authorities, self._anchor_marks)
            if self._subject is not None and _plain(certificate.subject) != self._subject:
                raise Rejected("untrusted", "the certificate belongs to another signer than the expected one")
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
            # Extensions are parsed lazily: whatever is broken inside shows here.
            raise Rejected("untrusted", "the signer's certificate is malformed") from None
        _within(certificate, at, "signer")
        not_before, not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        for authority in path:
            _within(authority, at, "issuing authority")
            not_before = max(not_before, authority.not_valid_before_utc)
            not_after = min(not_after, authority.not_valid_after_utc)
        if self._revocation is not None:
            # The anchor is trusted by decision: nobody above it could revoke it.
            for link in (certificate, *path[:-1]):
                not_after = min(not_after, self._revocation.check(link, at))
        return Signer.of(certificate, mark, key, not_before, not_after)
