"""Rows at which a reader could break off: each is a finding with its entry, and everything else is verified too."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from security.audit.binding import digest
from storage.errors import SchemaUnknown
from storage.sqlite import plain
from tests.test_tampering.plain_logs import AT, plain_log
from tests.test_tampering.test_archived_verdicts import record
from tests.test_tampering.test_verdicts import sql, told

DEEP = "[" * 50_000
PUT_BACK = "the entry was redacted, and there is an opening that is not the one that was to be removed"


def redaction(name: str, of: int, removed: str | None = None) -> str:
    """The entry that what opened `of` was removed."""
    details = {"hash": removed, "index": of, "reason": "unlawful"}
    entry = {"at": AT, "details": details, "id": name, "kind": "redaction", "v": 1}
    return json.dumps(entry, separators=(",", ":"))


def made(folder: Path, own: Mapping[int, str] = {}) -> Path:
    """Twelve entries, the first three archived; the opening of the second is being redacted by the entry 9."""
    records = {8: record(0, 3, "a.zip"), 9: redaction("r", 1, digest(b"\xaa", []))}
    path = plain_log(folder / "gateway.db", 12, [12], {**records, **own})
    with plain(path) as connection:
        connection.execute("INSERT INTO audit_openings VALUES (1, '2026-11', 7, x'aa', 'r')")
        connection.execute("UPDATE audit_entries SET body = x'' WHERE idx < 3")
        connection.execute("INSERT INTO audit_archived VALUES (0, 3, 'a.zip', ?, 8)", ("0" * 64,))
        connection.commit()
    return path


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("sealed", ["x'aa'", "NULL"])
def test_a_redaction_may_be_under_way_or_done(log: Path, sealed: str) -> None:
    assert told(log, sql(f"UPDATE audit_openings SET sealed = {sealed}")) == []


@pytest.mark.parametrize("sealed", ["x'ab'", "randomblob(300)", "''"])
def test_nothing_else_may_stand_where_an_archived_entry_was_redacted(log: Path, sealed: str) -> None:
    assert told(log, sql(f"UPDATE audit_openings SET sealed = {sealed}")) == [(1, 1, PUT_BACK)]


def test_a_body_that_is_nested_too_deep_is_no_entry(log: Path) -> None:
    found = told(log, sql(f"UPDATE audit_entries SET body = CAST('{DEEP}' AS BLOB) WHERE idx IN (5, 9)"))
    unreadable = [each[:2] for each in found if each[2] == "the entry cannot be read"]
    # What the second of them recorded is not on record then.
    assert unreadable == [(5, 5), (9, 9)]
    assert (1, 1, "the opening is marked as redacted, but no entry records it") in found


def test_a_body_nested_too_deep_records_no_archive(log: Path) -> None:
    found = told(log, sql(f"UPDATE audit_entries SET body = CAST('{DEEP}' AS BLOB) WHERE idx = 8"))
    assert (0, 2, "no entry records that they were archived in a.zip") in found


@pytest.mark.parametrize("index", [10**30, -(10**30)])
def test_a_redaction_of_an_entry_that_no_database_could_have(tmp_path: Path, index: int) -> None:
    path = made(tmp_path, {10: redaction("s", index)})
    what = f"the redaction of entry {index} that this entry records is not marked there"
    assert told(path, sql()) == [(10, 10, what)]


def test_a_schema_version_that_is_no_number_is_named(log: Path) -> None:
    with pytest.raises(SchemaUnknown, match="version '', which is no number"):
        told(log, sql("UPDATE storage_state SET version = ''"))


def test_a_word_of_a_witness_about_part_of_an_entry(log: Path) -> None:
    whole = "INSERT INTO audit_witnessed SELECT 4.5, 'w', note, NULL, 0 FROM audit_checkpoints"
    assert told(log, sql(whole)) == [(4, 4, "what w saw is of 4.5 entries")]
