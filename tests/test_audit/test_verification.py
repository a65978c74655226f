"""Tampering with the rows of a finished log, as somebody with the database would: every change is found and placed."""

import asyncio
import gc
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from security.audit.batch import REPEATED
from security.audit.findings import Findings
from security.audit.merkle import leaf_hash
from security.audit.sealing import Sealer
from security.audit.vault import Vault
from security.audit.verification import verify
from storage.schema import open_storage
from storage.sqlite import plain
from tests.test_audit.audit_world import MASTER, World, a_signer, a_world, evidence

SINGLE = 20
BULK = 240
ENTRIES = SINGLE + BULK


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log: twenty entries with a checkpoint each, then three hundred in a few commits; one complete tile."""
    folder = tmp_path_factory.mktemp("finished")

    async def fill() -> None:
        async with a_world(f"sqlite:///{folder}/gateway.db", folder / "vault") as world:
            for number in range(SINGLE):
                await world.log.record(evidence(f"00109012{number:04}"))
            await asyncio.gather(*(world.log.record(evidence(f"00109013{n:04}", "001090999999")) for n in range(BULK)))

    asyncio.run(fill())
    return folder


def verdict(finished: Path, tamper: Callable[[sqlite3.Connection], object], *, with_vault: bool = False) -> Findings:
    """Verify a copy of the finished log after `tamper` worked on it."""
    copy = finished / "tampered.db"
    for leftover in finished.glob("tampered.db*"):
        leftover.unlink()
    shutil.copy(finished / "gateway.db", copy)
    with plain(copy) as connection:
        tamper(connection)

    async def look() -> Findings:
        storage = await open_storage(f"sqlite:///{copy}")
        try:
            sealer = Sealer(Vault(finished / "vault"), MASTER) if with_vault else None
            return await verify(storage, [a_signer().verifier], sealer)
        finally:
            await storage.close()

    return asyncio.run(look())


def test_untouched_log_is_valid(finished: Path) -> None:
    found = verdict(finished, lambda connection: None, with_vault=True)
    assert found.valid, found
    assert found.entries == ENTRIES
    assert found.first_bad is None
    assert gc.isenabled()


def cell(connection: sqlite3.Connection, table: str, column: str, key: str, value: object) -> object:
    return connection.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (value,)).fetchone()[0]


def changed(value: object, at: int) -> object:
    """The value with one byte or character changed."""
    if isinstance(value, bytes):
        at %= len(value)
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    assert isinstance(value, str)
    at %= len(value)
    return value[:at] + ("x" if value[at] != "x" else "y") + value[at + 1 :]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, ENTRIES - 1), st.sampled_from(["leaf", "body", *REPEATED]), st.integers(0, 10_000))
def test_any_changed_byte_of_an_entry_is_found_at_its_index(finished: Path, index: int, column: str, at: int) -> None:
    def tamper(connection: sqlite3.Connection) -> None:
        value = changed(cell(connection, "audit_entries", column, "idx", index), at)
        connection.execute(f"UPDATE audit_entries SET {column} = ? WHERE idx = ?", (value, index))

    assert verdict(finished, tamper).first_bad == index


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, ENTRIES - 1), st.integers(0, 10_000))
def test_careful_forgery_of_one_entry_is_found_where_it_is(finished: Path, index: int, at: int) -> None:
    """The forger keeps body, leaf and columns consistent; tile or checkpoint gives it away."""

    def tamper(connection: sqlite3.Connection) -> None:
        body = cell(connection, "audit_entries", "body", "idx", index)
        assert isinstance(body, bytes)
        forged = body.replace(b'"duration_ms":12', b'"duration_ms":%d' % (13 + at))
        connection.execute(
            "UPDATE audit_entries SET body = ?, leaf = ? WHERE idx = ?", (forged, leaf_hash(forged), index)
        )

    found = verdict(finished, tamper)
    first = found.found[0]
    assert first.first <= index <= first.last
    if index < 256:
        assert found.first_bad == index
    else:
        assert first.last - first.first < BULK


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, ENTRIES - 1))
def test_deleted_entry_is_found_at_its_index(finished: Path, index: int) -> None:
    found = verdict(
        finished, lambda connection: connection.execute("DELETE FROM audit_entries WHERE idx = ?", (index,))
    )
    assert found.first_bad == index


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, ENTRIES - 1), st.integers(0, ENTRIES - 1))
def test_swapped_entries_are_found(finished: Path, one: int, other: int) -> None:
    assume(one < other)

    def tamper(connection: sqlite3.Connection) -> None:
        for old, new in ((one, -5), (other, one), (-5, other)):
            connection.execute("UPDATE audit_entries SET idx = ? WHERE idx = ?", (new, old))

    found = verdict(finished, tamper)
    assert found.first_bad is not None
    first = found.found[0]
    assert first.first <= one <= first.last
    if other < 256:
        assert found.first_bad == one


def test_deletion_that_closes_the_gap_is_found(finished: Path) -> None:
    def tamper(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM audit_entries WHERE idx = 5")
        for index in range(6, ENTRIES):
            connection.execute("UPDATE audit_entries SET idx = ? WHERE idx = ?", (index - 1, index))

    assert verdict(finished, tamper).first_bad == 5


@pytest.mark.parametrize("index", [-1, ENTRIES, ENTRIES + 7])
def test_inserted_entry_is_found(finished: Path, index: int) -> None:
    def tamper(connection: sqlite3.Connection) -> None:
        row = list(connection.execute("SELECT * FROM audit_entries WHERE idx = 3").fetchone())
        row[0], row[3] = index, "another-id"
        connection.execute(f"INSERT INTO audit_entries VALUES ({','.join('?' * len(row))})", row)

    found = verdict(finished, tamper)
    assert found.first_bad == max(index, 0) if index < ENTRIES else ENTRIES


def test_cut_off_end_is_found_while_a_checkpoint_remembers_it(finished: Path) -> None:
    def cut(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM audit_entries WHERE idx >= 10")

    assert verdict(finished, cut).first_bad == 10

    def cut_head_too(connection: sqlite3.Connection) -> None:
        cut(connection)
        connection.execute("DELETE FROM audit_checkpoints WHERE size >= 10")
        connection.execute("UPDATE audit_head SET size = 10")

    assert verdict(finished, cut_head_too).first_bad == 9


def test_emptied_log_is_found(finished: Path) -> None:
    assert verdict(finished, lambda connection: connection.execute("DELETE FROM audit_entries")).first_bad == 0


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("UPDATE audit_head SET size = size + 1", ENTRIES),
        ("UPDATE audit_head SET size = 7", 7),
        ("UPDATE audit_head SET frontier = zeroblob(length(frontier))", ENTRIES),
        ("DELETE FROM audit_head", 0),
        ("UPDATE audit_checkpoints SET note = replace(note, 'lgsp', 'lqsp') WHERE size = 8", 7),
        ("UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints WHERE size = 9) WHERE size = 8", 7),
        ("UPDATE audit_checkpoints SET size = 100000 WHERE size = 8", 7),
        ("DELETE FROM audit_checkpoints WHERE size = 8", 7),
        ("DELETE FROM audit_checkpoints WHERE size BETWEEN 8 AND 12", 7),
        ("DELETE FROM audit_checkpoints WHERE size < 100", 0),
        ("UPDATE audit_tiles SET hashes = zeroblob(8192)", 0),
        ("UPDATE audit_tiles SET root = zeroblob(32)", 0),
        ("DELETE FROM audit_tiles", 0),
        ("INSERT INTO audit_tiles VALUES (0, 9, zeroblob(8192), zeroblob(32))", ENTRIES),
        ("DELETE FROM audit_openings WHERE idx = 11", 11),
        ("UPDATE audit_openings SET sealed = NULL WHERE idx = 12", 12),
        ("UPDATE audit_openings SET redacted_by = 'nobody' WHERE idx = 13", 13),
        ("INSERT INTO audit_openings VALUES (5000, '2026-11', 1, x'00', NULL)", ENTRIES),
        ("INSERT INTO audit_subjects VALUES (x'00', 5000)", ENTRIES),
    ],
)
def test_change_outside_the_entries_is_found(finished: Path, statement: str, first: int) -> None:
    assert verdict(finished, lambda connection: connection.execute(statement)).first_bad == first


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("DELETE FROM audit_subjects WHERE idx = 4", 4),
        ("INSERT INTO audit_subjects VALUES (x'00', 6)", 6),
        ("UPDATE audit_openings SET slot = slot + 1 WHERE idx = 7", 7),
        ("UPDATE audit_openings SET sealed = zeroblob(200) WHERE idx = 8", 8),
        ("UPDATE audit_openings SET sealed = (SELECT sealed FROM audit_openings WHERE idx = 1) WHERE idx = 9", 9),
    ],
)
def test_with_the_vault_the_side_table_is_proven_too(finished: Path, statement: str, first: int) -> None:
    assert verdict(finished, lambda connection: connection.execute(statement), with_vault=True).first_bad == first


def test_log_of_another_key_is_not_valid(finished: Path) -> None:
    async def look() -> Findings:
        async with a_world(f"sqlite:///{finished}/gateway.db", finished / "vault") as world:
            return await verify(world.storage, [a_signer(seed=b"z" * 32).verifier])

    assert asyncio.run(look()).first_bad == 0


async def test_both_databases_give_the_same_verdict(world: World) -> None:
    empty = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert (empty.valid, empty.entries) == (True, 0)
    await asyncio.gather(*(world.log.record(evidence("001090123456")) for _ in range(270)))
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert (found.valid, found.entries) == (True, 270), found
