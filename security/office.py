"""Whose certification authorities these are, and what is ordered from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from cryptography import x509

from security.issuing import Addresses, KeyKind, Kind, subject_name
from security.keys import SANDBOX_MARK
from security.signature_algorithms import PublicKey

Which = Literal["root", "issuing"]
"""An authority of an office: the root, or the one below it that issues."""


@dataclass(frozen=True, slots=True)
class Office:
    """Whose authorities these are (`pki.json`): `publish_at` is where `publish/` is served, `ocsp` a responder (URLs).

    `policies` are the certificate policies (dotted OIDs) that every certificate states. In a sandbox every subject is
    marked.
    """

    organization: str
    publish_at: str | None = None
    ocsp: str | None = None
    policies: tuple[str, ...] = ()
    sandbox: bool = False

    def subject(self, common_name: str, agency: str | None = None, organization: str | None = None) -> x509.Name:
        """Return the subject of a certificate of this office, of another organisation where one is named."""
        owner, mark = organization or self.organization, f"{SANDBOX_MARK} "
        if not self.sandbox:
            return subject_name(common_name, owner, agency)
        return subject_name(mark + common_name.removeprefix(mark), mark + owner.removeprefix(mark), agency)

    def addresses(self, which: Which) -> Addresses:
        """Return what certificates of one of the authorities say about where to ask."""
        if self.publish_at is None:
            return Addresses(ocsp=self.ocsp if which == "issuing" else None)
        base = self.publish_at.rstrip("/")
        # The root has no responder: its list changes twice a year.
        return Addresses(f"{base}/{which}.crl", self.ocsp if which == "issuing" else None, f"{base}/{which}.cer")


@dataclass(frozen=True, slots=True)
class Order:
    """A certificate to be made: for whom, of which kind; `key` is the holder's own, or which kind to make.

    `hosts` are what a TLS server is reached by.
    """

    name: str
    kind: Kind
    subject: x509.Name
    key: PublicKey | KeyKind
    lasting: timedelta
    hosts: tuple[str, ...] = ()
