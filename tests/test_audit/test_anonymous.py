"""Requests that nobody can be held to: counted, bounded, never lost while the log is away."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import EvidenceUnavailable, SignatureRejected
from security.audit.anonymous import BulkCounter
from security.audit.reading import Filter
from security.audit.trail import AuditTrail
from tests.test_audit.audit_world import World


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def details(world: World) -> list[dict[str, object]]:
    return [each.entry["details"] for each in await world.reader.entries(Filter(), limit=500)]  # type: ignore[misc]


async def test_one_entry_per_source_kind_and_minute(world: World) -> None:
    clock = Clock()
    counter = BulkCounter(world.log, now=clock)
    for _ in range(5):
        counter.count("unauthenticated", "192.0.2.1")
    counter.count("unauthenticated", "192.0.2.2")
    counter.count("over-limit", "client-7")
    assert await counter.flush() == 0
    clock.now += timedelta(minutes=1)
    counter.count("unauthenticated", "192.0.2.1")
    assert await counter.flush() == 3
    await counter.close()
    found = await details(world)
    assert [(each["what"], each["source"], each["count"]) for each in found] == [
        ("unauthenticated", "192.0.2.1", 5),
        ("unauthenticated", "192.0.2.2", 1),
        ("over-limit", "client-7", 1),
        ("unauthenticated", "192.0.2.1", 1),
    ]
    kinds = [each.entry["kind"] for each in await world.reader.entries(Filter())]
    assert kinds == ["anonymous", "anonymous", "over-limit", "anonymous"]
    assert (await world.reader.show(0)).entry["at"] == "2026-11-22T10:00:00.000000Z"


async def test_flood_from_many_sources_grows_the_log_by_the_bound_only(world: World) -> None:
    clock = Clock()
    counter = BulkCounter(world.log, entries_per_minute=10, now=clock)
    for minute in range(3):
        for number in range(20_000):
            counter.count("unauthenticated" if number % 2 else "malformed", f"203.0.{number // 250}.{number % 250}")
        clock.now += timedelta(minutes=1)
        assert await counter.flush() == 10
        assert await world.reader.size() == 10 * (minute + 1)
    assert sum(each["count"] for each in await details(world)) == 60_000  # type: ignore[misc]


async def test_counts_wait_while_the_log_is_away_and_stay_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    counter = BulkCounter(world.log, entries_per_minute=4, now=clock)

    async def failing(*_: object, **__: object) -> None:
        raise EvidenceUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(world.log, "record", failing)
        for minute in range(30):
            for source in range(6):
                counter.count("unauthenticated", f"{minute}.{source}")
            clock.now += timedelta(minutes=1)
            assert await counter.flush() == 0
    written = await counter.flush()
    assert written <= 4 * 6
    assert sum(each["count"] for each in await details(world)) == 180  # type: ignore[misc]


async def test_close_writes_what_the_running_task_has_not(world: World) -> None:
    counter = BulkCounter(world.log)
    counter.start()
    counter.count("unauthenticated", "192.0.2.1")
    await counter.close()
    assert [each["count"] for each in await details(world)] == [1]


async def test_no_room_at_all_is_a_mistake(world: World) -> None:
    with pytest.raises(ValueError, match="room"):
        BulkCounter(world.log, entries_per_minute=0)


async def test_claims_that_nobody_proved_and_bad_signatures_are_told_with_their_reason(world: World) -> None:
    counter = BulkCounter(world.log)
    trail = AuditTrail(world.log, counter)
    trail.unproven("expired", "192.0.2.1", "ministry")
    trail.unproven("unknown", "192.0.2.1", None)
    trail.anonymous(SignatureRejected(reason="altered"), "192.0.2.1")
    await counter.close()
    found = [each.entry for each in await world.reader.entries(Filter())]
    assert [(each["kind"], each["details"]["what"], each["details"].get("claimed")) for each in found] == [  # type: ignore[index, attr-defined]
        ("token", "expired", "ministry"),
        ("anonymous", "unauthenticated", None),
        ("anonymous", "signature-rejected/altered", None),
    ]
    assert not any("caller" in each for each in found)
