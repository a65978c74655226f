"""`lgsp storage backup / restore`: a backup is one SQLite file, whatever database it was taken from.

It can be restored into either kind of database. The vault (wrapped keys) is no part of it: what was destroyed there
stays destroyed after a restore.
"""

import asyncio
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete

from storage.engine import Storage, directory_of, lock_state
from storage.errors import SchemaUnknown, StorageUnavailable
from storage.files import draft_of, named
from storage.metadata import METADATA, STATE
from storage.schema import open_storage, raise_to_current, state, upgrade
from storage.sqlite import SqliteStorage, plain
from storage.transfer import Copied, Root, transfer

PAGES_AT_ONCE = 1024
_WORKPLACE = ".lgsp-restore-"


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


@asynccontextmanager
async def drafted(file: Path, url: str) -> AsyncIterator[Storage]:
    """Open a copy of a backup, brought to this release's schema: a database by itself, which is gone after the block.

    It lies beside the SQLite database of `url`, else with temporary files; what killed restores left there is removed.
    Raises FileNotFoundError, `SchemaUnknown` for what is no backup, `StorageUnavailable`, OSError.
    """
    if not await asyncio.to_thread(file.exists):
        raise FileNotFoundError(f"{file}: no such backup")
    with _workplace(directory_of(url) or Path(tempfile.gettempdir())) as folder:
        copy = f"sqlite:///{folder / 'backup'}"
        await asyncio.to_thread(_snapshot, file, folder / "backup")
        draft = await open_storage(copy, check=False)
        try:
            if (await draft.read(state)).version == 0:
                raise SchemaUnknown(_no_backup(file, "it holds no tables of the gateway"))
            await upgrade(copy)
            yield draft
        finally:
            await draft.close()


async def put_back(draft: Storage, url: str, *, root: Root, last_look: Callable[[Connection], None]) -> Copied:
    """Replace the contents of the database by those of a draft, in one transaction: others see the one or the other.

    A schema that is missing or older is part of it: nobody finds a new database that is empty. `last_look` gets the
    present contents when nobody else can write any more, and raises what is to stop it.
    """
    target = await open_storage(url, check=False)
    try:
        async with draft.reading() as take, target.writing(checked=False) as put:
            await put(raise_to_current)
            await put(lock_state)
            await put(last_look)
            await put(_clear)
            return await transfer(take, put, root)
    finally:
        await target.close()


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


@contextmanager
def _workplace(where: Path) -> Iterator[Path]:
    """Make a directory that others may remove once this process is gone, and remove those of processes that are."""
    for left in where.glob(f"{_WORKPLACE}*"):
        with suppress(OSError), _held(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_WORKPLACE, dir=where))
    try:
        with _held(folder, fcntl.LOCK_EX):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _no_backup(path: Path, why: str) -> str:
    return f"{path} is no backup, {why}: name a file that `lgsp storage backup` wrote"


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
        if getattr(failure, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise SchemaUnknown(_no_backup(path, "it is not an SQLite database")) from failure
        raise StorageUnavailable(f"{path} cannot be copied to {draft.parent}: {failure}") from failure


def _finish(draft: Path) -> None:
    """Fold the journal into the file and make the whole durable."""
    with plain(draft) as target:
        target.execute("PRAGMA journal_mode=DELETE").fetchone()
    fd = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
