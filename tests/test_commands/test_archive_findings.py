"""`lgsp doctor` on the files of archived entries: there, elsewhere, missing, damaged, no files."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from routes.archive_findings import archives
from security.audit.archived import Part

FIRST, SECOND = b"the first archive", b"the second archive"
PARTS = [
    Part(0, 10, "audit-0-10.zip", sha256(FIRST).hexdigest(), 31),
    Part(10, 20, "audit-10-20.zip", sha256(SECOND).hexdigest(), 32),
]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "audit-0-10.zip").write_bytes(FIRST)
    (tmp_path / "audit-10-20.zip").write_bytes(SECOND)
    return tmp_path


def found(directory: Path | None, parts: list[Part] = PARTS) -> list[tuple[str, str | None, str]]:
    said = [*archives(directory, parts)]
    assert all(each.next and str(directory) in each.next for each in said if each.level != "ok")
    return [(each.level, each.code, each.text.replace(str(directory), "SHELF")) for each in said]


def test_nothing_archived_is_nothing_to_say(shelf: Path) -> None:
    assert found(None, []) == found(shelf, []) == []


def test_archives_that_hold_and_archives_elsewhere(shelf: Path) -> None:
    assert found(shelf) == [("ok", "archives-hold", "2 archives are there, 2 of them compared")]
    elsewhere = "entries before 20 lie in 2 archives, which are not read from here"
    assert found(None) == [("ok", "archives-elsewhere", elsewhere)]


def test_missing_and_damaged_files_are_named(shelf: Path) -> None:
    (shelf / "audit-0-10.zip").unlink()
    (shelf / "audit-10-20.zip").write_bytes(SECOND + b" ")
    assert found(shelf) == [
        ("problem", "archive-damaged", "SHELF/audit-10-20.zip is not the file that entry 32 recorded"),
        ("warning", "archive-missing", "SHELF/audit-0-10.zip is missing: entries 0 to 9"),
    ]


def test_what_is_no_file_keeps_nobody_waiting(shelf: Path) -> None:
    (shelf / "audit-10-20.zip").unlink()
    (shelf / "audit-10-20.zip").mkdir()
    ((level, code, text),) = found(shelf)
    assert (level, code) == ("problem", "archive-damaged")
    assert text == "SHELF/audit-10-20.zip cannot be read (it is no regular file)"


def test_beyond_a_bound_files_are_only_looked_for(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routes.archive_findings._LARGEST", len(SECOND))
    (shelf / "audit-0-10.zip").write_bytes(b"anything")
    assert found(shelf) == [("ok", "archives-hold", "2 archives are there, 1 of them compared")]
