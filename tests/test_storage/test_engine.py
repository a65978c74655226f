"""Transactions on both databases: snapshots, one writer at a time, nothing left of what failed."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, func, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError

from storage.bulk import insert_rows
from storage.engine import Storage, parsed
from storage.errors import StorageMoved, StorageUnavailable
from storage.metadata import STATE
from storage.schema import open_storage, upgrade
from storage.sqlite import plain

THINGS = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text))


@pytest.fixture
async def storage(storage_url: str) -> AsyncIterator[Storage]:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    await opened.write(THINGS.create)
    yield opened
    await opened.close()


def add(number: int):  # type: ignore[no-untyped-def]
    return lambda connection: connection.execute(insert(THINGS).values(id=number, name=str(number)))


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(THINGS)).scalar_one()


async def test_what_was_written_is_read(storage: Storage) -> None:
    await storage.write(add(1))
    assert await storage.read(count) == 1


async def test_failed_work_leaves_nothing_and_the_next_goes_on(storage: Storage) -> None:
    def half(connection: Connection) -> None:
        add(1)(connection)
        raise LookupError("on purpose")

    with pytest.raises(LookupError):
        await storage.write(half)
    with pytest.raises(LookupError):
        async with storage.writing() as run:
            await run(half)
    await storage.write(add(2))
    with pytest.raises(IntegrityError):
        await storage.write(add(2))
    assert await storage.read(count) == 1


async def test_read_cannot_write(storage: Storage) -> None:
    with suppress(StorageUnavailable):
        await storage.read(add(1))
    assert await storage.read(count) == 0


async def test_reading_is_one_snapshot(storage: Storage) -> None:
    async with storage.reading() as run:
        before = await run(count)
        await storage.write(add(1))
        assert await run(count) == before == 0
    assert await storage.read(count) == 1


async def test_one_writer_at_a_time_over_all_handles(storage: Storage, storage_url: str) -> None:
    other = await open_storage(storage_url)

    def increase(connection: Connection) -> None:
        # Read, then write: loses updates unless writers exclude each other.
        number = count(connection)
        add(number + 1)(connection)

    await asyncio.gather(*(each.write(increase) for each in [storage, other] * 25))
    assert await storage.read(count) == 50
    async with storage.writing() as run:
        waiting = asyncio.create_task(other.write(increase))
        await run(increase)
        assert not waiting.done()
    await waiting
    assert await storage.read(count) == 52
    await other.close()


async def test_preparation_runs_before_and_its_failure_stops_the_write(storage: Storage) -> None:
    order: list[str] = []
    await storage.write(lambda _: order.append("work"), prepare=lambda: order.append("prepare"))
    assert order == ["prepare", "work"]

    def full() -> None:
        raise OSError("no space")

    with pytest.raises(StorageUnavailable, match="no space"):
        await storage.write(add(1), prepare=full)
    assert await storage.read(count) == 0


async def test_cancelled_step_releases_the_lock(storage: Storage) -> None:
    holding = asyncio.Event()

    async def hold() -> None:
        async with storage.writing() as run:
            await run(add(1))
            holding.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await holding.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await storage.write(add(2))
    assert await storage.read(count) == 1


async def test_moved_database_is_not_written_any_more(storage: Storage, storage_url: str) -> None:
    await storage.write(lambda connection: connection.execute(update(STATE).values(moved_to="elsewhere")))
    with pytest.raises(StorageMoved, match="elsewhere"):
        await storage.write(add(1))
    with pytest.raises(StorageMoved, match="elsewhere"):
        await open_storage(storage_url)


async def test_error_text_holds_no_values(storage: Storage) -> None:
    await storage.write(add(7))
    with pytest.raises(IntegrityError) as caught:
        await storage.write(lambda connection: connection.execute(insert(THINGS).values(id=7, name="001090123456")))
    assert "001090123456" not in str(caught.value)


async def test_bulk_rows_keep_their_columns(storage: Storage) -> None:
    await storage.write(lambda connection: insert_rows(connection, THINGS, ("id", "name"), [(1, "a"), (2, None)]))
    await storage.write(lambda connection: insert_rows(connection, THINGS, ("id", "name"), []))
    rows = await storage.read(lambda connection: connection.execute(select(THINGS).order_by(THINGS.c.id)).all())
    assert [tuple(row) for row in rows] == [(1, "a"), (2, None)]
    with pytest.raises(ValueError, match="order"):
        await storage.write(lambda connection: insert_rows(connection, THINGS, ("name", "id"), [("a", 1)]))


async def test_database_file_is_for_its_owner_only(sqlite_url: str, tmp_path: Path) -> None:
    await upgrade(sqlite_url)
    storage = await open_storage(sqlite_url)
    await storage.write(THINGS.create)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    await storage.close()
    await storage.close()
    assert {"gateway.db", "gateway.db-wal", "gateway.db.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_sqlite_commits_are_durable(sqlite_url: str) -> None:
    await upgrade(sqlite_url)
    storage = await open_storage(sqlite_url)
    async with storage.writing() as run:
        pragmas = [
            await run(lambda connection, name=name: connection.exec_driver_sql(f"PRAGMA {name}").scalar())  # type: ignore[misc]
            for name in ("journal_mode", "synchronous")
        ]
    await storage.close()
    assert pragmas == ["wal", 2]


async def test_the_journal_is_carried_over_while_the_database_is_open(sqlite_url: str, tmp_path: Path) -> None:
    await upgrade(sqlite_url)
    storage = await open_storage(sqlite_url)
    await storage.write(THINGS.create)
    database = tmp_path / "gateway.db"
    before = database.stat().st_size
    for number in range(100):
        await storage.write(
            lambda connection, number=number: connection.execute(insert(THINGS).values(id=number, name="x" * 5000))  # type: ignore[misc]
        )
    async with asyncio.timeout(60):
        while database.stat().st_size == before:
            await asyncio.sleep(0.01)
    assert await storage.read(count) == 100
    await storage.close()


async def test_postgres_commits_are_durable(postgres_url: str) -> None:
    await upgrade(postgres_url)
    storage = await open_storage(postgres_url)
    shown = await storage.read(lambda connection: connection.exec_driver_sql("SHOW synchronous_commit").scalar())
    await storage.close()
    assert shown == "on"


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "no url"])
def test_addresses_that_cannot_work_are_refused(url: str) -> None:
    with pytest.raises(Exception, match=r"storage.url|parse"):
        parsed(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite+aiosqlite:////tmp/x", "sqlite:////tmp/x"),
        ("postgresql://u:secret@h/d", "postgresql+asyncpg://u:***@h/d"),
    ],
)
def test_spellings_of_an_address(url: str, expected: str) -> None:
    assert parsed(url).render_as_string() == expected


async def test_unreachable_server(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        await open_storage(f"postgresql+asyncpg://nobody@/none?host={tmp_path}")


async def test_server_that_does_not_let_us_in(postgres_url: str) -> None:
    with pytest.raises(StorageUnavailable, match="does not exist"):
        await open_storage(make_url(postgres_url).set(database="none").render_as_string(hide_password=False))


async def test_a_schema_whose_bytes_were_changed_is_told_as_a_damaged_database(sqlite_url: str, tmp_path: Path) -> None:
    await upgrade(sqlite_url)
    file = tmp_path / "gateway.db"
    with plain(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # SQLite repeats in what it says where a statement of the schema goes wrong, and here that is no text.
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"CREATE TABLE storage_state", b"CREATE \xaf\xaf\xaf\xaf\xaf storage_state"))
    assert file.read_bytes() != whole
    with pytest.raises(StorageUnavailable, match="damaged"):
        await open_storage(sqlite_url)
