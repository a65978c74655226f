"""What was signed over the tree, checkpoints and what witnesses saw: what shows when it is gone or is another."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit.binding import following
from security.audit.checkpoint import VerifierKey
from security.audit.cosignature import Cosigner
from security.audit.findings import Findings
from security.audit.verification import verify
from storage.schema import open_storage
from storage.sqlite import plain
from tests.test_audit.audit_world import World, a_signer, a_world, evidence
from tests.test_tampering import tables
from tests.test_tampering.test_invisible import Tamper, cut_off, sign_anew

BULK = 300
WITNESS = Cosigner("witness.example", Ed25519PrivateKey.from_private_bytes(b"w" * 32))


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of one complete tile and some entries; a witness saw its trees of 4, 9 and 300 and more entries."""
    path = tables.finished(tmp_path_factory.mktemp("log"), BULK)
    with plain(path) as connection:
        (late,) = connection.execute("SELECT min(size) FROM audit_checkpoints WHERE size > 300").fetchone()
        connection.execute("DELETE FROM audit_witnessed")
        for size in (4, 9, late):
            cosign(connection, size)
    return path


def cosign(connection: sqlite3.Connection, size: int) -> None:
    (note,) = connection.execute("SELECT note FROM audit_checkpoints WHERE size = ?", (size,)).fetchone()
    signed = note + WITNESS.sign(note.partition("\n\n")[0] + "\n", 1_800_000_000)
    connection.execute("INSERT INTO audit_witnessed VALUES (?, 'witness', ?, NULL, 0)", (size, signed))


def verdict(log: Path, tamper: Tamper, keys: tuple[VerifierKey, ...] = ()) -> Findings:
    copy = log.with_name("signed.db")
    for leftover in log.parent.glob("signed.db*"):
        leftover.unlink()
    shutil.copy(log, copy)
    with plain(copy) as connection:
        tamper(connection)

    async def look() -> Findings:
        storage = await open_storage(f"sqlite:///{copy}")
        try:
            return await verify(storage, [a_signer().verifier, *keys])
        finally:
            await storage.close()

    return asyncio.run(look())


def placed(found: Findings) -> list[tuple[int, int]]:
    return [(item.first, item.last) for item in found.found]


def test_untouched_log_holds_with_and_without_the_key_of_its_witness(log: Path) -> None:
    assert verdict(log, lambda connection: None).valid
    assert verdict(log, lambda connection: None, (WITNESS.verifier,)).valid


@pytest.mark.parametrize("size", [1, 2, 7, 11])
def test_missing_checkpoint_is_named(log: Path, size: int) -> None:
    found = verdict(log, lambda connection: connection.execute(f"DELETE FROM audit_checkpoints WHERE size = {size}"))
    assert placed(found) == [(size - 1, size - 1)]
    assert found.found[0].what == (
        f"the checkpoint of {size} entries is missing: entries {size - 1} to {size} are signed only together"
    )


def test_missing_checkpoints_in_a_row_are_one_finding(log: Path) -> None:
    found = verdict(log, lambda connection: connection.execute("DELETE FROM audit_checkpoints WHERE size < 6"))
    assert placed(found) == [(0, 4)]
    assert "5 checkpoints of 1 to 5 are missing: entries 0 to 5" in found.found[0].what


def test_every_missing_checkpoint_is_found(log: Path) -> None:
    with plain(log) as connection:
        sizes = [size for (size,) in connection.execute("SELECT size FROM audit_checkpoints ORDER BY size")]
    for size in (sizes[tables.SINGLE], sizes[-2], sizes[-1]):
        statement = f"DELETE FROM audit_checkpoints WHERE size = {size}"
        found = verdict(log, lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]
        assert found.found[-1].last == size - 1


async def test_logs_of_older_releases_are_valid_and_guarded_from_the_next_entry_on(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        with monkeypatch.context() as older:
            older.setattr("security.audit.batch.following", lambda body, size, note: body)
            for _ in range(3):
                assert b'"after"' not in (await world.log.record(evidence())).entry
        assert await valid(world)
        await forget(world, 1)
        assert await valid(world)
        await world.log.record(evidence())
        assert await valid(world)
        await forget(world, 3)
        assert not await valid(world)


async def test_entry_that_names_another_checkpoint_is_a_finding(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.batch.following", lambda body, size, note: following(body, size - 1, note))
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        for _ in range(2):
            await world.log.record(evidence())
        found = await verify(world.storage, [world.signer.verifier])
        assert [(item.first, item.what) for item in found.found] == [
            (1, "the entry says that it follows a checkpoint of 0 entries")
        ]


async def forget(world: World, size: int) -> None:
    await world.storage.write(
        lambda connection: connection.exec_driver_sql(f"DELETE FROM audit_checkpoints WHERE size = {size}")
    )


async def valid(world: World) -> bool:
    return (await verify(world.storage, [world.signer.verifier])).valid


def test_log_that_was_signed_anew_is_seen_while_a_word_of_a_witness_is_left(log: Path) -> None:
    found = verdict(log, sign_anew)
    assert placed(found) == [(4, 8)]
    assert found.found[0].what == (
        "the tree of 9 entries is not the one that witness saw: the log was built and signed anew after that"
    )

    def thorough(connection: sqlite3.Connection, left: int) -> None:
        sign_anew(connection)
        connection.execute("DELETE FROM audit_witnessed WHERE size BETWEEN 5 AND ?", (left,))

    late = verdict(log, lambda connection: thorough(connection, 9))
    assert late.found[0].first == 4
    assert late.found[0].last >= 300
    assert verdict(log, lambda connection: thorough(connection, 400)).valid


def test_careful_forgery_that_a_checkpoint_shows_is_not_said_to_be_signed_anew(log: Path) -> None:
    def forge(connection: sqlite3.Connection) -> None:
        sign_anew(connection)
        with plain(log) as genuine:
            notes = genuine.execute("SELECT note, size FROM audit_checkpoints WHERE size > 9").fetchall()
        connection.executemany("UPDATE audit_checkpoints SET note = ? WHERE size = ?", notes)
        connection.execute("DELETE FROM audit_checkpoints WHERE size BETWEEN 6 AND 9")

    what = [item.what for item in verdict(log, forge).found]
    assert "the checkpoint of 10 entries signs another tree" in what
    assert "the tree of 9 entries is not the one that witness saw" in what


def test_cut_off_end_is_seen_while_a_witness_saw_more(log: Path) -> None:
    with plain(log) as connection:
        sizes = [size for (size,) in connection.execute("SELECT size FROM audit_checkpoints ORDER BY size DESC")]
        (late,) = connection.execute("SELECT max(size) FROM audit_witnessed").fetchone()
    behind = next(size for size in sizes if size < late)
    found = verdict(log, lambda connection: cut_off(connection, behind))
    assert (behind, late - 1) in placed(found)
    assert any("what a witness saw" in item.what for item in found.found)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("note = 'nothing'", "is rejected: not a signed note"),
        ("note = CAST(x'ff' AS TEXT)", "is rejected"),
        ("note = CAST(note AS BLOB)", "is rejected"),
        ("note = replace(note, 'lgsp.example/log', 'lgsp.example/lag')", "is rejected"),
        ("note = (SELECT note FROM audit_witnessed WHERE size = 4)", "is of 4"),
        ("note = substr(note, 1, length(note) - 4)", "is rejected"),
    ],
)
def test_word_of_a_witness_that_is_none_is_a_finding(log: Path, change: str, what: str) -> None:
    found = verdict(log, lambda connection: connection.execute(f"UPDATE audit_witnessed SET {change} WHERE size = 9"))
    assert placed(found) == [(8, 8)]
    assert found.found[0].what.startswith("what witness saw of 9 entries")
    assert what in found.found[0].what


def test_changed_cosignature_is_a_finding_for_those_who_know_the_witness(log: Path) -> None:
    def swap(connection: sqlite3.Connection) -> None:
        (own,) = connection.execute("SELECT note FROM audit_checkpoints WHERE size = 9").fetchone()
        (other,) = connection.execute("SELECT note FROM audit_witnessed WHERE size = 4").fetchone()
        line = other.splitlines()[-1] + "\n"
        connection.execute("UPDATE audit_witnessed SET note = ? WHERE size = 9", (own + line,))

    assert verdict(log, swap).valid
    assert placed(verdict(log, swap, (WITNESS.verifier,))) == [(8, 8)]
