"""Entries of which only hashes are left: how far verification believes that they were archived."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from storage.sqlite import plain
from tests.test_tampering.plain_logs import AT, plain_log
from tests.test_tampering.test_signed import verdict
from tests.test_tampering.test_verdicts import Told, sql, told

SHA256 = "0" * 64
ENTRY = ["the entry does not hash to its leaf", "the entry cannot be read"]


def record(first: int, last: int, file: str) -> str:
    """The entry that [first, last) were archived."""
    details: Mapping[str, object] = {
        "action": "audit-archive",
        "file": file,
        "first": first,
        "last": last - 1,
        "sha256": SHA256,
    }
    entry = {"at": AT, "details": details, "id": file, "kind": "admin", "v": 1}
    return json.dumps(entry, separators=(",", ":"))


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty entries, of which the first three and the three behind them were archived."""
    records = {10: record(0, 3, "a.zip"), 11: record(3, 6, "b.zip")}
    path = plain_log(tmp_path_factory.mktemp("archived") / "gateway.db", 20, [15, 20], records)
    with plain(path) as connection:
        connection.execute("UPDATE audit_entries SET body = x'' WHERE idx < 6")
        for place, (first, last, file) in enumerate([(0, 3, "a.zip"), (3, 6, "b.zip")]):
            connection.execute(
                "INSERT INTO audit_archived VALUES (?, ?, ?, ?, ?)", (first, last, file, SHA256, 10 + place)
            )
        # Nobody knows any more whether it had an opening.
        connection.execute("INSERT INTO audit_openings VALUES (2, '2026-11', 1, x'00', NULL)")
    return path


def test_of_archived_entries_their_hashes_are_believed(log: Path) -> None:
    found = verdict(log, sql())
    assert (found.found, found.entries, found.archived) == ([], 20, 6)


ANOTHER = "the checkpoint of 15 entries signs another tree"
NO_HASH = "what stands for the hash of the archived entry is none"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE audit_entries SET body = x'' WHERE idx = 6", [(6, 6, what) for what in (*ENTRY, ANOTHER)]),
        (
            "UPDATE audit_entries SET body = CAST('' AS TEXT) WHERE idx = 5",
            [(0, 14, ANOTHER), *((5, 5, what) for what in ENTRY)],
        ),
        ("UPDATE audit_entries SET leaf = CAST(leaf AS TEXT) WHERE idx = 5", [(0, 14, ANOTHER), (5, 5, NO_HASH)]),
        ("UPDATE audit_entries SET leaf = substr(leaf, 1, 31) WHERE idx = 5", [(0, 14, ANOTHER), (5, 5, NO_HASH)]),
        ("UPDATE audit_entries SET leaf = zeroblob(32) WHERE idx = 5", [(0, 14, ANOTHER)]),
    ],
)
def test_everything_else_needs_its_body(log: Path, statement: str, expected: Told) -> None:
    assert told(log, sql(statement)) == expected


@pytest.mark.parametrize(
    ("change", "archived", "expected"),
    [
        ("last = 'x' WHERE first = 3", 3, (3, 3, "the archive b.zip does not follow the one before it")),
        ("last = x'00' WHERE first = 0", 0, (0, 0, "the archive a.zip does not follow the one before it")),
        (
            "last = CAST(x'ff' AS TEXT) WHERE first = 3",
            3,
            (3, 3, "the archive b.zip does not follow the one before it"),
        ),
        ("first = -1 WHERE first = 0", 0, (0, 0, "the archive a.zip does not follow the one before it")),
        ("act = 'x' WHERE first = 3", 3, (3, 5, "no entry records that they were archived in b.zip")),
        ("act = CAST(x'ff' AS TEXT) WHERE first = 3", 3, (3, 5, "no entry records that they were archived in b.zip")),
        (
            "sha256 = CAST(x'ff' AS TEXT) WHERE first = 0",
            0,
            (0, 2, "no entry records that they were archived in a.zip"),
        ),
        ("file = x'00' WHERE first = 0", 0, (0, 2, "no entry records that they were archived in b'\\x00'")),
    ],
)
def test_a_row_of_an_archive_may_hold_whatever_there_is(
    log: Path, change: str, archived: int, expected: tuple[int, int, str]
) -> None:
    found = verdict(log, sql(f"UPDATE audit_archived SET {change}"))
    assert found.archived == archived
    assert expected in [(each.first, each.last, each.what) for each in found.found]
    # They are deleted entries then.
    assert [each.first for each in found.found if each.what == ENTRY[1]] == list(range(archived, 6))


def test_where_nothing_was_archived_an_empty_entry_is_a_deleted_one(log: Path) -> None:
    found = verdict(log, sql("DELETE FROM audit_archived"))
    assert found.archived == 0
    assert [each.first for each in found.found if each.what == ENTRY[1]] == list(range(6))
