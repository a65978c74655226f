"""Rows of several tables in one statement, on each kind of database."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from storage.engine import Storage
from storage.together import Rows
from sync.database import open_storage, upgrade
from sync.tables import DESTINATIONS, IDEMPOTENCY

NAMES = tuple(column.name for column in IDEMPOTENCY.columns)
OTHERS = ("name", "failures", "due_at")


def a_key(tag: bytes, reason: str | None = None) -> tuple[object, ...]:
    return (tag, "province", b"body", 1 << 40, "event", 202, "accepted", reason, 1, 2)


@pytest.fixture
async def storage(storage_url: str) -> AsyncIterator[Storage]:
    await upgrade(storage_url)
    storage = await open_storage(storage_url)
    yield storage
    await storage.close()


async def put(storage: Storage, keys: list[tuple[object, ...]], others: list[tuple[object, ...]]) -> None:
    def write(connection: Connection) -> None:
        rows = Rows(connection)
        rows.insert(IDEMPOTENCY, NAMES, keys)
        rows.upsert(DESTINATIONS, OTHERS, others)
        rows.write()
        # Nothing is left to be written twice.
        rows.write()

    await storage.write(write)


async def test_rows_of_several_tables_are_written_with_their_values(storage: Storage) -> None:
    await put(storage, [a_key(b"\0\xff"), a_key(b"two", "gap")], [("portal", 0, None), ("other", 7, 1 << 40)])
    keys = await storage.read(lambda connection: connection.execute(select(IDEMPOTENCY)).all())
    others = await storage.read(
        lambda connection: connection.execute(select(*(DESTINATIONS.c[name] for name in OTHERS))).all()
    )
    assert sorted(map(tuple, keys)) == [a_key(b"\0\xff"), a_key(b"two", "gap")]
    assert sorted(map(tuple, others)) == [("other", 7, 1 << 40), ("portal", 0, None)]


async def test_what_stands_already_is_overwritten_where_that_was_asked_for(storage: Storage) -> None:
    await put(storage, [], [("portal", 1, 5)])
    await put(storage, [a_key(b"one")], [("portal", 2, None)])
    others = await storage.read(
        lambda connection: connection.execute(select(*(DESTINATIONS.c[name] for name in OTHERS))).all()
    )
    assert list(map(tuple, others)) == [("portal", 2, None)]


async def test_a_row_that_stands_already_stops_all_of_them(storage: Storage) -> None:
    await put(storage, [a_key(b"one")], [])
    with pytest.raises(IntegrityError):
        await put(storage, [a_key(b"one"), a_key(b"two")], [("portal", 2, None)])
    found = await storage.read(lambda connection: connection.execute(select(DESTINATIONS)).all())
    assert not found


async def test_a_table_waits_once(storage: Storage) -> None:
    def write(connection: Connection) -> None:
        rows = Rows(connection)
        rows.insert(IDEMPOTENCY, NAMES, [a_key(b"one")])
        rows.insert(IDEMPOTENCY, NAMES, [a_key(b"two")])

    with pytest.raises(ValueError, match="rows of it wait already"):
        await storage.write(write)
