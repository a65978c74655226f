"""`lgsp storage backup / restore`: a backup is one SQLite file, whatever database it was taken from.

It can be restored into either kind of database. The vault (wrapped keys) is no part of it: what was destroyed there
stays destroyed after a restore.
"""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete

from storage.engine import Storage
from storage.errors import RollbackRefused, StorageUnavailable
from storage.files import draft_of, named
from storage.metadata import METADATA, STATE
from storage.schema import open_storage, upgrade
from storage.sqlite import SqliteStorage, plain
from storage.transfer import Copied, Root, transfer

# Looks at a candidate and says why it must not replace the present contents; None lets it pass.
Admit = Callable[[Connection], str | None]

PAGES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: the file, its size in bytes, and the root of the log as read from it."""

    path: Path
    size: int
    root: bytes


async def backup(url: str, file: Path, root: Root) -> Backup:
    """Write a consistent copy of a running database.

    Raises FileExistsError rather than overwrite, `SchemaUnknown`, `StorageUnavailable`.
    """
    if await asyncio.to_thread(file.exists):
        raise FileExistsError(f"{file} exists; a backup never overwrites")
    storage = await open_storage(url)
    # Beside the target, so that it can be given its name in one step when it is complete.
    draft = draft_of(file)
    try:
        if isinstance(storage, SqliteStorage):
            await asyncio.to_thread(_snapshot, storage.path, draft)
        else:
            await _into_file(storage, draft, root)
        proven = await _root_of(draft, root)
        await asyncio.to_thread(_finish, draft)
        await asyncio.to_thread(named, draft, file)
    finally:
        await storage.close()
        for end in ("", "-wal", "-shm", ".lock"):
            draft.with_name(draft.name + end).unlink(missing_ok=True)
    return Backup(file, (await asyncio.to_thread(file.stat)).st_size, proven)


async def restore(file: Path, url: str, *, root: Root, admit: Admit, even_if_older: bool = False) -> Copied:
    """Replace the contents of the database by those of a backup, in one transaction: others see the one or the other.

    `admit` compares the backup with the newest checkpoint known elsewhere; what it says is raised as `RollbackRefused`
    unless `even_if_older`. A backup of an older release is brought to this one's schema on the way.
    """
    if not await asyncio.to_thread(file.exists):
        raise FileNotFoundError(f"{file}: no such backup")
    with tempfile.TemporaryDirectory(prefix="lgsp-restore-") as folder:
        draft = Path(folder) / "backup"
        await asyncio.to_thread(_snapshot, file, draft)
        await upgrade(f"sqlite:///{draft}")
        source = await open_storage(f"sqlite:///{draft}", check=False)
        try:
            refusal = await source.read(admit)
            if refusal is not None and not even_if_older:
                raise RollbackRefused(refusal)
            await upgrade(url)
            target = await open_storage(url)
            try:
                async with source.reading() as take, target.writing() as put:
                    await put(_clear)
                    return await transfer(take, put, root)
            finally:
                await target.close()
        finally:
            await source.close()


async def _into_file(storage: Storage, draft: Path, root: Root) -> None:
    await upgrade(f"sqlite:///{draft}")
    target = await open_storage(f"sqlite:///{draft}")
    try:
        async with storage.reading() as take, target.writing() as put:
            await transfer(take, put, root)
    finally:
        await target.close()


async def _root_of(draft: Path, root: Root) -> bytes:
    copied = await open_storage(f"sqlite:///{draft}")
    try:
        return await copied.read(root)
    finally:
        await copied.close()


def _clear(connection: Connection) -> None:
    for table in reversed(METADATA.sorted_tables):
        if table is not STATE:
            connection.execute(delete(table))


def _snapshot(path: Path, draft: Path) -> None:
    """Copy a SQLite database page by page with its own backup interface: consistent while others write."""
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with plain(path) as source, plain(draft) as target:
            source.backup(target, pages=PAGES_AT_ONCE)
            if target.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise StorageUnavailable(f"{path} is damaged")
    except sqlite3.Error as failure:
        raise StorageUnavailable(f"{path} cannot be copied: {failure}") from failure


def _finish(draft: Path) -> None:
    """Fold the journal into the file and make the whole durable."""
    with plain(draft) as target:
        target.execute("PRAGMA journal_mode=DELETE").fetchone()
    fd = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
