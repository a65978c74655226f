"""Where administration happens: a deployment's storage, keys and audit log, opened together for one command.

Heavy to import: commands import it inside their functions.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from commands.common import run
from config.logging import identifier_shaped
from config.settings import Settings, load
from schemas.ids import new_id
from security.administration import Change, ChangeRefused
from security.audit.assembly import open_log, open_sealer
from security.audit.batch import Write
from security.audit.canonical import JSON
from security.audit.entries import Evidence, Kind, Subject
from security.audit.log import AuditLog
from security.audit.reading import AuditReader
from security.client_store import load as load_client
from security.client_store import load_all
from security.clients import Client
from security.keys import KeyRing
from storage.engine import Storage
from sync.database import open_storage


@dataclass(frozen=True, slots=True)
class Desk:
    """An open deployment; `by` says in the audit trail who sits at it."""

    settings: Settings
    storage: Storage
    keys: KeyRing
    log: AuditLog
    by: str

    async def client(self, client_id: str) -> Client:
        """Return the client as it stands now; raises ChangeRefused where there is none."""
        found = await self.storage.read(lambda connection: load_client(connection, client_id))
        if found is None:
            raise ChangeRefused(f"there is no client {client_id}: `lgsp clients list` shows those there are")
        return found

    async def clients(self) -> dict[str, Client]:
        """Return every client by id."""
        return {client.client_id: client for client in await self.storage.read(load_all)}

    async def make(self, change: Change) -> None:
        """Write a change and its entry in one commit; one that changes nothing leaves no entry."""
        if change.differences:
            await self.log.record(change.evidence, writes=(change.write,))

    async def make_with(self, action: str, details: Mapping[str, JSON], write: Write) -> None:
        """Leave an entry of what is done here, and do it in the same commit."""
        await self.log.record(evidence("admin", action, self.by, details), writes=(write,))

    async def record(
        self, kind: Kind, action: str, details: Mapping[str, JSON], subjects: Sequence[Subject] = ()
    ) -> int:
        """Leave an entry of what is done here and whom it is about; return its index."""
        receipt = await self.log.record(replace(evidence(kind, action, self.by, details), subjects=subjects))
        return receipt.index

    def reader(self) -> AuditReader:
        """Return what reads the log and opens its entries, those in archives that are at hand included."""
        sealer = open_sealer(self.keys, self.settings.keys.vault)
        return AuditReader(self.storage, sealer, self.settings.audit.archives)


def evidence(kind: Kind, action: str, by: str, details: Mapping[str, JSON]) -> Evidence:
    """Return the evidence of one administrative act."""
    return Evidence(new_id(), kind, datetime.now(UTC), details={"action": action, "by": by, **details})


@asynccontextmanager
async def desk(config: Path | None) -> AsyncIterator[Desk]:
    """Open what the configuration names; raises as `commands.common.sentences` tells."""
    settings = load(config)
    storage = await open_storage(settings.storage.url, vault=settings.keys.vault)
    try:
        keys = KeyRing(settings.keys.directory)
        log = await open_log(storage, keys, settings.keys.origin, settings.keys.vault)
        try:
            yield Desk(settings, storage, keys, log, operator())
        finally:
            await log.close()
    finally:
        await storage.close()


def changed(config: Path | None, client_id: str, change: Callable[[Client, str], Change]) -> Change:
    """Change one client and record it; `change` gets the client as it stands and who asks."""

    async def work() -> Change:
        async with desk(config) as at:
            made = change(await at.client(client_id), at.by)
            await at.make(made)
            return made

    return run(work)


def operator() -> str:
    """Name who runs the command: the account, and the one behind sudo; a number where a name could be personal."""
    account = _named(os.getuid())
    behind = os.environ.get("SUDO_UID", "")
    return f"{account} (sudo: {_named(int(behind))})" if behind.isascii() and behind.isdigit() else account


def _named(uid: int) -> str:
    try:
        name = pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {uid}"
    return f"uid {uid}" if identifier_shaped(name) else name
