"""What a demo needs before a gateway can start: keys, storage, configuration and registered clients.

Everything is kept in the state directory and made once; started again, the demo goes on where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from adapters import DATABASES
from config.settings import Settings
from sandbox.pki import Pki
from schemas.exchange import Grant
from schemas.purposes import PURPOSES
from security import administration
from security.audit.assembly import open_log
from security.audit.log import AuditLog
from security.credentials import certificate_credential, xroad_credential
from security.keys import KeyRing
from security.policy import field_paths
from security.registry import ClientRegistry
from sync.database import open_storage, upgrade

_BY: Final = "lgsp demo"
XROAD_INSTANCE: Final = "LGSP-SANDBOX"
"""Of the identifiers by which the demo's X-Road security server names who asks."""


@dataclass(frozen=True, slots=True)
class DemoClient:
    """A client of the demo: what it may do and what its papers say; `xroad` is its X-Road identifier."""

    client_id: str
    name: str
    agency: str
    grants: tuple[Grant, ...]
    rights: frozenset[str] = frozenset()
    xroad: str | None = None


def _all_grants() -> tuple[Grant, ...]:
    return tuple(
        Grant(
            database.name,
            operation.name,
            frozenset(PURPOSES),
            field_paths(DATABASES, database.name, operation.name, ("*",)),
            rate=1000.0,
            burst=2000,
        )
        for database in DATABASES
        for operation in database.operations
    )


def demo_clients() -> tuple[DemoClient, ...]:
    """Return the four clients that the contract promises."""
    limited = Grant(
        "population",
        "person",
        frozenset({"identity-verification"}),
        frozenset({"full_name", "birth_date"}),
        dossier_required=True,
        officer_required=True,
        rate=5.0,
        burst=9,
        deadline_ms=10_000,
    )
    everything = _all_grants()
    return (
        DemoClient("ministry", "Bộ Tư pháp (LGSP SANDBOX)", "G15", everything),
        DemoClient(
            "province",
            "UBND thành phố Hà Nội (LGSP SANDBOX)",
            "H26",
            everything,
            frozenset({"dossiers"}),
            f"{XROAD_INSTANCE}/GOV/H26/DVC",
        ),
        DemoClient("auditor", "Thanh tra (LGSP SANDBOX)", "G20", (), frozenset({"audit", "audit-values"})),
        DemoClient(
            "limited", "Sở Nội vụ (LGSP SANDBOX)", "H26.12", (limited,), xroad=f"{XROAD_INSTANCE}/GOV/H26.12/SNV"
        ),
    )


async def deploy(settings: Settings, state: Path, pki: Pki) -> dict[str, dict[str, str]]:
    """Make what is missing; return each client's id, secret, certificate and key path, as `demo.json` shows them."""
    KeyRing.create(settings.keys.directory, sandbox=True)
    await upgrade(settings.storage.url)
    secrets = _Secrets(state / "clients.json")
    storage = await open_storage(settings.storage.url)
    try:
        keys = KeyRing(settings.keys.directory)
        log = await open_log(storage, keys, settings.keys.origin, settings.keys.vault)
        try:
            registry = ClientRegistry(storage)
            await registry.refresh()
            await _register(demo_clients(), registry, log, secrets, pki)
        finally:
            await log.close()
    finally:
        await storage.close()
    shown: dict[str, dict[str, str]] = {}
    for client in demo_clients():
        pair = pki.client(client.client_id)
        shown[client.client_id] = {
            "client_id": client.client_id,
            "client_secret": secrets.get(client.client_id) or "",
            "certificate": str(pair.certificate),
            "key": str(pair.key),
        }
    return shown


async def _register(
    wanted: Iterable[DemoClient], registry: ClientRegistry, log: AuditLog, secrets: _Secrets, pki: Pki
) -> None:
    """Add each client that is missing, its grants with it; what an operator changed since is left alone."""
    now = datetime.now(UTC)
    for demo in wanted:
        if registry.get(demo.client_id) is not None:
            continue
        certificate = x509.load_pem_x509_certificate(pki.client(demo.client_id).certificate.read_bytes())
        bare = administration.add(
            demo.client_id,
            name=demo.name,
            agency=demo.agency,
            rights=demo.rights,
            credentials=(
                *(certificate_credential(certificate, now, signs=signs) for signs in (False, True)),
                *(xroad_credential(name, now) for name in (demo.xroad,) if name is not None),
            ),
            by=_BY,
        )
        # Client and grants in one entry of the log, so that no demo is ever left with half of them.
        whole = replace(bare.client, grants=demo.grants)
        change = administration.update(None, whole, by=_BY, at=now, secret=bare.secret)
        secrets.put(demo.client_id, change.secret or "")
        await log.record(change.evidence, writes=(change.write,))


class _Secrets:
    """The demo clients' secrets, kept so that `demo.json` can show them again after a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def get(self, client_id: str) -> str | None:
        return self._held.get(client_id)

    def put(self, client_id: str, secret: str) -> None:
        self._held[client_id] = secret
        fresh = self._path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._held, file)
        fresh.replace(self._path)
