"""Copy, backup and restore forget no table and no column, whichever release added it: one generic row for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Connection, Float, Integer, LargeBinary, Table, insert, select

import sync.database as declared
from security.audit.continuity import root
from storage.backup import backup
from storage.commands import copy
from storage.metadata import METADATA, STATE
from storage.schema import open_storage, upgrade
from tests.restoring import restore

ROWS = 3
Contents = dict[str, list[tuple[Any, ...]]]


def tables() -> list[Table]:
    return [METADATA.tables[name] for name in sorted(METADATA.tables) if name != STATE.name]


def value(column: Column[Any], number: int) -> Any:
    """A value that names its row; the same in every column of a type, so that references hold."""
    if isinstance(column.type, Boolean):
        return bool(number % 2)
    if isinstance(column.type, Integer):
        return number
    if isinstance(column.type, Float):
        return number + 0.5
    if isinstance(column.type, LargeBinary):
        return b"\x00\xff%d" % number
    return f"v{number}"


def fill(connection: Connection) -> None:
    for table in METADATA.sorted_tables:
        if table is not STATE:
            rows = [{column.name: value(column, number) for column in table.columns} for number in range(ROWS)]
            connection.execute(insert(table), rows)


def contents(connection: Connection) -> Contents:
    return {
        table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
        for table in tables()
    }


async def contents_of(url: str) -> Contents:
    storage = await open_storage(url)
    try:
        return await storage.read(contents)
    finally:
        await storage.close()


async def filled(url: str) -> Contents:
    await upgrade(url)
    storage = await open_storage(url)
    try:
        await storage.write(fill)
        return await storage.read(contents)
    finally:
        await storage.close()


def test_every_table_of_a_deployment_is_looked_at() -> None:
    assert declared.__all__
    wanted = "archived entries head checkpoints tiles openings subjects runs witnessed witnesses materials"
    assert {f"audit_{name}" for name in wanted.split()} <= METADATA.tables.keys()
    assert len(tables()) > 30


@pytest.mark.parametrize("way", ["sqlite-postgresql", "postgresql-sqlite"])
async def test_a_copy_is_the_same_in_every_column(sqlite_url: str, postgres_url: str, way: str) -> None:
    source, target = (sqlite_url, postgres_url) if way.startswith("sqlite") else (postgres_url, sqlite_url)
    before = await filled(source)
    assert all(len(rows) == ROWS for rows in before.values())
    copied = await copy(source, target, root)
    assert copied.rows == dict.fromkeys(before, ROWS)
    assert copied.root[:8] == ROWS.to_bytes(8, "big")
    assert await contents_of(target) == before


@pytest.mark.parametrize("way", ["sqlite-postgresql", "postgresql-sqlite"])
async def test_a_backup_brings_every_column_back(sqlite_url: str, postgres_url: str, tmp_path: Path, way: str) -> None:
    source, target = (sqlite_url, postgres_url) if way.startswith("sqlite") else (postgres_url, sqlite_url)
    before = await filled(source)
    made = await backup(source, tmp_path / "backup", root)
    back = await restore(tmp_path / "backup", target, root=root, admit=lambda _: None)
    assert (back.root, back.rows) == (made.root, dict.fromkeys(before, ROWS))
    assert await contents_of(target) == before
