"""One certification authority (cơ quan chứng thực, CA): it issues, revokes, makes revocation lists and knows all of it.

Its files in a directory are `NAME.pem` (certificate), `NAME.key` (0600, encrypted where there is a passphrase) and
`NAME.index`. The index is written before a certificate or list is handed out, so that none is in use that the authority
does not know.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from security.authority_index import AuthorityIndex, Issued, Revocation
from security.files import write_whole
from security.issuing import Addresses, KeyKind, Wanted, authority_profile, generated, hash_for, signed
from security.signature_algorithms import PrivateKey
from security.signature_key import KeyLocked, KeyRefused, SigningKey

REASONS: Final = {flag.value: flag for flag in x509.ReasonFlags if flag != x509.ReasonFlags.remove_from_crl}
"""Why a certificate may be revoked, by the names of RFC 5280, 5.3.1."""


class AuthorityRefused(Exception):
    """What an authority will not do; the text says why and what to do instead."""


class Authority:
    """An authority as its files say it; `addresses` is what its certificates say about where to ask."""

    def __init__(self, directory: Path, name: str, password: bytes | None = None) -> None:
        """Open one; raises OSError and ValueError for a certificate that cannot be read."""
        self.name = name
        self.path = directory / f"{name}.pem"
        self.certificate = x509.load_pem_x509_certificate(self.path.read_bytes())
        self.index = AuthorityIndex(directory / f"{name}.index")
        self.addresses = Addresses()
        self._key_path = directory / f"{name}.key"
        self._password = password
        self._key: PrivateKey | None = None

    @classmethod
    def create(
        cls,
        directory: Path,
        name: str,
        subject: x509.Name,
        begin: datetime,
        end: datetime,
        *,
        key_kind: KeyKind = "ec",
        path_length: int = 0,
        password: bytes | None = None,
        issuer: Authority | None = None,
        policies: tuple[str, ...] = (),
    ) -> Authority:
        """Make one with `path_length` further ones below it at most, issued by `issuer` or by itself (a root)."""
        key = generated(key_kind)
        asked = Wanted(
            subject=subject,
            key=key.public_key(),
            profile=authority_profile(path_length),
            begin=begin,
            end=end,
            policies=policies,
        )
        write_private(directory / f"{name}.key", key, password)
        write_whole(directory / f"{name}.index", b"", 0o600)
        made = signed(asked, subject, key) if issuer is None else issuer.issue(name, "authority", asked, begin)
        write_whole(directory / f"{name}.pem", made.public_bytes(Encoding.PEM), 0o644)
        return cls(directory, name, password)

    @property
    def key(self) -> PrivateKey:
        """The private key; raises KeyRefused where it cannot be read or is open to others."""
        if self._key is None:
            try:
                self._key = SigningKey.load(self._key_path, self.path, self._password).private
            except KeyLocked as locked:
                step = "give the one of `lgsp pki init` with --passphrase env:NAME or file:PATH"
                raise KeyRefused(locked.text, step) from None
        return self._key

    def issue(self, name: str, kind: str, wanted: Wanted, at: datetime) -> x509.Certificate:
        """Sign and record a certificate for the holder called `name`, with the authority's own addresses.

        Raises AuthorityRefused where it would outlive the authority, KeyRefused, OSError.
        """
        last = self.certificate.not_valid_after_utc
        if wanted.end > last:
            raise AuthorityRefused(
                f"the authority {self.name} ends on {last:%Y-%m-%d}: ask for a shorter time, or make a new authority"
            )
        made = signed(replace(wanted, addresses=self.addresses), self.certificate.subject, self.key)
        with self.index.writing():
            self.index.add_issued(name, kind, at, made)
        return made

    def revoke(self, serial: int, at: datetime, reason: str) -> Revocation:
        """Revoke a certificate from `at` on and return what holds now: an earlier revocation stays as it is.

        Raises AuthorityRefused for a certificate that this authority did not issue.
        """
        with self.index.writing():
            if serial not in self.index.issued:
                raise AuthorityRefused(f"the authority {self.name} did not issue {serial:x}: see `lgsp pki list`")
            self.index.add_revoked(serial, at, reason)
        return self.index.revoked[serial]

    def standing(self, serial: int, at: datetime) -> Issued | Revocation | None:
        """Return what is known about a certificate: that it is good, that it is revoked, or (None) nothing."""
        revocation = self.index.revoked.get(serial)
        if revocation is not None and revocation.at <= at:
            return revocation
        return self.index.issued.get(serial)

    def revocation_list(self, begin: datetime, end: datetime, at: datetime) -> x509.CertificateRevocationList:
        """Make and record a complete list (CRL, RFC 5280 section 5) of who is revoked at `at`, valid begin to end."""
        with self.index.writing():
            number = self.index.number + 1
            builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
            builder = builder.last_update(begin).next_update(end)
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
            builder = builder.add_extension(identifier, critical=False)
            for serial, revocation in sorted(self.index.revoked.items()):
                if revocation.at <= at:
                    builder = builder.add_revoked_certificate(_entry(serial, revocation))
            made = builder.sign(self.key, hash_for(self.key))
            self.index.add_list(number, at)
        return made


def write_private(path: Path, key: PrivateKey, password: bytes | None = None) -> None:
    """Write a private key as PKCS#8 PEM that only its owner may read, encrypted where there is a password."""
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    write_whole(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)


def _entry(serial: int, revocation: Revocation) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revocation.at)
    flag = REASONS[revocation.reason]
    if flag != x509.ReasonFlags.unspecified:
        # RFC 5280, 5.3.1: a reason that says nothing is left out.
        builder = builder.add_extension(x509.CRLReason(flag), critical=False)
    return builder.build()
