"""What rows cannot show: plain verification accepts these, and only these; what others hold of the log catches each."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from security.audit.binding import following, unbound
from security.audit.checkpoint import Checkpoint, opened
from security.audit.comparing import Compared, Held, compare
from security.audit.merkle import Frontier, leaf_hash
from security.audit.repeats import told
from storage.schema import open_storage
from storage.sqlite import plain
from tests.test_audit.audit_world import a_signer, a_world, evidence
from tests.test_tampering import tables

BULK = 300
Tamper = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of one complete tile and some entries, without what witnesses said of it."""
    path = tables.finished(tmp_path_factory.mktemp("log"), BULK)
    with plain(path) as connection:
        connection.execute("DELETE FROM audit_witnessed")
    return path


def checkpoints(path: Path) -> list[Checkpoint]:
    with plain(path) as connection:
        notes = connection.execute("SELECT note FROM audit_checkpoints ORDER BY size").fetchall()
    return [opened(note, [a_signer().verifier]) for (note,) in notes]


def frontier(connection: sqlite3.Connection) -> Frontier:
    tree = Frontier()
    for (body,) in connection.execute("SELECT body FROM audit_entries ORDER BY idx"):
        tree.append(leaf_hash(body))
    return tree


def cut_off(connection: sqlite3.Connection, size: int) -> None:
    """Take everything behind a checkpoint away, wherever it shows."""
    for table in ("audit_entries", "audit_openings", "audit_subjects"):
        connection.execute(f"DELETE FROM {table} WHERE idx >= ?", (size,))
    connection.execute("DELETE FROM audit_checkpoints WHERE size > ?", (size,))
    connection.execute("DELETE FROM audit_tiles WHERE (number + 1) * 256 > ?", (size,))
    connection.execute("UPDATE audit_head SET size = ?, frontier = ?", (size, frontier(connection).encode()))


def sign_anew(connection: sqlite3.Connection) -> None:
    """Forge an entry, and build and sign everything that stands on it, with the key of the log."""
    (body,) = connection.execute("SELECT body FROM audit_entries WHERE idx = 5").fetchone()
    forged = body.replace(b'"duration_ms":12', b'"duration_ms":13')
    connection.execute("UPDATE audit_entries SET body = ?, leaf = ? WHERE idx = 5", (forged, leaf_hash(forged)))
    signer, tree, leaves, note = a_signer(), Frontier(), [], ""
    sizes = {size for (size,) in connection.execute("SELECT size FROM audit_checkpoints")}
    for index, body in connection.execute("SELECT idx, body FROM audit_entries ORDER BY idx").fetchall():
        if told(body).after is not None:
            body = following(unbound(body, sealed=False), index, note)
        leaf = leaf_hash(body)
        connection.execute("UPDATE audit_entries SET body = ?, leaf = ? WHERE idx = ?", (body, leaf, index))
        tree.append(leaf)
        leaves.append(leaf)
        if tree.size in sizes:
            note = signer.sign(tree.size, tree.root())
            connection.execute("UPDATE audit_checkpoints SET note = ? WHERE size = ?", (note, tree.size))
        if tree.size == 256:
            connection.execute("UPDATE audit_tiles SET hashes = ?, root = ?", (b"".join(leaves), tree.root()))
    connection.execute("UPDATE audit_head SET frontier = ?", (tree.encode(),))


def tampered(log: Path, tamper: Tamper) -> Path:
    copy = log.with_name("invisible.db")
    for leftover in log.parent.glob("invisible.db*"):
        leftover.unlink()
    shutil.copy(log, copy)
    with plain(copy) as connection:
        tamper(connection)
    return copy


def compared(path: Path, held: list[Checkpoint]) -> Compared:
    async def look() -> Compared:
        storage = await open_storage(f"sqlite:///{path}")
        try:
            return await storage.read(
                lambda connection: compare(connection, [Held(each, "a witness") for each in held])
            )
        finally:
            await storage.close()

    return asyncio.run(look())


def plainly_valid(path: Path) -> bool:
    found = asyncio.run(tables.verified(f"sqlite:///{path}"))
    return found.valid


@pytest.mark.parametrize("behind", [1, 3, 8])
def test_consistent_truncation_is_seen_by_those_who_hold_a_later_checkpoint(log: Path, behind: int) -> None:
    known = checkpoints(log)
    # Not behind a redaction: that would leave its mark without its record, which shows.
    sizes = [each.size for each in known if each.size >= tables.SINGLE + BULK + 1 + len(tables.REDACTED)]
    size = sizes[-1 - behind]
    copy = tampered(log, lambda connection: cut_off(connection, size))
    assert plainly_valid(copy)
    found = compared(copy, known[-1:]).found
    assert [(item.first, item.last) for item in found] == [(size, known[-1].size - 1)]
    assert not compared(copy, [each for each in known if each.size <= size]).found


def test_truncation_before_a_redaction_shows_by_itself(log: Path) -> None:
    assert not plainly_valid(tampered(log, lambda connection: cut_off(connection, tables.SINGLE)))


def test_older_copy_in_its_place_is_seen_by_those_who_hold_a_later_checkpoint(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path}/gateway.db", tmp_path / "gateway.db"

    async def more() -> None:
        async with a_world(url, tmp_path / "vault") as world:
            await asyncio.gather(*(world.log.record(evidence("001090123456")) for _ in range(20)))

    asyncio.run(more())
    old = tampered(path, lambda connection: None)
    asyncio.run(more())
    assert plainly_valid(old)
    assert compared(old, checkpoints(path)).found[0].first == 20
    assert not compared(path, checkpoints(old)).found


def test_log_that_was_signed_anew_is_seen_by_those_who_hold_any_checkpoint_over_the_change(log: Path) -> None:
    known, copy = checkpoints(log), tampered(log, sign_anew)
    assert plainly_valid(copy)
    found = compared(copy, known).found
    assert [(item.first, item.last) for item in found] == [(5, 5)]
    assert not compared(copy, [each for each in known if each.size <= 5]).found
