"""Reading the trail: filters and cursors, who read whom, openings, redaction."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from security.audit.reading import Filter, NoEntry
from security.audit.redaction import finish, redact
from security.audit.tables import OPENINGS, SUBJECTS
from security.audit.vault import Destroyed
from security.audit.verification import verify
from tests.test_audit.audit_world import World, evidence

LAN, MINH, HOA = "001090123456", "001185654321", "079301000017"
NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


async def test_pages_follow_the_cursor_and_miss_nothing(world: World) -> None:
    for number in range(25):
        await world.log.record(evidence(client=f"client-{number % 2}", at=NOON + timedelta(minutes=number)))
    seen: list[int] = []
    after = -1
    while page := await world.reader.entries(Filter(client="client-1"), after=after, limit=5):
        seen += [each.index for each in page]
        after = page[-1].index
        await world.log.record(evidence(client="client-0"))
    assert seen == list(range(1, 25, 2))
    late = await world.reader.entries(Filter(since=NOON + timedelta(minutes=10), before=NOON + timedelta(minutes=13)))
    assert [each.index for each in late] == [10, 11, 12]
    for nothing in (Filter(client="nobody"), Filter(outcome="refused"), Filter(dossier="x"), Filter(kind="admin")):
        assert await world.reader.entries(nothing) == []
    one = (await world.reader.show(3)).entry
    found = await world.reader.entries(Filter(request_id=str(one["request_id"]), database="population"))
    assert [each.index for each in found] == [3]


async def test_what_is_not_there_is_said(world: World) -> None:
    assert await world.reader.checkpoint() is None
    assert await world.reader.size() == 0
    for call in (world.reader.show(0), world.reader.open(0), world.reader.prove(0), world.reader.consistency(1, 2)):
        with pytest.raises(NoEntry):
            await call


async def test_who_read_citizen_x(world: World) -> None:
    month = timedelta(days=31)
    await world.log.record(evidence(LAN, MINH, at=NOON - month))
    await world.log.record(evidence(HOA, at=NOON))
    await world.log.record(evidence(MINH, LAN, at=NOON))
    assert [each.index for each in await world.reader.search("personal-number", LAN)] == [0, 2]
    assert [each.index for each in await world.reader.search("personal-number", LAN, after=0)] == [2]
    assert [each.index for each in await world.reader.search("personal-number", HOA)] == [1]
    assert await world.reader.search("tax-code", LAN) == []
    assert await world.reader.search("personal-number", "001090123457") == []
    await asyncio.to_thread(world.sealer.destroy_period, "2026-10")
    assert [each.index for each in await world.reader.search("personal-number", LAN)] == [2]


@pytest.mark.parametrize("at_once", [1, 5, 500])
async def test_search_finds_all_whatever_span_they_lie_in(
    world: World, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    for module in ("subjects", "openings"):
        monkeypatch.setattr(f"security.audit.{module}.SPAN", 4)
    monkeypatch.setattr("security.audit.subjects._ASKED_AT_ONCE", at_once)
    persons = [LAN if number % 3 else MINH for number in range(22)]
    for person in persons:
        await world.log.record(evidence(person))
    # As an older release wrote it.
    older = (SUBJECTS.c.idx < 6).self_group()
    await world.storage.write(
        lambda connection: connection.execute(update(SUBJECTS).where(older).values(tag=func.substr(SUBJECTS.c.tag, 5)))
    )
    expected = [index for index, person in enumerate(persons) if person == LAN]
    assert [each.index for each in await world.reader.search("personal-number", LAN)] == expected
    for limit in (1, 3):
        pages: list[int] = []
        while page := await world.reader.search("personal-number", LAN, after=pages[-1] if pages else -1, limit=limit):
            assert len(page) <= limit
            pages += [each.index for each in page]
        assert pages == expected
    # That is no form for what this release wrote.
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert {finding.first for finding in found.found} == set(range(6))


async def test_opening_gives_subjects_and_archived_data_only(world: World) -> None:
    await world.log.record(evidence(LAN, MINH, data=b"{}", officer="012345678901"))
    await world.log.record(evidence(LAN, data=b'{"full_name":"Lan"}', archive=True))
    plain, archived = await world.reader.open(0), await world.reader.open(1)
    assert plain.subjects == (("personal-number", LAN), ("personal-number", MINH))
    assert (plain.officer, plain.data) == ("012345678901", None)
    assert (archived.officer, archived.data) == (None, b'{"full_name":"Lan"}')
    assert {"data", "question", "officer", "subjects/0", "subjects/1"} <= plain.salts.keys()
    assert all(len(salt) == 32 for salt in plain.salts.values())


async def test_redaction_destroys_the_opening_and_leaves_the_log_whole(world: World) -> None:
    await world.log.record(evidence(LAN, MINH))
    await world.log.record(evidence(LAN))
    slot = await world.storage.read(
        lambda connection: connection.execute(
            select(OPENINGS.c.period, OPENINGS.c.slot).where(OPENINGS.c.idx == 0)
        ).one()
    )
    receipt = await redact(
        world.storage, world.log, world.sealer, 0, reason="court order 12/2026", evidence=evidence(data=None)
    )
    assert receipt.index == 2
    shown = (await world.reader.show(2)).entry
    details = shown["details"]
    assert isinstance(details, dict)
    assert (shown["kind"], details["index"], details["reason"]) == ("redaction", 0, "court order 12/2026")
    assert (await world.reader.show(0)).redacted
    with pytest.raises(NoEntry):
        await world.reader.open(0)
    with pytest.raises(Destroyed):
        world.sealer.open("any", slot.period, slot.slot, b"")
    assert [each.index for each in await world.reader.search("personal-number", LAN)] == [1]
    with pytest.raises(NoEntry):
        await redact(world.storage, world.log, world.sealer, 0, reason="again", evidence=evidence())
    assert await world.reader.size() == 3
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid, found


async def test_interrupted_redaction_is_finished_later(world: World) -> None:
    await world.log.record(evidence(LAN))
    record = evidence(data=None, id=str(uuid.uuid4()))
    marked = update(OPENINGS).where(OPENINGS.c.idx == 0).values(redacted_by=record.id)
    await world.log.record(record, writes=[lambda connection, _index: connection.execute(marked)])  # type: ignore[list-item,return-value]
    assert (await finish(world.storage, world.sealer), await finish(world.storage, world.sealer)) == (1, 0)
    left = await world.storage.read(
        lambda connection: connection.execute(select(func.count()).select_from(SUBJECTS)).scalar_one()
    )
    assert left == 0
