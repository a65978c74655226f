"""`lgsp storage restore`: a backup takes the place of the database once all is known that could speak against it.

Until then it is a draft beside the database, which gets the entry about the restore too. Whatever fails or is killed
leaves the database as it was, or restored with that entry.

Heavy to import: commands import it inside their functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from commands.against import known_to_witnesses
from commands.desk import evidence, operator
from config.settings import Settings, load
from routes.instances import present as gateways
from security.administration import ChangeRefused
from security.audit.assembly import log_verifiers, open_log
from security.audit.batch import current_checkpoint
from security.audit.canonical import JSON
from security.audit.checkpoint import Checkpoint, CheckpointRejected, VerifierKey, opened
from security.audit.continuity import containing, root
from security.audit.stored_twice import is_damage
from security.audit.tables import CHECKPOINTS
from security.keys import KeyRing
from storage.backup import drafted, put_back
from storage.engine import Storage
from storage.errors import RollbackRefused, StorageUnavailable
from storage.schema import state
from storage.sqlite import SqliteStorage
from storage.transfer import Copied
from sync.database import open_storage

_Keys = Sequence[VerifierKey]
_Known = Mapping[str, Sequence[Checkpoint]]

_ALL_THE_SAME = (
    "nothing was changed; who wants it all the same takes away what speaks against it: names an empty database in "
    "storage.url, leaves out that --checkpoint, configures no such witness"
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back with the entry that says so, the backup's own root, and the number of that entry."""

    copied: Copied
    root: bytes
    entry: int


async def restored(config: Path | None, file: Path, files: list[Path], *, even_if_older: bool) -> Restored:
    """Put a backup of this log back unless it lacks what is known to have been committed.

    Known are the checkpoints in `files`, those of witnesses, that of the present database if there. `even_if_older`
    accepts that the backup ends before them or is damaged, never another log. Raises ChangeRefused, `RollbackRefused`,
    and what `storage.backup.drafted` and `put_back` raise; the database is then as it was.
    """
    settings = load(config)
    if running := [str(pid) for pid in gateways(settings)]:
        raise ChangeRefused(
            f"a gateway runs on this database (process {', '.join(running)}) and would go on with what it remembers: "
            "stop every gateway, restore, then start them again"
        )
    keys = KeyRing(settings.keys.directory)
    verifiers = log_verifiers(keys, settings.keys.origin)
    known = {str(path): [_read(path, verifiers, settings.keys.origin)] for path in files}
    async with drafted(file, settings.storage.url) as draft:
        own = await _own(draft, file, verifiers, settings)
        note = await _present(settings)
        if note is not None:
            known["the present database"] = [_of_this_log(note, verifiers)]
        known["the witnesses"] = await known_to_witnesses(settings, verifiers, silent=even_if_older)
        largest = max((each.size for held in known.values() for each in held), default=None)
        if largest is None and not even_if_older:
            raise ChangeRefused(
                "nothing is known that the backup could be compared with: give the newest checkpoint of any receipt "
                "with --checkpoint FILE, or say --even-if-older"
            )
        lacking = await draft.read(lambda connection: _lacking(connection, own, known, verifiers))
        if lacking is not None and not even_if_older:
            raise RollbackRefused(f"{file}: {lacking}. --even-if-older takes it as it is")
        before = await draft.read(root)
        entry = await _recorded(
            draft, keys, settings, {"root": before.hex(), "known_size": largest, "even_if_older": even_if_older}
        )

        def last_look(connection: Connection) -> None:
            if current_checkpoint(connection) != note:
                raise ChangeRefused("somebody wrote into the database meanwhile: stop every gateway and run this again")

        try:
            copied = await put_back(draft, settings.storage.url, root=root, last_look=last_look)
        except StorageUnavailable as failure:
            raise _damaged(settings, failure) or failure from failure
    return Restored(copied, before, entry)


async def _recorded(draft: Storage, keys: KeyRing, settings: Settings, said: Mapping[str, JSON]) -> int:
    """Leave the entry about the restore in the draft; return its number."""
    log = await open_log(draft, keys, settings.keys.origin, settings.keys.vault)
    try:
        return (await log.record(evidence("admin", "storage-restore", operator(), said))).index
    finally:
        await log.close()


def _read(path: Path, verifiers: _Keys, origin: str) -> Checkpoint:
    try:
        return opened(path.read_text(encoding="utf-8"), verifiers)
    except (OSError, CheckpointRejected, UnicodeDecodeError) as failure:
        raise ChangeRefused(f"{path}: {failure}: it must hold a checkpoint of {origin}, as receipts do") from failure


async def _own(draft: Storage, file: Path, verifiers: _Keys, settings: Settings) -> Checkpoint:
    """Return the newest checkpoint of the backup, which some key of this log signed."""
    note = await draft.read(current_checkpoint)
    if note is None:
        raise ChangeRefused(f"{file} holds no entry of a log: name a file that `lgsp storage backup` wrote")
    try:
        return opened(note, verifiers)
    except CheckpointRejected as failure:
        raise ChangeRefused(
            f"{file} is a backup of another log ({failure} {settings.keys.origin} in {settings.keys.directory}): take "
            "one of this log. To restore that other log, set keys.directory, keys.vault and keys.origin to what it was "
            "kept with, and storage.url to an empty database"
        ) from failure


async def _present(settings: Settings) -> str | None:
    """Return the newest checkpoint of the database that would be replaced; None for an empty or lost one."""
    storage = await open_storage(settings.storage.url, check=False)
    try:
        if isinstance(storage, SqliteStorage) and not storage.path.exists():
            return None
        if CHECKPOINTS.name in (await storage.read(state)).missing:
            return None
        return await storage.read(current_checkpoint)
    except StorageUnavailable as failure:
        raise _damaged(settings, failure) or failure from failure
    finally:
        await storage.close()


def _of_this_log(note: str, verifiers: _Keys) -> Checkpoint:
    try:
        return opened(note, verifiers)
    except CheckpointRejected as failure:
        raise ChangeRefused(
            f"the present database holds a log of other keys ({failure}): set storage.url to an empty database"
        ) from failure


def _damaged(settings: Settings, failure: StorageUnavailable) -> ChangeRefused | None:
    """Say what to do about a database file that nothing can be put into; None for other trouble."""
    if not is_damage(failure):
        return None
    return ChangeRefused(
        f"the present database cannot be read ({failure}): keep its file elsewhere, together with those beside it that "
        "end in -wal and -shm, then run this again"
    )


def _lacking(connection: Connection, own: Checkpoint, known: _Known, verifiers: _Keys) -> str | None:
    """Say what of this log the backup lacks, None where everything known is there; another log is ChangeRefused."""
    every = [each for held in known.values() for each in held]
    reached = {who: [each for each in held if each.size <= own.size] for who, held in known.items()}
    wrong = containing([own, *(each for held in reached.values() for each in held)])(connection)
    if wrong is None:
        newest = max((each.size for each in every), default=0)
        return f"it ends at entry {own.size}, but {newest} entries are known to exist" if newest > own.size else None
    damaged = containing([own])(connection)
    for who, held in reached.items():
        # What does not even follow its own checkpoint is compared by those that it holds.
        differs = containing(held)(connection) if damaged is None else _contradicted(connection, held, verifiers)
        if differs is not None:
            raise ChangeRefused(
                f"the backup is of another log, or of one that went on otherwise: {differs} ({who}); {_ALL_THE_SAME}"
            )
    return f"it is damaged or was changed: {damaged} that ends it"


def _contradicted(connection: Connection, known: Sequence[Checkpoint], verifiers: _Keys) -> str | None:
    for each in known:
        note = connection.execute(select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.size == each.size)).scalar()
        try:
            if note is not None and opened(note, verifiers).root != each.root:
                return f"its checkpoint of {each.size} entries is not the known one"
        except CheckpointRejected:
            continue
    return None
