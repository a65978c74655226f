"""Bytes of the database file changed past SQL: in tables, in their indexes, and where SQLite keeps its own order."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.audit.findings import Findings
from storage.errors import StorageError
from storage.sqlite import plain
from tests.test_tampering import tables

BULK = 60
INDEX = 5


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tables.finished(tmp_path_factory.mktemp("log"), BULK)


def looked_at(log: Path, changed: bytes) -> Findings:
    """What verification finds in a file of these bytes; raises StorageError where nothing can be read."""
    copy = log.with_name("changed.db")
    for leftover in log.parent.glob("changed.db*"):
        leftover.unlink()
    copy.write_bytes(changed)
    return asyncio.run(tables.verified(f"sqlite:///{copy}"))


def places(whole: bytes, wanted: bytes) -> Iterator[int]:
    at = whole.find(wanted)
    while at >= 0:
        yield at
        at = whole.find(wanted, at + 1)


@pytest.mark.parametrize(
    ("query", "at_least"),
    [
        ("SELECT tag FROM audit_subjects WHERE idx = ?", 2),
        ("SELECT CAST(id AS BLOB) FROM audit_entries WHERE idx = ?", 3),
        ("SELECT CAST(at AS BLOB) FROM audit_entries WHERE idx = ?", 3),
        ("SELECT leaf FROM audit_entries WHERE idx = ?", 1),
    ],
)
def test_a_value_that_is_kept_several_times_is_reported_wherever_it_is_changed(
    log: Path, query: str, at_least: int
) -> None:
    with plain(log) as connection:
        values = [value for (value,) in connection.execute(query, (INDEX,))]
    whole, seen = log.read_bytes(), 0
    for value in values:
        for place in places(whole, value):
            last = place + len(value) - 1
            found = looked_at(log, whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
            assert found.first_bad is not None, place
            assert found.first_bad <= INDEX, found.found
            seen += 1
    assert seen >= at_least


def test_a_page_that_cannot_be_read_is_a_finding_and_no_failure(log: Path) -> None:
    with plain(log) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'audit_entries'").fetchone()
    whole, begin = log.read_bytes(), (page - 1) * size
    found = looked_at(log, whole[:begin] + b"\xff" * size + whole[begin + size :])
    assert found.found[0].first == 0
    assert "damaged" in found.found[0].what


def test_the_undamaged_file_is_valid(log: Path) -> None:
    assert looked_at(log, log.read_bytes()).valid


@settings(max_examples=60)
@given(at=st.integers(min_value=0), many=st.sampled_from([1, 1, 16, 64]), mask=st.integers(1, 255))
def test_no_change_of_the_file_that_changes_a_row_passes(log: Path, at: int, many: int, mask: int) -> None:
    whole = log.read_bytes()
    at %= len(whole)
    changed = whole[:at] + bytes(byte ^ mask for byte in whole[at : at + many]) + whole[at + many :]
    try:
        valid = looked_at(log, changed).valid
    except StorageError:
        return
    if valid:
        with plain(log) as before, plain(log.with_name("changed.db")) as after:
            assert not tables.difference(tables.read(before), tables.read(after))
            assert indexed(before) == indexed(after)


def indexed(connection: sqlite3.Connection) -> list[object]:
    """What searches read, from the indexes alone."""
    queries = (
        "SELECT id FROM audit_entries INDEXED BY sqlite_autoindex_audit_entries_1 ORDER BY id",
        "SELECT client, idx FROM audit_entries INDEXED BY ix_audit_entries_client ORDER BY client, idx",
        "SELECT at FROM audit_entries INDEXED BY ix_audit_entries_at ORDER BY at",
        "SELECT idx, tag FROM audit_subjects INDEXED BY ix_audit_subjects_idx ORDER BY idx, tag",
    )
    return [connection.execute(query).fetchall() for query in queries]
