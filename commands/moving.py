"""What `lgsp storage` does with a whole database, each act recorded in the log that it is about.

Heavy to import: commands import it inside their functions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from commands.against import known_to_witnesses
from commands.desk import desk
from config.settings import Settings, load
from security.administration import ChangeRefused
from security.audit.assembly import log_verifiers
from security.audit.batch import current_checkpoint
from security.audit.canonical import JSON
from security.audit.checkpoint import Checkpoint, CheckpointRejected, opened
from security.audit.continuity import containing, root
from security.keys import KeyRing
from security.machine_signatures import SIGNATURES, used_on_this_machine
from security.used_signatures import carry_over
from storage import backup as backups
from storage import commands
from storage.backup import Backup
from storage.commands import Status
from storage.errors import StorageError
from storage.schema import VERSION
from storage.transfer import Copied
from sync.database import open_storage, upgrade


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and the number of the log entry that says so."""

    copied: Copied
    entry: int


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


async def restored(config: Path | None, file: Path, known: list[Path], *, even_if_older: bool) -> Restored:
    """Put a backup back unless it lacks what is known to have been committed.

    Known are the checkpoints in the files `known`, those of witnesses, that of the present database if there. Raises
    ChangeRefused for a file that holds none of this log, `RollbackRefused`, and what `storage.backup.restore` raises.
    """
    settings = load(config)
    keys = KeyRing(settings.keys.directory)
    checkpoints = [_read(path, keys, settings.keys.origin) for path in known]
    checkpoints += await known_to_witnesses(settings, log_verifiers(keys, settings.keys.origin), silent=even_if_older)
    present = await _present(settings, keys)
    if present is not None:
        checkpoints.append(present)
    if not checkpoints and not even_if_older:
        raise ChangeRefused(
            "nothing is known that the backup could be compared with: give the newest checkpoint of any receipt with "
            "--checkpoint FILE, or say --even-if-older"
        )
    copied = await backups.restore(
        file, settings.storage.url, root=root, admit=containing(checkpoints), even_if_older=even_if_older
    )
    async with desk(config) as at:
        entry = await at.record(
            "admin",
            "storage-restore",
            {
                "root": copied.root.hex(),
                "known_size": max((checkpoint.size for checkpoint in checkpoints), default=None),
                "even_if_older": even_if_older,
            },
        )
    return Restored(copied, entry)


def _read(path: Path, keys: KeyRing, origin: str) -> Checkpoint:
    try:
        return opened(path.read_text(encoding="utf-8"), log_verifiers(keys, origin))
    except (OSError, CheckpointRejected, UnicodeDecodeError) as failure:
        raise ChangeRefused(f"{path}: {failure}: it must hold a checkpoint of {origin}, as receipts do") from failure


async def _present(settings: Settings, keys: KeyRing) -> Checkpoint | None:
    """Return the newest checkpoint of the database that would be replaced; None for an empty or lost one."""
    try:
        storage = await open_storage(settings.storage.url)
        try:
            note = await storage.read(current_checkpoint)
        finally:
            await storage.close()
    except StorageError:
        return None
    try:
        return None if note is None else opened(note, log_verifiers(keys, settings.keys.origin))
    except CheckpointRejected as failure:
        raise ChangeRefused(
            f"the present database holds a log of other keys ({failure}): set storage.url to an empty database"
        ) from failure
