"""Certificate revocation lists (CRL, RFC 5280 section 5) held as files: who is on them, and how long that is known.

A list that is not signed by its issuer is a mistake of whoever configured it and raises ValueError when loaded. A
certificate about which no current list speaks is refused: silence is not a proof of good standing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography import x509

from security.signature import Rejected

_UNDERSTOOD = frozenset({x509.CRLNumber.oid, x509.AuthorityKeyIdentifier.oid})


def read_list(path: Path) -> x509.CertificateRevocationList:
    """Read a list in PEM or DER form, without looking at who signed it; raises OSError and ValueError."""
    raw = path.read_bytes()
    return x509.load_pem_x509_crl(raw) if raw.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_crl(raw)


@dataclass(frozen=True, slots=True)
class _List:
    this_update: datetime
    next_update: datetime
    revoked: dict[int, datetime]


class RevocationLists:
    """The newest list of each issuer."""

    def __init__(self, lists: Sequence[x509.CertificateRevocationList], issuers: Sequence[x509.Certificate]) -> None:
        self._by_issuer: dict[x509.Name, _List] = {}
        for crl in lists:
            checked = _checked(crl, issuers)
            known = self._by_issuer.get(crl.issuer)
            if known is None or known.this_update < checked.this_update:
                self._by_issuer[crl.issuer] = checked

    @classmethod
    def load(cls, paths: Sequence[Path], issuers: Sequence[x509.Certificate]) -> Self:
        """The lists of PEM or DER files; ValueError names the file that cannot be read or is not its issuer's."""
        lists = []
        for path in paths:
            try:
                crl = read_list(path)
                _checked(crl, issuers)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            lists.append(crl)
        return cls(lists, issuers)

    def check(self, certificate: x509.Certificate, at: datetime) -> datetime:
        """Until when it is known that the certificate is not revoked.

        Rejected("revoked") if it is, Rejected("untrusted") if no list of its issuer is current at `at` (UTC).
        """
        held = self._by_issuer.get(certificate.issuer)
        if held is None:
            raise Rejected("untrusted", "there is no revocation list of the certificate's issuer")
        revoked_at = held.revoked.get(certificate.serial_number)
        if revoked_at is not None and revoked_at <= at:
            raise Rejected("revoked", "the certificate has been revoked by its issuer")
        if not held.this_update <= at <= held.next_update:
            raise Rejected("untrusted", "the revocation list of the certificate's issuer is out of date")
        return held.next_update if revoked_at is None else min(held.next_update, revoked_at)


def _checked(crl: x509.CertificateRevocationList, issuers: Sequence[x509.Certificate]) -> _List:
    if crl.next_update_utc is None:
        raise ValueError("the revocation list does not say when the next one comes")
    for extension in crl.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise ValueError("the revocation list is a partial one (critical extension), which is not supported")
    if not any(_signed_by(crl, issuer) for issuer in issuers):
        raise ValueError("the revocation list is not signed by one of the given authorities")
    revoked = {entry.serial_number: entry.revocation_date_utc for entry in crl}
    return _List(crl.last_update_utc, crl.next_update_utc, revoked)


def _signed_by(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if crl.issuer != issuer.subject:
        return False
    try:
        if not issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign:
            return False
    except x509.ExtensionNotFound:
        return False
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # TypeError for other key types
    except TypeError:
        return False
