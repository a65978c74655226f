"""What the portal lost is sent again where that is allowed, with evidence, and nothing else is touched."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from adapters.portal import PORTAL
from adapters.transport import Undelivered
from schemas.exchange import Answer, Exchange
from sync import reconciliations as rows
from sync.destinations import paused, resumed
from sync.reconciliation_tables import RECONCILIATION_DOSSIERS, RECONCILIATIONS
from sync.tables import DOSSIERS
from tests.test_delivery.doubles import Double, failing, hanging
from tests.test_delivery.world import Post, a_code, a_dossier, a_status
from tests.test_intake.world import CODE, OTHER_CODE
from tests.test_reconciliation.clerk import (
    a_reconciler,
    begun,
    ended,
    found,
    lost,
    now,
    read,
    reconciled,
    working,
)
from tests.test_reconciliation.test_findings import delivered


async def acts(post: Post) -> list[dict[str, Any]]:
    """The entries that stand for what reconciliations did."""
    reader = post.desk.world.reader
    entries = [(await reader.show(index)).entry for index in range(await reader.size())]
    return [entry for entry in entries if entry["kind"] == "admin"]


async def delivering(post: Post) -> None:
    post.start()
    await post.drained()
    await post.stop()


async def test_a_step_is_sent_again_only_where_nothing_behind_it_was_applied(post: Post) -> None:
    last, middle = a_code(1), a_code(2)
    for code in (last, middle):
        await delivered(post, code, "4", "5", "9")
    await lost(post, last, 3)
    await lost(post, last, 2)
    await lost(post, middle, 2)
    assert await reconciled(post, repair=True) == [
        ("missing-step", "5", None, "not-repairable"),
        ("missing-step", "5", None, "queued"),
        ("missing-step", "9", None, "queued"),
    ]
    started, repaired, over = await acts(post)
    assert (started["caller"]["client"], started["details"]["action"]) == ("province", "reconciliation-started")
    assert (repaired["caller"]["client"], repaired["dossier"]) == ("province", last)
    assert [each["state"] for each in repaired["details"]["before"]] == ["delivered"] * 2
    assert [each["state"] for each in repaired["details"]["after"]] == ["queued"] * 2
    assert over["details"]["findings"] == {"missing-step": 3}
    await delivering(post)
    told = [line[1:] for line in await post.told() if line[0] == last]
    assert told == [(1, "4", 1), (2, "5", 1), (3, "9", 1)]
    assert [line[1] for line in await post.told() if line[0] == middle] == [1, 3]
    assert await reconciled(post) == [("missing-step", "5", None, None)]


async def test_a_dossier_is_registered_again_as_it_is_now_and_its_steps_follow(post: Post) -> None:
    await delivered(post, CODE, "4", "5")
    await post.desk.put(a_dossier(summary="đã sửa"))
    await post.desk.push(a_status("4", sequence=3))
    await delivering(post)
    await lost(post, CODE)
    assert await reconciled(post, repair=True) == [("missing-dossier", "4", None, "queued")]
    assert [row["delivered_status"] for row in await post.desk.rows(DOSSIERS)] == [None]
    await delivering(post)
    assert await post.told() == [(CODE, 1, "4", 1), (CODE, 2, "5", 1), (CODE, 3, "4", 1)]
    (held,) = await post.portal.look_up(CODE)
    assert (held["TrichYeuHoSo"], held["TrangThaiHoSo"]) == ("đã sửa", "4")
    assert await reconciled(post, repair=True) == []
    assert {row["state"] for row in await post.desk.rows()} == {"delivered"}


async def test_a_dossier_that_was_adopted_is_not_registered(local: Post) -> None:
    await local.desk.put(a_dossier(deliver=False))
    assert await reconciled(local, repair=True) == [("missing-dossier", None, None, "not-repairable")]
    assert await local.desk.rows() == []


async def test_nothing_is_repaired_that_is_being_sent(local: Post) -> None:
    await delivered(local, CODE, "4", "5")
    await lost(local, CODE, 2)
    await local.desk.push(a_status("9", sequence=3))
    reached = asyncio.Event()
    local.start(Double(local.handler, hanging(reached, applies=False)))
    await reached.wait()
    one = await begun(local, repair=True)
    async with working(a_reconciler(local)):

        async def put_off() -> bool:
            left = await local.desk.rows(RECONCILIATION_DOSSIERS)
            return bool(left) and left[0]["due_at"] > now()

        await local.until(put_off, "it is put off")
    assert (await read(local, one)).state == "running"
    assert await found(local, one) == []
    assert [row["state"] for row in await local.desk.rows()] == ["delivered", "delivered", "delivered", "sending"]
    local.abandon()


async def test_the_portal_is_asked_later_when_it_is_down(post: Post) -> None:
    await delivered(post)
    await lost(post, CODE, 2)
    down = Double(post.handler, *[failing(Undelivered())] * 5, of="look-up")
    assert await reconciled(post, handler=down) == [("missing-step", "9", None, None)]
    assert down.asked == ["look-up"] * 6


async def test_one_that_cannot_ask_in_time_is_incomplete(local: Post) -> None:
    await delivered(local)
    one = await begun(local)
    down = Double(local.handler, *[failing(Undelivered())] * 10_000, of="look-up")
    async with working(a_reconciler(local, down, reconcile_for=0.5)):
        over = await ended(local, one)
    assert (over.state, over.checked) == ("incomplete", 0)
    assert await found(local, one) == [("portal-unavailable", None, None, None)]
    assert (await acts(local))[-1]["details"]["state"] == "incomplete"


async def test_a_portal_that_is_held_is_not_asked(local: Post) -> None:
    await delivered(local)
    storage = local.desk.world.storage
    await storage.write(lambda connection: paused("portal", "tester", "works", now())(connection, 0))
    one = await begun(local)
    double = Double(local.handler)
    async with working(a_reconciler(local, double)):

        async def waited() -> bool:
            return (await read(local, one)).failures >= 2

        await local.until(waited, "it waits")
        assert double.asked == []
        await storage.write(lambda connection: resumed("portal")(connection, 0))
        assert (await ended(local, one)).state == "done"


async def test_one_destination_that_is_held_keeps_no_other_waiting(
    local: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.reconciler._CHUNK", 1)
    for code in (CODE, OTHER_CODE):
        await delivered(local, code)
    await lost(local, OTHER_CODE, 2)
    storage = local.desk.world.storage
    elsewhere = update(DOSSIERS).where(DOSSIERS.c.code == CODE).values(destination="portal-2")
    await storage.write(lambda connection: connection.execute(elsewhere))
    await storage.write(lambda connection: paused("portal-2", "tester", "works", now())(connection, 0))
    one = await begun(local)
    async with working(a_reconciler(local, more=(replace(PORTAL, name="portal-2"),))):

        async def compared() -> bool:
            return (await read(local, one)).checked == 1

        await local.until(compared, "the other is compared")
        assert await found(local, one) == [("missing-step", "9", None, None)]
        back = update(DOSSIERS).where(DOSSIERS.c.code == CODE).values(destination="portal")
        await storage.write(lambda connection: connection.execute(back))
        assert (await ended(local, one)).checked == 2


async def test_one_is_worked_on_once_and_gone_on_with_after_a_crash(post: Post) -> None:
    codes = [a_code(number) for number in range(1, 46)]
    for code in codes:
        await post.desk.put(code=code)
    await delivering(post)
    one = await begun(post)
    asked: list[str] = []
    third = asyncio.Event()

    async def counting(exchange: Exchange) -> Answer:
        question: Any = exchange.question
        asked.append(question.code)
        if len(asked) > 40 and not third.is_set():
            third.set()
            await asyncio.Event().wait()
        return await post.handler(exchange)

    first = a_reconciler(post, counting, name="elsewhere:1:1:a")
    task = asyncio.create_task(first.run())
    await third.wait()
    others = [a_reconciler(post, counting), a_reconciler(post, counting)]
    async with working(*others):
        assert await post.desk.world.storage.read(lambda connection: rows.free(connection, now())) == []
        # As after a kill: nothing is given back, its lease runs out.
        over_now = update(RECONCILIATIONS).values(lease_until=0)
        await post.desk.world.storage.write(lambda connection: connection.execute(over_now))
        over = await ended(post, one)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (over.state, over.dossiers, over.checked) == ("done", 45, 45)
    # Twice only those that were under way.
    assert sorted(set(asked)) == codes
    assert len(asked) <= 45 + 5


async def test_one_of_the_same_day_is_under_way_once(local: Post) -> None:
    one = await begun(local)
    with pytest.raises(rows.Running) as error:
        await begun(local)
    assert error.value.reconciliation.id == one.id
    await begun(local, agency="H22")
    async with working(a_reconciler(local)):
        await ended(local, one)
    await begun(local)
    assert OTHER_CODE not in [row["code"] for row in await local.desk.rows()]


async def test_a_clock_that_is_set_back_keeps_none_waiting(local: Post) -> None:
    await delivered(local)
    one = await begun(local)
    hours = now() + 10 * 3_600_000
    values = {"due_at": hours, "lease_owner": "elsewhere:1:1:a", "lease_until": hours}
    ahead = update(RECONCILIATIONS).values(values)
    await local.desk.world.storage.write(lambda connection: connection.execute(ahead))
    async with working(a_reconciler(local)):
        assert (await ended(local, one)).checked == 1
