"""A finished log as tables of plain rows, and what somebody with the database could do to them."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from security.audit.entries import Evidence
from security.audit.findings import Findings
from security.audit.redaction import redact
from security.audit.verification import verify
from storage.schema import open_storage
from storage.sqlite import plain
from tests.test_audit.audit_world import World, a_signer, a_world, evidence

KEYS = {
    "audit_head": ("id",),
    "audit_entries": ("idx",),
    "audit_checkpoints": ("size",),
    "audit_tiles": ("level", "number"),
    "audit_openings": ("idx",),
    "audit_subjects": ("tag", "idx"),
    "audit_witnessed": ("size", "witness"),
}
SINGLE = 12
REDACTED = (3, 100)

Row = tuple[object, ...]


@dataclass(frozen=True)
class Table:
    """Columns and rows of one table, in the order of its key."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def place(self, column: str) -> int:
        return self.columns.index(column)

    def with_rows(self, rows: list[Row]) -> "Table":
        return replace(self, rows=tuple(rows))


Tables = Mapping[str, Table]


async def fill(world: World, bulk: int) -> None:
    """Entries with a checkpoint each, many with few checkpoints, one without an opening, redactions, a few more."""
    for number in range(SINGLE):
        await world.log.record(evidence(f"00109012{number:04}"))
    await asyncio.gather(*(world.log.record(evidence(f"00109013{n:04}", "001090999999")) for n in range(bulk)))
    start = evidence(data=None)
    await world.log.record(
        Evidence(id=start.id, kind="start", at=start.at, details={"release": "1", "nodes": {"a": 1}})
    )
    for index in REDACTED:
        if index < SINGLE + bulk:
            by = evidence(data=None)
            await redact(
                world.storage,
                world.log,
                world.sealer,
                index,
                reason='"unlawful"',
                evidence=Evidence(id=by.id, kind="redaction", at=by.at),
            )
    for number in range(10):
        await world.log.record(evidence(f"00109014{number:04}"))


def finished(folder: Path, bulk: int = 250) -> Path:
    """Make a closed log in `folder`, some of its checkpoints in a directory, and return its database file."""

    async def made() -> None:
        async with a_world(f"sqlite:///{folder}/gateway.db", folder / "vault") as world:
            await fill(world, bulk)

    asyncio.run(made())
    with plain(folder / "gateway.db") as connection:
        keep = "INSERT INTO audit_witnessed SELECT size, 'directory', note, NULL, 0 FROM audit_checkpoints"
        connection.execute(f"{keep} WHERE size IN (4, 9) OR size > 256 ORDER BY size LIMIT 5")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "gateway.db"


def read(connection: sqlite3.Connection) -> dict[str, Table]:
    """All rows of the audit tables."""
    tables = {}
    for name, key in KEYS.items():
        found = connection.execute(f"SELECT * FROM {name} ORDER BY {','.join(key)}")
        tables[name] = Table(tuple(each[0] for each in found.description), tuple(found.fetchall()))
    return tables


def write(connection: sqlite3.Connection, name: str, table: Table, *, freed: bool = False) -> None:
    """Put these rows in place of those of a table; `freed` from its constraints."""
    connection.execute("BEGIN")
    if freed:
        connection.execute(f"CREATE TABLE freed AS SELECT * FROM {name} WHERE 0")
        connection.execute(f"DROP TABLE {name}")
        connection.execute(f"ALTER TABLE freed RENAME TO {name}")
    else:
        connection.execute(f"DELETE FROM {name}")
    connection.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(table.columns))})", table.rows)
    connection.execute("COMMIT")


async def verified(url: str) -> Findings:
    """What plain verification finds: without the vault."""
    storage = await open_storage(url)
    try:
        return await verify(storage, [a_signer().verifier])
    finally:
        await storage.close()


def difference(before: Tables, after: Tables) -> dict[str, set[Row]]:
    """The rows of each table that stand on one side only, or more often there than on the other."""
    found = {}
    for name, table in before.items():
        old, new = sorted(table.rows, key=repr), sorted(after[name].rows, key=repr)
        if old != new:
            twice = {row for row in new if new.count(row) > 1} if len(new) != len(set(new)) else set()
            found[name] = (set(old) ^ set(new)) | twice
    return found
