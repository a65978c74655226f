"""What ends by itself: the certificates, revocation lists and keys that a configuration names, each with its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509

from config.settings import Settings
from security.keys import SANDBOX_MARK, KeyRing
from security.trust_revocation import read_list

# Days before an end at which the worker warns, once each; the first is also where `lgsp doctor` begins to.
WARN_DAYS = (30, 14, 7)


@dataclass(frozen=True, slots=True)
class Expiry:
    """One thing that ends: `name` is the setting or the key's id, `since` when it began (None: it does not say)."""

    kind: Literal["certificate", "revocation-list", "key"]
    name: str
    ends: datetime
    since: datetime | None = None
    path: Path | None = None
    sandbox: bool = False

    def left(self, now: datetime) -> timedelta:
        """How long it lasts from now, negative when it is over."""
        return self.ends - now


def certificate_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield setting and path of every certificate file of the configuration, our own and others'."""
    tls = settings.server.tls
    if tls is not None:
        yield "server.tls.certificate", tls.certificate
        if tls.client_ca is not None:
            yield "server.tls.client_ca", tls.client_ca
    for name, endpoint in settings.endpoints.items():
        where = f"endpoints.{name}"
        for path in endpoint.trust:
            yield f"{where}.trust", path
        for setting in ("signer", "certificate", "tls_ca", "tls_certificate"):
            path = getattr(endpoint, setting)
            if path is not None:
                yield f"{where}.{setting}", path


def revocation_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield setting and path of every revocation list of the configuration."""
    for name, endpoint in settings.endpoints.items():
        for path in endpoint.crl:
            yield f"endpoints.{name}.crl", path


def certificate_expiries(settings: Settings) -> Iterator[Expiry]:
    """Yield the end of every certificate and revocation list that can be read; `lgsp check` names the others."""
    for name, path in certificate_files(settings):
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            continue
        # A file of several is as good as the one that ends first.
        first = min(found, key=lambda certificate: certificate.not_valid_after_utc)
        marked = any(SANDBOX_MARK in certificate.subject.rfc4514_string() for certificate in found)
        yield Expiry("certificate", name, first.not_valid_after_utc, first.not_valid_before_utc, path, marked)
    for name, path in revocation_files(settings):
        try:
            listed = read_list(path)
        except (OSError, ValueError):
            continue
        if listed.next_update_utc is not None:
            marked = SANDBOX_MARK in listed.issuer.rfc4514_string()
            yield Expiry("revocation-list", name, listed.next_update_utc, listed.last_update_utc, path, marked)


def key_expiries(keys: KeyRing) -> Iterator[Expiry]:
    """Yield the planned end of every key that signs or encrypts now."""
    for key in keys.all():
        if key.until is None:
            yield Expiry("key", key.id, key.expires, key.created, key.path, key.sandbox)


def advice(expiry: Expiry) -> str:
    """Say what to do about one that ends."""
    if expiry.kind == "key":
        return f"run `lgsp keys rotate {expiry.name.rpartition('-')[0]}`"
    if expiry.kind == "revocation-list":
        return f"fetch the issuer's newest list to {expiry.path}, then run `lgsp reload`"
    return f"put the renewed certificate to {expiry.path}, then run `lgsp reload`"


def earliest(expiries: Iterable[Expiry]) -> Expiry | None:
    """Return the one that ends first."""
    return min(expiries, key=lambda expiry: expiry.ends, default=None)
