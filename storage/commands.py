"""`lgsp storage status / copy` as functions; the command line only prints what they return.

`upgrade` stands in `storage.schema`, `backup` and `restore` in `storage.backup`.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text, update

from storage.engine import parsed
from storage.errors import NotEmpty, StorageError, StorageUnavailable
from storage.metadata import STATE
from storage.schema import UPGRADE, State, accept, lost, open_storage, state, upgrade
from storage.sqlite import SqliteStorage
from storage.transfer import Copied, Root, transfer


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a database: `refusal` is what `serve` would say, None when it would start; `size` in bytes."""

    url: str
    reachable: bool
    state: State | None
    refusal: str | None
    size: int | None


async def status(url: str, *, vault: Path | None = None) -> Status:
    """Look at a database without changing it; one that cannot be reached is a finding, not an error.

    With the deployment's `vault` an empty one is told from one that was lost.
    """
    shown = parsed(url).render_as_string(hide_password=True)
    storage = await open_storage(url, check=False)
    try:
        if isinstance(storage, SqliteStorage) and not storage.path.exists():
            refusal = str(lost(shown, vault) or f"there is no database at {storage.path}: run `{UPGRADE}`")
            return Status(shown, False, None, refusal, None)
        found = await storage.read(state)
        size = await storage.read(_size)
    except StorageUnavailable as failure:
        return Status(shown, False, None, str(failure), None)
    finally:
        await storage.close()
    try:
        accept(found, lost(shown, vault) if found.version == 0 else None)
    except StorageError as refusal:
        return Status(shown, True, found, str(refusal), size)
    return Status(shown, True, found, None, size)


async def copy(source_url: str, target_url: str, root: Root) -> Copied:
    """Move everything into an empty database, prove equal counts and roots, then retire the source.

    Nobody can write to the source meanwhile; afterwards it refuses to start, naming the target. Raises `NotEmpty`,
    `CopyDiffers`, `SchemaUnknown`, `StorageMoved`, `StorageUnavailable`; the source then stays as it was.
    """
    if parsed(source_url) == parsed(target_url):
        raise NotEmpty("source and target are the same database")
    source = await open_storage(source_url)
    try:
        await upgrade(target_url)
        target = await open_storage(target_url)
        try:
            async with source.writing() as take:
                async with target.writing() as put:
                    copied = await transfer(take, put, root)
                retired = update(STATE).values(moved_to=target.shown_url)
                await take(lambda connection: connection.execute(retired))
        finally:
            await target.close()
    finally:
        await source.close()
    return copied


def _size(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    else:
        query = "SELECT pg_database_size(current_database())"
    return int(connection.execute(text(query)).scalar_one())
