"""The version of the schema: what this release works with, how an older database gets there, what is refused.

A new database is created from the declarations as they stand; an older one goes through `STEPS` in order. Tables that
are declared but missing are created in both cases.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text, update

from storage.engine import Storage, connected
from storage.errors import SchemaLost, SchemaUnknown, StorageMoved
from storage.metadata import METADATA, STATE
from storage.sqlite import SqliteStorage

UPGRADE = "lgsp storage upgrade"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the schema: the version it leads to and the statements that lead there."""

    version: int
    title: str
    apply: Callable[[Connection], None]


def _create_tables(connection: Connection) -> None:
    METADATA.create_all(connection)


def _index_redactions(connection: Connection) -> None:
    # As it was declared when the step was written; a table that is missing is created later, with its indexes.
    if inspect(connection).has_table("audit_openings"):
        connection.execute(
            text(
                "CREATE INDEX IF NOT EXISTS ix_audit_openings_redacting ON audit_openings (idx)"
                " WHERE redacted_by IS NOT NULL AND sealed IS NOT NULL"
            )
        )


def _mark_provable_grants(connection: Connection) -> None:
    inspected = inspect(connection)
    if inspected.has_table("client_grants") and "provable" not in {
        column["name"] for column in inspected.get_columns("client_grants")
    }:
        connection.execute(text("ALTER TABLE client_grants ADD COLUMN provable BOOLEAN DEFAULT false NOT NULL"))


STEPS: tuple[Step, ...] = (
    Step(1, "first schema", _create_tables),
    Step(2, "index of unfinished redactions", _index_redactions),
    Step(3, "dossiers and their events", _create_tables),
    Step(4, "grants whose answers are provable field by field", _mark_provable_grants),
)
VERSION = STEPS[-1].version


@dataclass(frozen=True, slots=True)
class State:
    """What the database says about itself; `version` 0 means that it holds nothing of ours yet."""

    version: int
    moved_to: str | None
    missing: tuple[str, ...]
    # Of the missing ones those in whose place a view stands.
    views: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[str, ...]:
        """Titles of the steps that `upgrade` would take, or what it would make where nothing else is to be done.

        The first step gives an empty database what the others lead to.
        """
        if self.version == 0:
            return (STEPS[0].title,)
        steps = tuple(step.title for step in STEPS if step.version > self.version)
        return steps or tuple(f"table {name}" for name in self.missing)


def state(connection: Connection) -> State:
    """Read version, move mark and missing tables; raises `SchemaUnknown` where the version is no number."""
    inspected = inspect(connection)
    present = set(inspected.get_table_names())
    missing = tuple(sorted(set(METADATA.tables) - present))
    views = tuple(sorted({*missing} & {*inspected.get_view_names()}))
    row = connection.execute(select(STATE.c.version, STATE.c.moved_to)).first() if STATE.name in present else None
    if row is not None and type(row.version) is not int:
        raise SchemaUnknown(
            f"{STATE.name} says that the schema has the version {row.version!r}, which is no number: somebody changed "
            f"it. If the database is of this release, put {VERSION} there; else take a backup (`lgsp storage restore`)"
        )
    return State(row.version if row else 0, row.moved_to if row else None, missing, views)


def lost(shown: object, vault: Path | None) -> SchemaLost | None:
    """What to say of a database without schema where the vault holds keys of a log: it was there, and is gone.

    A fresh installation has no file in its vault; None for that.
    """
    if vault is None or not vault.is_dir() or not any(each.is_file() for each in vault.iterdir()):
        return None
    return SchemaLost(
        f"the database {shown} is empty or gone, but a log was kept with it ({vault} holds keys of its entries): put "
        f"it back from a backup (`lgsp storage restore FILE`), or set storage.url to where it is; `{UPGRADE}` would "
        "begin another log, and does so with --new-log only"
    )


def accept(found: State, loss: SchemaLost | None = None) -> None:
    """Raise `SchemaUnknown` or `StorageMoved` unless this release can work with what was found.

    `loss` is what there is to say where it is empty, if it must not be.
    """
    if found.version == 0 and loss is not None:
        raise loss
    if found.version > VERSION:
        raise SchemaUnknown(
            f"the database has schema {found.version}, this release knows {VERSION}: install the newer release"
        )
    if found.version < VERSION:
        raise SchemaUnknown(f"the database has schema {found.version}, needed is {VERSION}: run `{UPGRADE}`")
    if found.views:
        raise SchemaUnknown(
            f"in the database views stand in place of {', '.join(found.views)}: somebody changed it. Keep it as it is, "
            "and go on with a backup (`lgsp storage restore` into an empty database)"
        )
    if found.missing:
        raise SchemaUnknown(
            f"the database lacks {', '.join(found.missing)}: `{UPGRADE}` makes what a newer release needs, empty; "
            "what was there before comes back from a backup only (`lgsp storage restore`)"
        )
    if found.moved_to is not None:
        raise StorageMoved(f"this database was copied to {found.moved_to}; set storage.url to that")


def raise_to_current(connection: Connection) -> tuple[str, ...]:
    """Bring an empty or older database to `VERSION`; return the titles of the steps taken."""
    found = state(connection)
    if found.version > VERSION or found.views:
        accept(found)
    taken = found.pending
    if found.version == 0:
        _create_tables(connection)
        connection.execute(STATE.insert().values(id=1, version=VERSION, moved_to=None))
        return taken
    for step in STEPS:
        if step.version > found.version:
            step.apply(connection)
    _create_tables(connection)
    connection.execute(update(STATE).values(version=VERSION))
    return taken


async def open_storage(url: str, *, check: bool = True, vault: Path | None = None) -> Storage:
    """Open the database; with `check`, only if this release knows its schema and it was not moved away.

    With the deployment's `vault` an empty one is told from one that was lost. Raises `SchemaUnknown` (naming the
    command that helps), `StorageMoved`, `StorageUnavailable`.
    """
    storage = connected(url)
    try:
        if check:
            if isinstance(storage, SqliteStorage) and not storage.path.exists():
                raise lost(storage.shown_url, vault) or SchemaUnknown(
                    f"there is no database at {storage.path}: run `{UPGRADE}`"
                )
            found = await storage.read(state)
            accept(found, lost(storage.shown_url, vault) if found.version == 0 else None)
    except BaseException:
        await storage.close()
        raise
    return storage


async def upgrade(url: str, *, vault: Path | None = None) -> tuple[str, ...]:
    """Create or migrate the database under the write lock; return the titles of the steps taken.

    With the deployment's `vault` nothing is created where a log was lost: raises `SchemaLost`.
    """
    storage = await open_storage(url, check=False)
    try:
        loss = lost(storage.shown_url, vault)
        if loss is not None:
            gone = isinstance(storage, SqliteStorage) and not storage.path.exists()
            if gone or (await storage.read(state)).version == 0:
                raise loss
        async with storage.writing(checked=False) as run:
            return await run(raise_to_current)
    finally:
        await storage.close()
