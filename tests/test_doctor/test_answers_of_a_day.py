"""What the log tells of signed answers: refusals with their reasons, and the clocks of those that were believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from adapters.proof import _REASONS
from config.settings import Settings, load
from routes.clock_findings import clock_findings
from routes.evidence_findings import recent, refusals, refusals_of_callers, signed_clocks
from routes.surroundings import surroundings
from security.audit.canonical import canonical
from security.audit.entries import instant
from security.audit.tables import ENTRIES
from storage.engine import Storage
from storage.schema import upgrade
from sync.database import open_storage

NOW = datetime.now(UTC)


def entry(ago: timedelta, code: str = "ok", reason: str | None = None, **more: Any) -> dict[str, Any]:
    outcome = {"code": code, "status": 200} | ({"reason": reason} if reason else {})
    return {"at": instant(NOW - ago), "endpoint": "land", "outcome": outcome, "duration_ms": 40, **more}


def believed(ago: timedelta, off: timedelta = timedelta(0), endpoint: str = "land") -> dict[str, Any]:
    signed_at = instant(NOW - ago + timedelta(milliseconds=20) + off)
    return entry(ago, details={"signer": "sha256:00", "signed_at": signed_at}, endpoint=endpoint)


def refused(ago: timedelta, reason: str) -> dict[str, Any]:
    return entry(ago, "upstream-signature-rejected", reason)


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("reason", sorted(_REASONS))
def test_every_reason_has_a_next_step(reason: str) -> None:
    (finding,) = refusals([refused(2 * MINUTE, reason), refused(3 * MINUTE, reason)])
    assert (finding.subject, finding.level, finding.code) == ("endpoints.land", "problem", f"answers-{reason}")
    assert f"answers were refused as {reason}: 2 within a day" in finding.text
    assert finding.next
    assert "docs/security.md" not in finding.next
    assert "{" not in finding.next


def test_what_was_believed_since_then_makes_a_warning_of_it() -> None:
    (finding,) = refusals([believed(MINUTE), refused(2 * MINUTE, "stale")])
    assert (finding.level, "since then others were believed" in finding.text) == ("warning", True)
    (finding,) = refusals([refused(MINUTE, "stale"), believed(2 * MINUTE)])
    assert finding.level == "problem"
    # That a source without signatures answers proves nothing about one with.
    assert [one.level for one in refusals([entry(MINUTE), refused(2 * MINUTE, "stale")])] == ["problem"]


@pytest.mark.parametrize("reason", sorted(set(_REASONS) - {"not-answer-to-request"}))
def test_every_reason_of_a_caller_has_a_next_step(reason: str) -> None:
    caller = {"client": "so-noi-vu"}
    asked = [entry(MINUTE, "signature-rejected", reason, caller=caller)] * 2
    (finding,) = refusals_of_callers([*asked, entry(2 * MINUTE, caller=caller, details={"caller_signer": "sha256:0"})])
    assert (finding.subject, finding.level, finding.code) == ("client so-noi-vu", "warning", f"requests-{reason}")
    assert f"refused as {reason}: 2 within a day" in finding.text
    assert "since then" not in finding.text
    assert (finding.next or "see section")[:11] != "see section"
    assert "{" not in (finding.next or "")
    assert list(refusals(asked)) == []


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, "ok"), (3, "ok"), (20, "warning"), (-20, "warning"), (-90, "problem")]
)
def test_the_time_of_a_signature_tells_the_clock_of_its_source(seconds: int, level: str) -> None:
    old = believed(5 * MINUTE, timedelta(hours=1))
    (clock,) = signed_clocks([believed(MINUTE, timedelta(seconds=seconds)), old])
    (finding,) = clock_findings([clock])
    assert finding.level == level
    if level != "ok":
        assert (finding.code, "endpoints.land (signed answer)" in finding.text) == ("clock-skew", True)


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[storage]\nurl = "sqlite:///{tmp_path}/lgsp.sqlite"\n', encoding="utf-8")
    made = load(file)
    await upgrade(made.storage.url)
    return made


@pytest.fixture
async def storage(settings: Settings) -> AsyncIterator[Storage]:
    opened = await open_storage(settings.storage.url)
    yield opened
    await opened.close()


def written(connection: Connection, entries: list[dict[str, Any]]) -> None:
    rows = [
        {
            "idx": number,
            "leaf": b"",
            "body": canonical(one),
            "id": f"{number}",
            "at": one["at"],
            "kind": "exchange" if number else "admin",
        }
        for number, one in enumerate(entries)
    ]
    connection.execute(insert(ENTRIES), rows)


async def test_the_newest_of_a_day_are_read_from_the_log(settings: Settings, storage: Storage) -> None:
    entries = [refused(timedelta(hours=1), "expired"), refused(timedelta(days=2), "revoked"), believed(9 * MINUTE)]
    entries.append(refused(MINUTE, "stale"))
    await storage.write(lambda connection: written(connection, entries))
    found = await storage.read(lambda connection: recent(connection, NOW))
    assert [(one["outcome"]["code"], one["outcome"].get("reason")) for one in found] == [
        ("upstream-signature-rejected", "stale"),
        ("ok", None),
    ]
    codes = {finding.code for finding in await surroundings(settings)}
    assert {"answers-stale", "clock-agrees"} <= codes
