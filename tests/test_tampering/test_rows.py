"""Any change of any row of the audit tables is reported by plain `verify`, without the vault and without a witness.

LGSP_TAMPER_EXAMPLES says how many random ones are tried.
"""

import asyncio
import os
import re
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from security.audit.findings import Finding, Findings
from storage.sqlite import plain
from tests.test_tampering import tables
from tests.test_tampering.changes import Change, byte_changed, cell, changes, deleted, doubled, forged, swapped
from tests.test_tampering.plain_logs import without_schema
from tests.test_tampering.tables import KEYS, Tables

EXAMPLES = int(os.environ.get("LGSP_TAMPER_EXAMPLES", "60"))
COLUMNS = {
    "audit_head": ("id", "size", "frontier"),
    "audit_entries": (
        "idx", "leaf", "body", "id", "at", "kind", "client", "database", "operation", "purpose", "dossier", "outcome",
        "request_id",
    ),
    "audit_checkpoints": ("size", "note"),
    "audit_tiles": ("level", "number", "hashes", "root"),
    "audit_openings": ("idx", "period", "slot", "sealed", "redacted_by"),
    "audit_subjects": ("tag", "idx"),
    "audit_witnessed": ("size", "witness", "note", "token", "at"),
}  # fmt: skip
# What of a word of a witness the log itself can tell; that it is gone it cannot.
WORD = ("size", "note")
_UNPROVEN = re.compile(r"no checkpoint could be compared with (\d+) to")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of one complete tile and some entries, two of them redacted."""
    return tables.finished(tmp_path_factory.mktemp("log"))


def tampered(log: Path, work: Sequence[Change]) -> tuple[Tables, Tables, Findings]:
    """Do this to a copy; return the tables before and after, and what verification finds then."""
    copy = log.with_name("tampered.db")
    for leftover in log.parent.glob("tampered.db*"):
        leftover.unlink()
    shutil.copy(log, copy)
    with plain(copy) as connection:
        before = tables.read(connection)
        after, freed = dict(before), set()
        for change in work:
            after[change.table] = change.work(after[change.table])
            freed |= {change.table} if change.frees else set()
        for name in KEYS:
            if after[name] != before[name]:
                try:
                    tables.write(connection, name, after[name], freed=name in freed)
                except sqlite3.IntegrityError:
                    assume(False)
        after = tables.read(connection)
    return before, after, asyncio.run(tables.verified(f"sqlite:///{copy}"))


def bad_entries(before: Tables, after: Tables) -> list[int]:
    """The numbers of the entries that are not there as they were."""
    return sorted({max(int(str(row[0])), 0) for row in tables.difference(before, after).get("audit_entries", ())})


def covering(found: Sequence[Finding], index: int) -> bool:
    """Whether the lowest finding is not above this entry, or says itself that it cannot tell."""
    unproven = [int(match[1]) for item in found if (match := _UNPROVEN.search(item.what))]
    return min([item.first for item in found] + unproven) <= index


def words(of: Tables) -> set[tuple[object, ...]]:
    """What witnesses saw: sizes with their notes."""
    there = of["audit_witnessed"]
    return {tuple(row[there.place(column)] for column in WORD) for row in there.rows}


def stamped(of: Tables) -> bool:
    """Whether there is anything in place of a time-stamp; the log has none."""
    there = of["audit_witnessed"]
    return any(row[there.place("token")] is not None for row in there.rows)


def test_columns_are_all_there_are(log: Path) -> None:
    with plain(log) as connection:
        assert {name: table.columns for name, table in tables.read(connection).items()} == COLUMNS


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(changes(COLUMNS), min_size=1, max_size=3))
def test_random_changes_are_reported(log: Path, work: list[Change]) -> None:
    before, after, found = tampered(log, work)
    changed_tables = set(tables.difference(before, after))
    assume(changed_tables)
    allowed = changed_tables == {"audit_witnessed"} and words(after) <= words(before) and not stamped(after)
    assert (not without_schema(found) and not found.more) == allowed, found
    if changed := bad_entries(before, after):
        assert covering(found.found, changed[0]), (changed, found)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column)
        for table, columns in COLUMNS.items()
        for column in columns
        if table != "audit_witnessed" or column in WORD
    ],
)
def test_one_changed_byte_of_every_column_is_reported(log: Path, table: str, column: str) -> None:
    for row in (0, 3, 100):
        before, after, found = tampered(log, [cell(table, column, row, byte_changed, row + 12, 0)])
        assert tables.difference(before, after)
        assert not found.valid, (table, column, row)
        if table == "audit_entries" and column != "idx":
            assert found.first_bad == row % len(before[table].rows)


@pytest.mark.parametrize("row", [0, 5, 40, 255, 256, 268])
def test_careful_forgery_is_placed_between_two_checkpoints_or_better(log: Path, row: int) -> None:
    before, after, found = tampered(log, [forged(row, 1)])
    assert bad_entries(before, after) == [row]
    sizes = [int(str(size)) for size, _ in before["audit_checkpoints"].rows]
    first = found.found[0]
    assert first.first <= row <= first.last
    assert first.first >= max([size for size in sizes if size <= row], default=0)
    assert first.last < min(size for size in sizes if size > row)
    if row < 256:
        # The tile remembers it.
        assert first.first == first.last == row


def test_clumsy_change_does_not_hide_a_careful_one_before_it(log: Path) -> None:
    """Both below one checkpoint: where the first of them is cannot be told, and is not said to be the second."""
    sizes = [int(str(size)) for size, _ in tampered(log, [])[0]["audit_checkpoints"].rows]
    careful, clumsy = sizes[-1] - 3, sizes[-1] - 1
    _, _, found = tampered(log, [forged(careful, 1), cell("audit_entries", "leaf", clumsy, byte_changed, 0, 0)])
    assert found.first_bad is not None
    assert found.first_bad <= careful


@pytest.mark.parametrize("row", [0, 7, 100, 255])
def test_deleted_and_doubled_entries_are_named(log: Path, row: int) -> None:
    assert tampered(log, [deleted("audit_entries", row, 1)])[2].first_bad == row
    assert tampered(log, [doubled("audit_entries", row)])[2].first_bad == row


def test_swapped_entries_are_named(log: Path) -> None:
    every = [column for column in COLUMNS["audit_entries"] if column != "idx"]
    assert tampered(log, [swapped("audit_entries", 30, 90, every)])[2].first_bad == 30


@pytest.mark.parametrize("table", sorted(KEYS.keys() - {"audit_witnessed"}))
def test_lost_table_is_reported(log: Path, table: str) -> None:
    assert not tampered(log, [deleted(table, 0, 10_000)])[2].valid


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE audit_entries SET client = CAST(x'ff41' AS TEXT) WHERE idx = 7", id="text-no-utf8"),
        pytest.param("UPDATE audit_entries SET body = CAST(body AS TEXT) WHERE idx = 7", id="body-as-text"),
        pytest.param("UPDATE audit_entries SET leaf = CAST('x' AS TEXT) WHERE idx = 7", id="leaf-as-text"),
        pytest.param("UPDATE audit_entries SET kind = CAST(kind AS BLOB) WHERE idx = 7", id="kind-as-blob"),
        pytest.param("UPDATE audit_openings SET sealed = CAST('x' AS TEXT) WHERE idx = 7", id="sealed-as-text"),
        pytest.param("UPDATE audit_openings SET redacted_by = CAST(x'ff' AS TEXT) WHERE idx = 7", id="mark-no-utf8"),
        pytest.param("UPDATE audit_checkpoints SET note = CAST(note AS BLOB) WHERE size = 8", id="note-as-blob"),
        pytest.param("UPDATE audit_checkpoints SET note = CAST(x'ff' AS TEXT) WHERE size = 8", id="note-no-utf8"),
        pytest.param(
            "UPDATE audit_checkpoints SET note = note || '— x AAAAAA==' || char(10) WHERE size = 8", id="two-lines"
        ),
        pytest.param("UPDATE audit_witnessed SET note = CAST(note AS BLOB) WHERE size = 9", id="word-as-blob"),
        pytest.param("UPDATE audit_tiles SET hashes = CAST('x' AS TEXT)", id="tile-as-text"),
        pytest.param("UPDATE audit_head SET frontier = CAST('x' AS TEXT)", id="frontier-as-text"),
        pytest.param("UPDATE audit_subjects SET tag = CAST('x' AS TEXT) WHERE idx = 7", id="tag-as-text"),
    ],
)
def test_value_of_another_type_is_reported(log: Path, statement: str) -> None:
    copy = log.with_name("typed.db")
    for leftover in log.parent.glob("typed.db*"):
        leftover.unlink()
    shutil.copy(log, copy)
    with plain(copy) as connection:
        assert connection.execute(statement).rowcount > 0
    assert not asyncio.run(tables.verified(f"sqlite:///{copy}")).valid
