"""Entries in archives: what proves them is still handed out, they themselves are said to be elsewhere."""

import hashlib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from security.audit.archive import archive, due
from security.audit.archived import Part
from security.audit.assembly import log_verifiers
from tests.test_audit_rest.office import PERSON, Office, asked_about
from tests.test_audit_rest.test_shown import proven


@pytest.fixture
def shelved(tmp_path: Path) -> Iterator[tuple[Office, Part]]:
    """A deployment of which everything so far was archived; the files are not where it looks for them."""
    (tmp_path / "shelf").mkdir()
    (tmp_path / "at-hand").mkdir()
    office = Office(tmp_path / "state", archives=tmp_path / "at-hand")

    async def move() -> Part:
        at = office.gateway
        span = await due(at.storage, datetime.now(UTC) + timedelta(days=1))
        assert span is not None
        keys = log_verifiers(at.keys, at.log.origin)
        act = asked_about(data=None, question=None, kind="admin", details={"action": "audit-archive"})
        return await archive(at.storage, at.log, keys, tmp_path / "shelf", span, act)

    try:
        office.log(*(asked_about(PERSON) for _ in range(3)))
        yield office, office.run(move())
    finally:
        office.close()


def test_archived_entries_are_listed_found_and_proven(shelved: tuple[Office, Part]) -> None:
    office, part = shelved
    index = part.last - 1
    told = office.ask(f"/v1/audit/entries/{index}")
    assert (told.status, told.json["reason"]) == (404, "archived")
    assert part.file in told.body.decode()
    assert proven(office, office.get(f"/v1/audit/entries/{index}/proof"))
    opened = office.ask(f"/v1/audit/entries/{index}/values", {"reason": "inspection of the office"})
    assert (opened.status, opened.json["reason"]) == (404, "archived")
    listed = office.get(f"/v1/audit/entries?after={index - 1}&limit=1")["items"][0]
    assert listed["index"] == index
    assert listed["entry"]["archived"] == part.file
    assert listed["entry"]["caller"] == {"client": "ministry"}
    found = office.ask("/v1/audit/search", {"subject": {"value": PERSON}}).json["items"]
    assert [each["entry"].get("archived") for each in found[:3]] == [part.file] * 3
    tile = office.ask("/v1/audit/log/tile/entries/000.p/2")
    assert (tile.status, tile.json["reason"]) == (404, "archived")


def test_with_the_files_at_hand_bundles_of_entries_are_whole(shelved: tuple[Office, Part], tmp_path: Path) -> None:
    office, part = shelved
    assert office.ask("/v1/audit/log/tile/entries/000.p/2").json["reason"] == "archived"
    file = (tmp_path / "shelf" / part.file).rename(tmp_path / "at-hand" / part.file)
    for width in (part.last + 1, 2):
        told = office.ask(f"/v1/audit/log/tile/entries/000.p/{width}")
        assert told.status == 200, told.body
        left, leaves = told.body, b""
        while left:
            size = int.from_bytes(left[:2], "big")
            leaves += hashlib.sha256(b"\x00" + left[2 : 2 + size]).digest()
            left = left[2 + size :]
        assert leaves == office.ask(f"/v1/audit/log/tile/0/000.p/{width}", client=None).body
    assert hashlib.sha256(b"\x00" + office.ask("/v1/audit/entries/1").body).digest() == leaves[32:]
    file.write_bytes(b"PK and nothing else")
    told = office.ask("/v1/audit/log/tile/entries/000.p/2")
    assert (told.status, told.json["reason"]) == (404, "archived")
    assert part.file in told.json["detail"]


@pytest.mark.parametrize("damage", ["cut", "forged"])
def test_a_damaged_file_is_not_called_absent_and_the_log_tells_of_it_once(
    shelved: tuple[Office, Part], tmp_path: Path, damage: str
) -> None:
    office, part = shelved
    asked = [*(f"/v1/audit/entries/{index}" for index in (1, part.last - 1)), "/v1/audit/log/tile/entries/000.p/2"]

    def said() -> set[str]:
        told = [office.ask(path, Accept_Language="en") for path in asked]
        assert {(each.status, each.json["reason"]) for each in told} == {(404, "archived")}
        return {each.json["detail"] for each in told}

    with capture_logs() as logs:
        (absent,) = said()
        assert "not at hand" in absent
        whole, file = tmp_path / "shelf" / part.file, tmp_path / "at-hand" / part.file
        if damage == "cut":
            file.write_bytes(whole.read_bytes()[:-100])
        else:
            with zipfile.ZipFile(file, "x") as archive:
                archive.writestr("entries.jsonl", "{}\n" * part.last)
        (damaged,) = said()
        assert (part.file in damaged, "is damaged" in damaged) == (True, True)
        listed = office.get("/v1/audit/entries?limit=2")["items"]
        assert [each["entry"]["archived"] for each in listed] == [part.file] * 2
    warned = [each["file"] for each in logs if each["event"] == "audit-archive-damaged"]
    assert warned == [part.file]


def test_callers_get_the_proofs_of_their_archived_entries_and_of_no_others(shelved: tuple[Office, Part]) -> None:
    office, part = shelved
    index = part.last - 1
    assert proven(office, office.get(f"/v1/audit/entries/{index}/proof", client="ministry"))
    assert office.ask(f"/v1/audit/entries/{index}", client="ministry").json["reason"] == "archived"
    for path in ("", "/proof"):
        told = office.ask(f"/v1/audit/entries/{index}{path}", client="province")
        assert told.status == 404
        assert "reason" not in told.json
