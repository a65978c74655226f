"""What ends by itself: the certificates, revocation lists and keys that a deployment depends on, each with its end.

An old and a new certificate of one holder side by side end with the new one: what is prepared needs no warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar, get_args

from cryptography import x509
from sqlalchemy import Connection

from config.settings import Settings
from security.client_store import last_ends
from security.keys import SANDBOX_MARK, KeyRing
from security.trust import load_certificates
from security.trust_revocation import read_lists

# Days before an end at which the worker warns, once each; the first is also where `lgsp doctor` begins to.
WARN_DAYS = (30, 14, 7)
# A revocation list lives for days: warnings belong into the last part of its life, or they would never be quiet.
_LIST_PART = 4

T = TypeVar("T")
Kind = Literal["certificate", "revocation-list", "key", "client-certificate"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Expiry:
    """One thing that ends: `name` is the setting, the key's id or the client, `since` when it began.

    `paired` certificates belong to a private key of ours, the others to somebody else. Of those that are `named` only
    the subject counts, so that their holder may renew them without us.
    """

    kind: Kind
    name: str
    ends: datetime
    since: datetime | None = None
    path: Path | None = None
    sandbox: bool = False
    paired: bool = False
    named: bool = False

    def left(self, now: datetime) -> timedelta:
        """How long it lasts from now, negative when it is over."""
        return self.ends - now

    def stage(self, now: datetime) -> int | None:
        """Return which of WARN_DAYS has passed last, 0 when it is over, None while there is nothing to warn of."""
        left = self.left(now)
        if left <= timedelta(0):
            return 0
        most = timedelta.max
        if self.kind == "revocation-list" and self.since is not None:
            most = (self.ends - self.since) / _LIST_PART
        return min((days for days in WARN_DAYS if left <= min(timedelta(days=days), most)), default=None)


def certificate_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield setting and path of every certificate file of the configuration, our own and others'."""
    tls = settings.server.tls
    if tls is not None:
        yield "server.tls.certificate", tls.certificate
        if tls.client_ca is not None:
            yield "server.tls.client_ca", tls.client_ca
    for name, domain in settings.trust.items():
        for path in domain.anchors:
            yield f"trust.{name}.anchors", path
        for path in domain.intermediates:
            yield f"trust.{name}.intermediates", path
    if settings.signing.certificate is not None:
        yield "signing.certificate", settings.signing.certificate
    for path in settings.xroad.servers:
        yield "xroad.servers", path
    for name, endpoint in settings.endpoints.items():
        where = f"endpoints.{name}"
        for path in endpoint.trust:
            yield f"{where}.trust", path
        for path in endpoint.pinned:
            yield f"{where}.pinned", path
        for setting in ("signer", "certificate", "tls_ca", "tls_certificate"):
            path = getattr(endpoint, setting)
            if path is not None:
                yield f"{where}.{setting}", path


def revocation_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield setting and path of every revocation list of the configuration."""
    for name, domain in settings.trust.items():
        for path in domain.crl:
            yield f"trust.{name}.crl", path
    for name, endpoint in settings.endpoints.items():
        for path in endpoint.crl:
            yield f"endpoints.{name}.crl", path


def certificate_expiries(settings: Settings, now: datetime) -> Iterator[Expiry]:
    """Yield the end of every certificate and revocation list that can be read; `lgsp check` names the others."""
    only_named = {f"endpoints.{name}.signer" for name, one in settings.endpoints.items() if one.domain or one.trust}
    for name, files in _by_setting(certificate_files(settings), load_certificates):
        found = [certificate for certificates in files.values() for certificate in certificates]
        paired = name.endswith("certificate")
        since, ends = _lasting(found, now, paired=paired)
        path = next(path for path, inside in files.items() if any(one.not_valid_after_utc == ends for one in inside))
        marked = any(SANDBOX_MARK in certificate.subject.rfc4514_string() for certificate in found)
        yield Expiry("certificate", name, ends, since, path, marked, paired, name in only_named)
    for name, lists in _by_setting(revocation_files(settings), read_lists):
        newest: dict[x509.Name, tuple[datetime, datetime, Path]] = {}
        for path, listed in ((path, one) for path, inside in lists.items() for one in inside):
            if listed.next_update_utc is not None:
                entry = (listed.next_update_utc, listed.last_update_utc, path)
                newest[listed.issuer] = max(entry, newest.get(listed.issuer, entry))
        if newest:
            ends, since, path = min(newest.values())
            marked = any(SANDBOX_MARK in issuer.rfc4514_string() for issuer in newest)
            yield Expiry("revocation-list", name, ends, since, path, marked)


def _by_setting(files: Iterable[tuple[str, Path]], read: Callable[[Path], T]) -> Iterator[tuple[str, dict[Path, T]]]:
    """Yield each setting with the content of its files, those left out that cannot be read."""
    found: dict[str, dict[Path, T]] = {}
    for name, path in files:
        with suppress(OSError, ValueError, x509.InvalidVersion):
            content = read(path)
            found.setdefault(name, {})[path] = content
    yield from found.items()


def _lasting(certificates: Sequence[x509.Certificate], now: datetime, *, paired: bool) -> tuple[datetime, datetime]:
    """Return since when and until when all of them serve: as long as the holder among them who ends first."""
    held: dict[x509.Name, list[x509.Certificate]] = {}
    for certificate in certificates:
        group = held.setdefault(certificate.subject, [])
        # The key belongs to the first: another one for the same holder is no successor.
        if not (paired and group is held[certificates[0].subject] and group):
            group.append(certificate)
    return min((_successive(group, now) for group in held.values()), key=lambda times: times[1])


def _successive(certificates: list[x509.Certificate], now: datetime) -> tuple[datetime, datetime]:
    """Return since when and until when certificates of one holder, one after the other, leave no gap."""
    first, *later = sorted(certificates, key=lambda certificate: certificate.not_valid_before_utc)
    since, ends = first.not_valid_before_utc, first.not_valid_after_utc
    for certificate in later:
        begins = certificate.not_valid_before_utc
        if begins <= ends:
            ends = max(ends, certificate.not_valid_after_utc)
        elif begins <= now:
            since, ends = begins, certificate.not_valid_after_utc
        else:
            # It comes too late: between the two nothing is valid.
            break
    return since, ends


def key_expiries(keys: KeyRing) -> Iterator[Expiry]:
    """Yield the planned end of every key that signs or encrypts now."""
    for key in keys.all():
        if key.until is None:
            yield Expiry("key", key.id, key.expires, key.created, key.path, key.sandbox)


def client_expiries(connection: Connection, now: datetime) -> list[Expiry]:
    """Return the ends of registered clients' certificates that are near or over, where no later one is registered."""
    # Secrets end by rotation, as planned; nobody plans for a certificate to end.
    found = last_ends(connection, ("mtls", "signature"), now + timedelta(days=WARN_DAYS[0]))
    return [Expiry("client-certificate", f"client {client} ({kind})", ends) for client, kind, ends in found]


def advice(expiry: Expiry) -> str:
    """Say what to do about one that ends."""
    match expiry.kind:
        case "key":
            return f"run `lgsp keys rotate {expiry.name.rpartition('-')[0]}`"
        case "revocation-list":
            return f"fetch the issuer's newest list to {expiry.path}, then run `lgsp reload`"
        case "client-certificate":
            client = expiry.name.split(" ")[1]
            option = "--signing-certificate" if "(signature)" in expiry.name else "--certificate"
            return f"ask for a new one, then `lgsp clients register {client} {option} FILE`"
    if expiry.named:
        return f"ask the source whether it has renewed it, and put the new one into {expiry.path}"
    if expiry.path is None:
        return (
            "put the renewed certificate on the token, with the id of its key, in place of the old one; `lgsp reload`"
        )
    if expiry.paired:
        return f"put the renewed certificate and its key in the place of {expiry.path}, then run `lgsp reload`"
    return f"put the renewed certificate into {expiry.path}, beside the old one, then run `lgsp reload`"


def earliest(expiries: Iterable[Expiry]) -> Expiry | None:
    """Return the one that ends first."""
    return min(expiries, key=lambda expiry: expiry.ends, default=None)
