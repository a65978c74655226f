"""Pushes of several requests that come at once: one commit for many, an end of its own for each."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from schemas.errors import Internal
from security.audit.tables import CHECKPOINTS, ENTRIES
from sync.intake import Taken
from sync.pushes import Push
from sync.writing import GroupOfPushes
from tests.test_intake.world import CODE, NEIGHBOUR, OTHER_CODE, PROVINCE, Desk, a_status


async def test_pushes_of_several_sources_share_commits_and_stay_their_own(desk: Desk) -> None:
    await desk.put()
    sources = [(caller, number) for number in range(20) for caller in (PROVINCE, NEIGHBOUR)]
    pushed = [
        desk.push(a_status(sequence=number + 1), code=OTHER_CODE, key=f"k-{number}", caller=caller)
        for caller, number in sources
    ]
    taken = await asyncio.gather(*pushed)
    assert {(one.result, one.reason) for one in taken} <= {("waiting", "unregistered")}
    assert len({one.receipt.index for one in taken}) == len(sources)
    rows = {row["event_id"]: (row["client_id"], row["agency"], row["sequence"]) for row in await desk.rows()}
    for one, (caller, number) in zip(taken, sources, strict=True):
        assert rows[one.event_id] == (caller.client_id, caller.agency, number + 1)
    storage = desk.world.storage
    commits = await storage.read(lambda connection: connection.execute(select(func.count(CHECKPOINTS.c.size))).scalar())
    assert commits is not None
    assert commits < len(sources) / 2
    clients = await storage.read(
        lambda connection: connection.execute(
            select(ENTRIES.c.id, ENTRIES.c.client).where(ENTRIES.c.kind == "intake")
        ).all()
    )
    assert {one.event_id: caller.client_id for one, (caller, _) in zip(taken, sources, strict=True)}.items() <= dict(
        map(tuple, clients)
    ).items()


async def test_what_one_push_breaks_does_not_end_the_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.put()
    whole = GroupOfPushes._one

    def broken(self: GroupOfPushes, group: Any, push: Push, index: int) -> Any:
        if push.code == OTHER_CODE:
            raise RuntimeError("a mistake")
        return whole(self, group, push, index)

    monkeypatch.setattr(GroupOfPushes, "_one", broken)
    codes = [OTHER_CODE if number == 3 else CODE for number in range(8)]
    pushed = [desk.push(a_status(), code=code, key=f"k-{number}") for number, code in enumerate(codes)]
    results = await asyncio.gather(*pushed, return_exceptions=True)
    assert [isinstance(result, Internal) for result in results] == [code == OTHER_CODE for code in codes]
    assert sum(isinstance(result, Taken) and result.result == "accepted" for result in results) == 7
    # The registration and seven statuses.
    assert len(await desk.rows()) == 8
