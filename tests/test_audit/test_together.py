"""Entries that are recorded together: one write for all of them, each with an end of its own."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text

from schemas.errors import EvidenceUnavailable
from security.audit.log import BATCH
from security.audit.receipt import Receipt
from security.audit.verification import verify
from tests.test_audit.audit_world import World, evidence


class Refusal(Exception):
    """What a write says about one of its entries."""


async def test_entries_that_stand_follow_each_other_and_others_leave_nothing(world: World) -> None:
    seen: list[tuple[int, tuple[int, ...]]] = []

    def write(connection: Connection, index: int, asked: Sequence[int]) -> list[Exception | None]:
        seen.append((index, tuple(asked)))
        connection.execute(text("UPDATE storage_state SET moved_to = NULL"))
        return [Refusal() if place % 3 == 1 else None for place in asked]

    events = [evidence() for _ in range(7)]
    before = await world.log.record(evidence())
    results = await world.log.record_together(events, write)
    assert seen == [(before.index + 1, tuple(range(7)))]
    assert [type(result) for result in results] == [Refusal if place % 3 == 1 else Receipt for place in range(7)]
    standing = [result for result in results if isinstance(result, Receipt)]
    assert [result.index for result in standing] == [before.index + 1 + place for place in range(5)]
    for event, result in zip(events, results, strict=True):
        if isinstance(result, Receipt):
            assert (await world.reader.show(result.index)).entry["id"] == event.id
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).entries == 6


async def test_a_write_that_fails_takes_its_own_entries_only(world: World) -> None:
    def fail(connection: Connection, index: int, asked: Sequence[int]) -> list[Exception | None]:
        connection.execute(text("UPDATE audit_head SET size = 99"))
        raise Refusal

    refused, receipt = await asyncio.gather(
        world.log.record_together([evidence(), evidence()], fail), world.log.record(evidence())
    )
    assert [type(each) for each in refused] == [Refusal, Refusal]
    assert receipt.index == 0
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid


async def test_a_group_is_never_in_two_commits(world: World) -> None:
    calls: list[int] = []

    def write(connection: Connection, index: int, asked: Sequence[int]) -> list[Exception | None]:
        calls.append(len(asked))
        return [None] * len(asked)

    singles = [world.log.record(evidence()) for _ in range(BATCH - 3)]
    group = world.log.record_together([evidence() for _ in range(BATCH)], write)
    await asyncio.gather(*singles, group)
    assert calls == [BATCH]
    with pytest.raises(ValueError, match="at most"):
        await world.log.record_together([evidence() for _ in range(BATCH + 1)], write)


async def test_a_group_for_which_there_is_no_room_is_refused_as_a_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.log.BACKLOG", 3)

    def write(connection: Connection, index: int, asked: Sequence[int]) -> list[Exception | None]:
        return [None] * len(asked)

    with pytest.raises(EvidenceUnavailable):
        await world.log.record_together([evidence() for _ in range(4)], write)
    assert (await world.log.record(evidence())).index == 0
