"""Files of a database that are damaged: which entries verification says that this is about, and what is no damage."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from security.audit.stored_twice import is_damage
from security.audit.verification import verify
from storage.errors import StorageUnavailable
from storage.schema import open_storage
from storage.sqlite import plain
from tests.test_audit.audit_world import a_signer
from tests.test_tampering import tables
from tests.test_tampering.plain_logs import AT, plain_log

SIZE = 4400
Told = list[tuple[int, int, str]]
Rewrite = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that is read in two steps."""
    return plain_log(tmp_path_factory.mktemp("damaged") / "gateway.db", SIZE, [4096, SIZE])


def root_of(path: Path, name: str) -> int:
    """The number of the first page of a table or an index, from 0 on."""
    with plain(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    return int(page) - 1


def page_of(path: Path, index: int) -> int:
    """The page with the body of an entry."""
    return path.read_bytes().index(b'"id":"%d"' % index) // 4096


def overwritten(path: Path, page: int, at: int = 0, put: bytes = b"\xff" * 4096) -> Told:
    """What is found where nothing can be read of one page, or where `put` stands in it."""
    copy = path.with_name("damaged.db")
    for leftover in path.parent.glob("damaged.db*"):
        leftover.unlink()
    whole = path.read_bytes()
    begin = page * 4096 + at
    copy.write_bytes(whole[:begin] + put + whole[begin + len(put) :])
    return told(copy)


def told(path: Path) -> Told:
    found = asyncio.run(tables.verified(f"sqlite:///{path}"))
    return [(each.first, each.last, each.what) for each in found.found]


UNREADABLE = "the file of the database is damaged, and could not be read to its end: "


@pytest.mark.parametrize(
    ("where", "first", "last"),
    [
        # Where not even the highest number can be read.
        (lambda log: root_of(log, "ix_audit_entries_client"), 0, 0),
        (lambda log: root_of(log, "audit_entries"), 0, SIZE - 1),
        (lambda log: page_of(log, 100), 0, SIZE - 1),
        (lambda log: page_of(log, 4200), 4096, SIZE - 1),
        # Of what is looked at in the end nothing more can be told.
        (lambda log: root_of(log, "audit_head"), 0, SIZE - 1),
    ],
    ids=["numbers", "all", "first page", "second page", "head"],
)
def test_where_a_file_cannot_be_read(log: Path, where: Callable[[Path], int], first: int, last: int) -> None:
    (found,) = [each for each in overwritten(log, where(log)) if each[2].startswith(UNREADABLE)]
    assert found[:2] == (first, last)


def test_a_file_that_cannot_be_read_where_its_last_page_begins(tmp_path: Path) -> None:
    # Longer than a page of the file, so that its rest has some for itself.
    long = f'{{"at":"{AT}","details":{{"x":"{"a" * 12_000}"}},"id":"4096","kind":"start","v":1}}'
    path = plain_log(tmp_path / "gateway.db", 4097, [4097], {4096: long})
    assert told(path) == []
    (found,) = overwritten(path, path.read_bytes().index(b"a" * 4_000) // 4096)
    assert found[:2] == (4096, 4096)
    assert found[2].startswith(UNREADABLE)


def behind_an_index(path: Path, index: str, work: Rewrite) -> Told:
    """What is found after rows were rewritten without the knowledge of an index."""
    copy = path.with_name("behind.db")
    for leftover in path.parent.glob("behind.db*"):
        leftover.unlink()
    copy.write_bytes(path.read_bytes())
    with plain(copy) as connection:
        row = connection.execute("SELECT * FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name = ?", (index,))
    with plain(copy) as connection:
        work(connection)
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", row)
    return [each for each in told(copy) if "indexes differ" in each[2]]


def executed(*statements: str) -> Rewrite:
    return lambda connection: [connection.execute(each) for each in statements]


OPENING = "INSERT INTO audit_openings VALUES ({0}, '2026-11', 1, x'00', 'x')"


@pytest.mark.parametrize(
    ("index", "statements", "expected"),
    [
        (
            "ix_audit_entries_at",
            ["UPDATE audit_entries SET at = '2025' WHERE idx = 7"],
            [(7, 7, "audit_entries and its indexes differ: row 8 missing from index ix_audit_entries_at")],
        ),
        (
            "ix_audit_entries_client",
            ["DELETE FROM audit_entries WHERE idx = 4399"],
            [(0, 4398, "audit_entries and its indexes differ: wrong # of entries in index ix_audit_entries_client")],
        ),
        (
            "ix_audit_entries_client",
            ["DELETE FROM audit_entries"],
            [(0, 0, "audit_entries and its indexes differ: wrong # of entries in index ix_audit_entries_client")],
        ),
        (
            "ix_audit_openings_redacting",
            [OPENING.format(9), OPENING.format(5)],
            [
                (
                    0,
                    4399,
                    "audit_openings and its indexes differ: wrong # of entries in index ix_audit_openings_redacting",
                ),
                (5, 5, "audit_openings and its indexes differ: row 1 missing from index ix_audit_openings_redacting"),
                (9, 9, "audit_openings and its indexes differ: row 2 missing from index ix_audit_openings_redacting"),
            ],
        ),
        (
            "ix_audit_subjects_idx",
            ["INSERT INTO audit_subjects VALUES (x'02', 3), (x'01', 8), (x'01', 4), (x'03', 'x')"],
            [
                # That it stands for no number cannot be told of an entry.
                (0, 4399, "audit_subjects and its indexes differ: row 4 missing from index ix_audit_subjects_idx"),
                (0, 4399, "audit_subjects and its indexes differ: wrong # of entries in index ix_audit_subjects_idx"),
                (3, 3, "audit_subjects and its indexes differ: row 3 missing from index ix_audit_subjects_idx"),
                (4, 4, "audit_subjects and its indexes differ: row 1 missing from index ix_audit_subjects_idx"),
                (8, 8, "audit_subjects and its indexes differ: row 2 missing from index ix_audit_subjects_idx"),
            ],
        ),
    ],
)
def test_which_entry_an_index_disagrees_about(log: Path, index: str, statements: list[str], expected: Told) -> None:
    assert behind_an_index(log, index, executed(*statements)) == expected


def test_of_many_disagreements_ten_are_told(log: Path) -> None:
    found = behind_an_index(log, "ix_audit_entries_at", executed("UPDATE audit_entries SET at = 'x' WHERE idx < 20"))
    assert [each[:2] for each in found] == [(index, index) for index in range(10)]


def test_what_sqlite_says_in_two_lines_is_told_in_one(log: Path) -> None:
    # The seventh byte of a page says how many bytes are lost between its cells.
    ((first, last, what),) = overwritten(log, root_of(log, "ix_audit_entries_at"), 7, b"\x07")
    assert (first, last) == (0, SIZE - 1)
    assert what.startswith("audit_entries and its indexes differ: ")
    assert "ragmentation" in what
    assert "\n" not in what


async def test_a_table_that_is_gone_is_no_damage(log: Path) -> None:
    copy = log.with_name("gone.db")
    copy.write_bytes(log.read_bytes())
    storage = await open_storage(f"sqlite:///{copy}")
    try:
        with plain(copy) as connection:
            connection.execute("DROP TABLE audit_tiles")
        with pytest.raises(StorageUnavailable, match="audit_tiles"):
            await verify(storage, [a_signer().verifier])
    finally:
        await storage.close()


@pytest.mark.parametrize("driven", [True, False])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_CORRUPT | 3 << 8, True),
        (sqlite3.SQLITE_NOTADB, True),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_IOERR, False),
        (None, False),
    ],
)
def test_what_is_damage(driven: bool, code: int | None, expected: bool) -> None:
    cause = sqlite3.DatabaseError("said")
    if code is not None:
        cause.sqlite_errorcode = code
    failure = StorageUnavailable("said")
    failure.__cause__ = DBAPIError("SELECT 1", None, cause) if driven else cause
    assert is_damage(failure) is expected


def test_without_a_failure_of_sqlite_there_is_no_damage() -> None:
    failure = StorageUnavailable("said")
    assert not is_damage(failure)
    failure.__cause__ = OSError("said")
    failure.__cause__.sqlite_errorcode = sqlite3.SQLITE_CORRUPT  # type: ignore[attr-defined]
    assert not is_damage(failure)
