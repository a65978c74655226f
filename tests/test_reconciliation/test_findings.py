"""What differs at the portal is found, and nothing else."""

import json

from schemas.exchange import Answer, Exchange
from tests.test_callbacks.world import Office, a_webhook, add_clients
from tests.test_delivery.doubles import Double, refusing
from tests.test_delivery.world import Post, a_code, a_dossier, a_status
from tests.test_intake.world import CODE, OTHER_CODE
from tests.test_portal.visitor import dossier, record
from tests.test_reconciliation.clerk import a_reconciler, begun, ended, found, lost, reconciled, restated, working


async def delivered(post: Post, code: str = CODE, *statuses: str) -> None:
    """Have a dossier and its statuses delivered, and nothing at work afterwards."""
    await post.desk.put(a_dossier(), code=code)
    for number, status in enumerate(statuses or ("4", "9"), start=1):
        await post.desk.push(a_status(status, sequence=number), code=code)
    post.start()
    await post.drained()
    await post.stop()


async def test_what_was_delivered_and_is_there_is_no_finding(post: Post) -> None:
    await delivered(post)
    await delivered(post, OTHER_CODE, "4")
    one = await begun(post)
    async with working(a_reconciler(post)):
        over = await ended(post, one)
    assert (over.state, over.dossiers, over.checked, over.findings) == ("done", 2, 2, 0)


async def test_what_the_portal_lost_or_changed_is_found(post: Post) -> None:
    lost_step, twice, foreign, other, gone = (a_code(number) for number in range(1, 6))
    for code in (lost_step, twice, foreign, other, gone):
        await delivered(post, code)
    await lost(post, lost_step, 1)
    (held,) = await post.portal.look_up(twice)
    await post.portal.advance(held["DanhSachTienDo"][1])
    await post.portal.advance(record(None, "9", foreign))
    await restated(post, other, "5")
    await lost(post, gone)
    assert sorted(await reconciled(post)) == [
        ("applied-twice", "1", "2", None),
        ("foreign-step", None, "9", None),
        ("missing-dossier", "9", None, None),
        ("missing-step", "4", None, None),
        ("status-differs", "9", "5", None),
    ]
    assert len(await post.told()) == 8


async def test_what_has_not_arrived_is_told_with_its_state(post: Post) -> None:
    dead, waiting, held = a_code(1), a_code(2), a_code(3)
    for code in (dead, held):
        await post.desk.put(code=code)
    await post.desk.push(a_status("4", sequence=1), code=dead)
    await post.desk.push(a_status("4", sequence=1), code=waiting)
    await post.desk.push(a_status("XONG", vocabulary="bhxh", sequence=1), code=held)
    post.start(Double(post.handler, refusing(dead)))

    async def refused() -> bool:
        return any(row["state"] == "dead" for row in await post.desk.rows())

    await post.until(refused, "a dead letter")
    await post.stop()
    assert sorted(await reconciled(post, repair=True)) == [
        ("dead", "delivered", "dead: invalid-data", None),
        ("in-quarantine", "delivered", "quarantined: unknown-status", None),
        ("still-waiting", "delivered", "waiting: unregistered", None),
    ]


async def test_another_agency_and_another_day_are_not_concerned(local: Post) -> None:
    await delivered(local)
    await lost(local, CODE)
    ones = [await begun(local, agency="H22"), await begun(local, day="2026-01-05")]
    async with working(a_reconciler(local)):
        overs = [await ended(local, one) for one in ones]
    assert [(over.state, over.dossiers, over.findings) for over in overs] == [("done", 0, 0)] * 2
    assert [await found(local, one) for one in ones] == [[], []]


async def test_receivers_of_the_agency_are_told_that_it_ended(local: Post) -> None:
    office = Office(local.desk.world.storage)
    await add_clients(office.storage, province="H26", neighbour="H22")
    webhook = a_webhook("http://127.0.0.1:9/", events=["reconciliation.finished"])
    await office.configure(province=webhook, neighbour=webhook)
    await delivered(local)
    await restated(local, CODE, "5")
    one = await begun(local)
    async with working(a_reconciler(local)):
        await ended(local, one)
    (told,) = await office.rows()
    assert (told["client_id"], told["type"]) == ("province", "reconciliation.finished")
    assert json.loads(told["data"]) == {
        "id": one.id,
        "day": one.day,
        "state": "done",
        "dossiers": 1,
        "checked": 1,
        "findings": 1,
        "link": f"/v1/reconciliations/{one.id}",
    }


async def test_what_is_delivered_while_the_portal_is_asked_is_no_finding(local: Post) -> None:
    await delivered(local, CODE, "4")
    await local.desk.push(a_status("9", sequence=2))

    async def slow(exchange: Exchange) -> Answer:
        answer = await local.handler(exchange)
        local.start()
        await local.drained()
        await local.stop()
        return answer

    assert await reconciled(local, handler=slow) == []
    assert [line[1:] for line in await local.told()] == [(1, "4", 1), (2, "9", 1)]


async def test_steps_from_before_an_adoption_are_not_foreign(local: Post) -> None:
    await local.portal.register(dossier(CODE, TrangThaiHoSo="2"))
    await local.portal.advance(record(None, "4", CODE))
    await local.desk.put(a_dossier(deliver=False, status="4"))
    assert await reconciled(local) == []
    await local.portal.advance(record(None, "9", CODE, ThoiDiemXuLy="29990101000000"))
    assert await reconciled(local) == [("foreign-step", None, "9", None)]
