"""Whose certification authorities these are, and what is ordered from them."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final, Literal

from cryptography import x509

from security.authority import AuthorityRefused
from security.issuing import Addresses, KeyKind, Kind, subject_name
from security.keys import SANDBOX_MARK
from security.names import unseen
from security.signature_algorithms import PublicKey

Which = Literal["root", "issuing"]
"""An authority of an office: the root, or the one below it that issues."""
_LONGEST: Final = 64
"""Characters of a common name or organisation (ub-common-name, ub-organization-name: RFC 5280, appendix A.1)."""
_LONGEST_HOST: Final = 253
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


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
        """Return the subject of a certificate of this office, of another organisation where one is named.

        Raises AuthorityRefused for a text that is empty, too long or not what it looks like.
        """
        owner, mark = self.organization if organization is None else organization, f"{SANDBOX_MARK} "
        for what, text in (("organisation", owner), ("common name", common_name)):
            _check_text(what, text, len(mark) if self.sandbox and not text.startswith(mark) else 0)
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


def _check_text(what: str, text: str, added: int) -> None:
    """Refuse what a subject must not hold; a sandbox adds characters to it."""
    hidden = unseen(text)
    if not text.strip():
        raise AuthorityRefused(f"the {what} is empty: say whose certificate this is")
    if hidden is not None:
        raise AuthorityRefused(f"the {what} has the character U+{ord(hidden):04X}, which nobody sees: leave it out")
    if len(text) + added > _LONGEST:
        marked = f", {added} more with the mark of the sandbox," if added else ""
        raise AuthorityRefused(
            f"the {what} has {len(text)} characters{marked} and may have {_LONGEST} (RFC 5280): shorten it"
        )


def check_host(host: str) -> None:
    """Refuse what is no name or address of a TLS server (RFC 5280, 4.2.1.6; RFC 9525, 6.3); raises AuthorityRefused."""
    with suppress(ValueError):
        if not getattr(ip_address(host), "scope_id", None):
            return
    if unseen(host) is None and not host.isascii():
        raise AuthorityRefused(f"{host}: certificates hold names of hosts in ASCII: give {_ascii(host)}")
    labels = host.removeprefix("*.").split(".")
    if len(host) > _LONGEST_HOST or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise AuthorityRefused(f"{host!r} is no name or address of a host: give one such as gw.example.vn or 10.0.0.1")


def _ascii(host: str) -> str:
    try:
        return f"--host {host.encode('idna').decode()}"
    except UnicodeError:
        return "the form that begins with xn--, as your registrar says it"
