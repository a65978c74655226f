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


def archived_by(folder: Path, body: str, act: int = 10, last: int = 3) -> Path:
    """Twenty entries, of which the first `last` were archived as the entry `act` records, which is `body`."""
    path = plain_log(folder / "gateway.db", 20, [15, 20], {act: body})
    with plain(path) as connection:
        connection.execute(f"UPDATE audit_entries SET body = x'' WHERE idx < {last} AND idx <> {act}")
        connection.execute(f"INSERT INTO audit_archived VALUES (0, {last}, 'a.zip', '{SHA256}', {act})")
    return path


UNRECORDED = (0, 2, "no entry records that they were archived in a.zip")
GOOD = record(0, 3, "a.zip")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind":"admin"', '"kind":"start"'),
        ("audit-archive", "audit-backup"),
        ('"first":0', '"first":1'),
        ('"last":2', '"last":3'),
        ('"file":"a.zip"', '"file":"b.zip"'),
        (SHA256, "1" + SHA256[1:]),
        ('"action"', '"acted"'),
        ('"file"', '"path"'),
        ('"first"', '"begin"'),
        ('"last"', '"end"'),
        ('"sha256"', '"sha1"'),
        ('"details"', '"detail"'),
        ('"details":{', '"details":[],"detail":{'),
    ],
)
def test_what_no_entry_records_was_not_archived(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    found = verdict(archived_by(tmp_path, GOOD.replace(old, new)), sql())
    assert found.archived == 0
    assert UNRECORDED in [(each.first, each.last, each.what) for each in found.found]


@pytest.mark.parametrize(("act", "archived"), [(2, 0), (3, 3)])
def test_who_records_an_archive_stands_behind_it(tmp_path: Path, act: int, archived: int) -> None:
    found = verdict(archived_by(tmp_path, GOOD, act), sql())
    assert (found.archived, found.valid) == (archived, archived > 0)
    if not archived:
        assert UNRECORDED in [(each.first, each.last, each.what) for each in found.found]


@pytest.mark.parametrize("act", [-1, 10**9])
def test_the_entry_about_an_archive_has_to_be_there(log: Path, act: int) -> None:
    found = verdict(log, sql(f"UPDATE audit_archived SET act = {act} WHERE first = 0"))
    assert UNRECORDED in [(each.first, each.last, each.what) for each in found.found]


@pytest.mark.parametrize(
    ("change", "where", "file"),
    [
        ("first = 1 WHERE first = 0", 1, "a.zip"),
        ("first = 4 WHERE first = 3", 4, "b.zip"),
        ("first = 2 WHERE first = 3", 2, "b.zip"),
        ("last = 3 WHERE first = 3", 3, "b.zip"),
        ("last = 2 WHERE first = 3", 3, "b.zip"),
        ("last = 0 WHERE first = 0", 0, "a.zip"),
    ],
)
def test_archives_follow_each_other(log: Path, change: str, where: int, file: str) -> None:
    found = verdict(log, sql(f"UPDATE audit_archived SET {change}"))
    assert found.archived == (3 if file == "b.zip" else 0)
    what = f"the archive {file} does not follow the one before it"
    assert (where, where, what) in [(each.first, each.last, each.what) for each in found.found]


STAYS = "{0} are not those that were there when a.zip was made"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"checkpoints": 0}, []),
        ({"checkpoints": 1}, ["there are 0 checkpoints of 1 up to the end of a.zip"]),
        ({"checkpoints": None}, ["there are 0 checkpoints of None up to the end of a.zip"]),
        ({"notes": ""}, [STAYS.format("checkpoints") + ": signed anew, or signatures were taken away or put there"]),
        ({"columns": []}, [STAYS.format("columns of rows")]),
        ({"columns": ["", ""]}, [STAYS.format("columns of rows")]),
        ({"columns": "x"}, [STAYS.format("columns of rows")]),
        ({"openings": {}}, [STAYS.format("openings or index rows")]),
        ({"openings": 1}, [STAYS.format("openings or index rows")]),
        ({"openings": [None]}, [STAYS.format("openings or index rows")]),
        ({"columns": None, "openings": None}, []),
    ],
)
def test_what_an_archive_states_of_what_stays(
    tmp_path: Path, stated: Mapping[str, object], expected: list[str]
) -> None:
    entry = json.loads(GOOD)
    entry["details"] |= stated
    found = told(archived_by(tmp_path, json.dumps(entry, separators=(",", ":"))), sql())
    assert found == [(0, 2, what) for what in expected]


def test_where_nothing_was_archived_an_empty_entry_is_a_deleted_one(log: Path) -> None:
    found = verdict(log, sql("DELETE FROM audit_archived"))
    assert found.archived == 0
    assert [each.first for each in found.found if each.what == ENTRY[1]] == list(range(6))
