"""What `lgsp storage` does with a whole database, each act recorded in the log that it is about.

Heavy to import: commands import it inside their functions.
"""

from __future__ import annotations

import time
from pathlib import Path

from commands.desk import desk
from config.settings import load
from security.audit.canonical import JSON
from security.audit.continuity import root
from security.keys import KeyRing
from security.machine_signatures import SIGNATURES, used_on_this_machine
from security.used_signatures import carry_over
from storage import backup as backups
from storage import commands
from storage.backup import Backup
from storage.commands import Status
from storage.schema import VERSION
from storage.transfer import Copied
from sync.database import open_storage, upgrade


async def look(config: Path | None) -> Status:
    """Look at the configured database without changing it."""
    settings = load(config)
    return await commands.status(settings.storage.url, vault=settings.keys.vault)


async def upgraded(config: Path | None, *, new_log: bool = False) -> tuple[str, ...]:
    """Bring the configured database to the schema of this release; return the titles of the steps taken.

    What was there already gets an entry about it; in a new database there is nothing yet that it could be about. Where
    a log was lost one is made with `new_log` only; raises `SchemaLost`.
    """
    settings = load(config)
    found = (await commands.status(settings.storage.url)).state
    if found is None or found.version == 0:
        return await upgrade(settings.storage.url, vault=None if new_log else settings.keys.vault)
    # What could not be recorded afterwards is not begun.
    KeyRing(settings.keys.directory)
    taken = await upgrade(settings.storage.url)
    if taken or found.missing:
        said: dict[str, JSON] = {
            "before": found.version,
            "after": VERSION,
            "steps": [*taken],
            "tables": [*found.missing],
        }
        async with desk(config) as at:
            await at.record("admin", "storage-upgrade", said)
    return taken


async def copied_to(config: Path | None, target: str) -> Copied:
    """Move the configured database to `target`, which is empty; the target's log says so first of all.

    Raises what `storage.commands.copy` raises.
    """
    async with desk(config) as at:
        await at.record("admin", "storage-copy", {})
    settings = load(config)
    copied = await commands.copy(settings.storage.url, target, root)
    # Nothing that was answered here may be answered there once more.
    used = used_on_this_machine(settings.keys.vault.parent / SIGNATURES, time.time())
    storage = await open_storage(target)
    try:
        await carry_over(storage, used)
    finally:
        await storage.close()
    return copied


async def backed_up(config: Path | None, file: Path) -> Backup:
    """Write a backup whose last entry is the one about it."""
    async with desk(config) as at:
        await at.record("admin", "storage-backup", {})
    return await backups.backup(load(config).storage.url, file, root)
