"""Entries in archives: what proves them is still handed out, they themselves are said to be elsewhere."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from security.audit.archive import archive, due
from security.audit.archived import Part
from security.audit.assembly import log_verifiers
from tests.test_audit_rest.office import PERSON, Office, asked_about
from tests.test_audit_rest.test_shown import proven


@pytest.fixture
def shelved(tmp_path: Path) -> Iterator[tuple[Office, Part]]:
    """A deployment of which everything so far was archived."""
    office = Office(tmp_path / "state")
    (tmp_path / "shelf").mkdir()

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


def test_callers_get_the_proofs_of_their_archived_entries_and_of_no_others(shelved: tuple[Office, Part]) -> None:
    office, part = shelved
    index = part.last - 1
    assert proven(office, office.get(f"/v1/audit/entries/{index}/proof", client="ministry"))
    assert office.ask(f"/v1/audit/entries/{index}", client="ministry").json["reason"] == "archived"
    for path in ("", "/proof"):
        told = office.ask(f"/v1/audit/entries/{index}{path}", client="province")
        assert told.status == 404
        assert "reason" not in told.json
