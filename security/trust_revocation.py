"""Certificate revocation lists (CRL, RFC 5280 section 5): who is on them, and how long that is known.

A list counts for what its signer issued, and while it is current. Past its end it says nothing good any more; who
stands on it stays revoked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from security.signature import Rejected
from security.trust_materials import COLLECTED
from security.trust_path import SHA2, key_usage

_UNDERSTOOD = frozenset({x509.CRLNumber.oid, x509.AuthorityKeyIdentifier.oid})
_UNDERSTOOD_OF_ENTRIES = frozenset({x509.CRLReason.oid, x509.InvalidityDate.oid})
SKEW = timedelta(seconds=60)
"""How far the clock of an authority may be ahead of ours."""


class Standing(NamedTuple):
    """That a certificate may be believed: because it is not revoked, or because silence was accepted; until when."""

    certainty: Literal["good", "indeterminate"]
    until: datetime


class Revocation(Protocol):
    """What is known about certificates having been revoked."""

    def standing(self, certificate: x509.Certificate, issuer: x509.Certificate | None, at: datetime) -> Standing:
        """How the certificate stands at `at` (UTC); `issuer` is None where we only hold the certificate itself.

        Rejected("revoked") if it is revoked, Rejected("untrusted") if it is not known whether it is.
        """


def read_lists(path: Path) -> list[x509.CertificateRevocationList]:
    """Read one list in DER form or all of a PEM file, without looking at who signed them; OSError and ValueError."""
    if path.exists() and not path.is_file():
        # A device would be read for ever.
        raise ValueError("it is no regular file")
    return parse_lists(path.read_bytes())


def parse_lists(raw: bytes) -> list[x509.CertificateRevocationList]:
    """Take one list in DER form, or every list that stands in PEM form one after the other; raises ValueError.

    Whoever joins the lists of several authorities, or an old and a new one, means all of them: the library would read
    the first and be silent about a certificate that only another one revokes.
    """
    blocks = _PEM_LIST.findall(raw)
    if len(blocks) != raw.count(b"-----BEGIN "):
        raise ValueError("it holds something else than whole revocation lists")
    try:
        return [x509.load_pem_x509_crl(block) for block in blocks] or [x509.load_der_x509_crl(raw)]
    except x509.InvalidVersion as error:
        # The library makes it no ValueError.
        raise ValueError(str(error)) from None


def parse_list(raw: bytes) -> x509.CertificateRevocationList:
    """Take exactly one list in PEM or DER form; raises ValueError."""
    lists = parse_lists(raw)
    if len(lists) != 1:
        raise ValueError("there is more than one revocation list where one is expected")
    return lists[0]


_PEM_LIST = re.compile(rb"-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----")


def spki(certificate: x509.Certificate) -> bytes:
    """The public key of a certificate in DER form: what tells authorities of one name apart."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True, eq=False)
class HeldList:
    """A list that its issuer signed; `key` is the issuer's public key."""

    crl: x509.CertificateRevocationList
    key: bytes
    this_update: datetime
    next_update: datetime

    def current(self, at: datetime) -> bool:
        """Whether it may be used at `at` (UTC)."""
        return self.this_update - SKEW <= at <= self.next_update

    def revoked_at(self, certificate: x509.Certificate) -> datetime | None:
        """Since when the certificate is revoked, None if it does not stand on the list.

        Raises Rejected("untrusted") for an entry that is not understood.
        """
        entry = self.crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is None:
            return None
        try:
            if not any(one.critical and one.oid not in _UNDERSTOOD_OF_ENTRIES for one in entry.extensions):
                return entry.revocation_date_utc
        except (ValueError, TypeError, x509.DuplicateExtension):
            pass
        raise Rejected("untrusted", "the revocation list says something about it that is not understood")


class RevocationLists:
    """The newest list of each issuer."""

    def __init__(self, lists: Sequence[x509.CertificateRevocationList], issuers: Sequence[x509.Certificate]) -> None:
        self._issuers = tuple(issuers)
        self._held: dict[tuple[x509.Name, bytes], HeldList] = {}
        for crl in lists:
            self.take(crl)

    @classmethod
    def load(cls, paths: Sequence[Path], issuers: Sequence[x509.Certificate]) -> Self:
        """The lists of PEM or DER files; ValueError names the file that cannot be read or is not its issuer's."""
        loaded = cls((), issuers)
        for path in paths:
            try:
                for crl in read_lists(path):
                    loaded.take(crl)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
        return loaded

    def take(self, crl: x509.CertificateRevocationList, octets: bytes = b"") -> bool:
        """Hold this list instead of an older one of its issuer; tell whether it is newer than what was held.

        `octets`: its DER form as it came, where that is at hand. The library writes a list anew to check the signature,
        which holds everything up for 70 ms where 100,000 certificates stand on it. Raises ValueError for a list that
        cannot be used: not signed by one of the issuers, partial, without an end.
        """
        if any(held.crl == crl for held in self._held.values()):
            return False
        try:
            checked = self._checked(crl, octets)
        except (TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
            # Names, extensions and algorithms are parsed lazily: whatever is broken inside shows here.
            raise ValueError("the revocation list is malformed") from None
        known = self._held.get((crl.issuer, checked.key))
        if known is not None and known.this_update >= checked.this_update:
            return False
        self._held[crl.issuer, checked.key] = checked
        return True

    def of(self, certificate: x509.Certificate, issuer: x509.Certificate | None) -> HeldList | None:
        """The list on which the certificate would stand; without its issuer any of the issuer's name."""
        if issuer is not None:
            return self._held.get((certificate.issuer, spki(issuer)))
        return next((held for (name, _), held in self._held.items() if name == certificate.issuer), None)

    def standing(self, certificate: x509.Certificate, issuer: x509.Certificate | None, at: datetime) -> Standing:
        """How the certificate stands by its issuer's list; Rejected("untrusted") where none is current."""
        held = self.of(certificate, issuer)
        if held is None:
            raise Rejected("untrusted", "there is no revocation list of the certificate's issuer")
        revoked_at = held.revoked_at(certificate)
        if revoked_at is not None and revoked_at <= at:
            raise Rejected("revoked", "the certificate has been revoked by its issuer")
        if not held.current(at):
            raise Rejected("untrusted", "the revocation list of the certificate's issuer is out of date")
        COLLECTED.revocation_list(held)
        return Standing("good", held.next_update if revoked_at is None else min(held.next_update, revoked_at))

    def _checked(self, crl: x509.CertificateRevocationList, octets: bytes) -> HeldList:
        if crl.next_update_utc is None:
            raise ValueError("the revocation list does not say when the next one comes")
        for extension in crl.extensions:
            if extension.critical and extension.oid not in _UNDERSTOOD:
                raise ValueError("the revocation list is a partial one (critical extension), which is not supported")
        for issuer in self._issuers:
            if _signed_by(crl, octets, issuer):
                return HeldList(crl, spki(issuer), crl.last_update_utc, crl.next_update_utc)
        raise ValueError("the revocation list is not signed by one of the given authorities")


def _signed_by(crl: x509.CertificateRevocationList, octets: bytes, issuer: x509.Certificate) -> bool:
    if crl.issuer != issuer.subject or not isinstance(crl.signature_hash_algorithm, SHA2):
        return False
    usage = key_usage(issuer)
    if usage is not None and not usage.crl_sign:
        return False
    key = issuer.public_key()
    if not octets.startswith(b"0"):
        try:
            return crl.is_signature_valid(key)  # type: ignore[arg-type]  # TypeError for other key types
        except TypeError:
            return False
    scheme, sha2 = crl.signature_algorithm_parameters, crl.signature_hash_algorithm
    # What is signed is the first element inside. The octets were parsed as a list before: every length is right.
    start = _inside(octets, 0)[0]
    signed = octets[start : _inside(octets, start)[1]]
    try:
        if isinstance(key, rsa.RSAPublicKey) and isinstance(scheme, padding.PKCS1v15 | padding.PSS):
            key.verify(crl.signature, signed, scheme, sha2)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(scheme, ec.ECDSA):
            key.verify(crl.signature, signed, scheme)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _inside(octets: bytes, at: int) -> tuple[int, int]:
    """Where the content of a DER element begins and ends."""
    length, start = octets[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(octets[start : start + size]), start + size
    return start, start + length
