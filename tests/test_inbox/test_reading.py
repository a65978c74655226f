"""What people file at the portal is fetched once, in order, whatever is wrong with a single one or with the portal."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import NotFound, UpstreamUnreadable
from schemas.exchange import Answer, Exchange
from sync import inbox
from sync.inbox import visible
from sync.tables import DOSSIER_VERSIONS, DOSSIERS
from tests.test_inbox.world import CODE, NAME, OTHER, PERSON, Box, a_box, filed
from tests.test_intake.world import NEIGHBOUR, PROVINCE
from tests.test_portal.visitor import Visitor


async def content(box: Box, place: int = 0) -> Any:
    row = (await box.rows())[place]
    sealed = type("Row", (), row)()
    return (await box.opener.bodies([sealed]))[row["event_id"]]


@pytest.mark.parametrize("generation", ["1", "2"])
async def test_both_generations_tell_the_same_dossier(
    sqlite_url: str, tmp_path: Path, portal: Visitor, generation: str
) -> None:
    async with a_box(sqlite_url, tmp_path / "vault", portal, generation) as box:
        await box.file(filed(MaDonViTiepNhan="000.00.18.H26"))
        box.start()
        await box.holds(1)
        (row,) = await box.rows()
        assert (row["code"], row["version"], row["agency"], row["state"]) == (CODE, 1, "H26.18", "new")
        told = (await content(box))["dossier"]
        expected = {
            "procedure": "1.005129",
            "channel": "online",
            "owner_name": NAME,
            "owner_kind": "citizen",
            "owner_identities": [{"number": PERSON}],
            "phone": "0912345678",
            "submitted_at": "2026-11-30T08:00:00+07:00",
            "submitted_to": "national-portal",
            "status": "1",
        }
        assert expected.items() <= told.items()


async def test_each_is_stored_once_and_an_amended_one_comes_again(box: Box) -> None:
    codes = [f"H26-20261130-{number:07}" for number in range(1, 8)]
    await box.file(*(filed(code) for code in codes))
    box.start()
    await box.holds(7)
    # What is filed again without a change is nothing new.
    await box.file(filed(codes[0]), filed(codes[1], TrichYeuHoSo="Bổ sung"))
    await box.holds(8)
    await box.read_again()
    assert await box.states() == [
        (codes[0], 1, "new"),
        (codes[1], 1, "superseded"),
        *[(code, 1, "new") for code in codes[2:]],
        (codes[1], 2, "new"),
    ]
    # Read from its beginning once more, only what was amended comes again, and ends as it is.
    await box.stop()
    await box.change(cursor=None, due_at=0)
    box.start()
    await box.read_again()
    assert (await box.states())[8:] == [(codes[1], 3, "superseded"), (codes[1], 4, "new")]
    assert (await content(box, 9))["dossier"]["summary"] == "Bổ sung"


async def test_one_that_cannot_be_read_is_kept_aside_and_stops_no_other(box: Box) -> None:
    broken = filed(OTHER, ChuHoSo="", LoaiDoiTuong="9")
    await box.file(7, {"MaHoSo": "x"}, filed(), broken, filed("H26-20261130-0000003", DinhDanhCHS=[5]))
    box.start()
    await box.holds(5)
    await box.read_again()
    assert sorted(await box.states(), key=str) == sorted(
        [
            (None, 0, "unreadable"),
            (None, 0, "unreadable"),
            (CODE, 1, "new"),
            (OTHER, 0, "unreadable"),
            ("H26-20261130-0000003", 0, "unreadable"),
        ],
        key=str,
    )
    found = await box.world.storage.read(lambda connection: inbox.unreadable(connection, 10))
    assert [one["reason"] for one in found][1] == "owner_kind, owner_name"
    assert json.loads((await content(box, 3))["raw"]) == broken
    # Put right at the portal it comes as any other.
    await box.file(filed(OTHER))
    await box.holds(6)
    assert (OTHER, 0, "superseded") in await box.states()
    assert (OTHER, 1, "new") in await box.states()


async def test_a_value_without_a_word_of_ours_is_null_and_said(local: Box) -> None:
    await local.file(filed(HinhThuc="7"))
    local.start()
    await local.holds(1)
    told = await content(local)
    assert "return_method" not in told["dossier"]
    assert told["doubts"] == [{"pointer": "/return_method", "code": "unmapped-code", "original": "7"}]


async def test_readers_take_turns(box: Box) -> None:
    asking = most = 0

    async def handler(exchange: Exchange) -> Answer:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        try:
            await asyncio.sleep(0)
            return await box.handler(exchange)
        finally:
            asking -= 1

    codes = [f"H26-20261130-{number:07}" for number in range(1, 31)]
    for _ in range(3):
        box.start(handler)
    for code in codes:
        await box.file(filed(code))
    await box.holds(30)
    await box.read_again()
    assert [code for code, *_ in await box.states()] == codes
    assert most == 1


async def test_one_that_died_is_followed_when_its_lease_is_over(local: Box) -> None:
    reached = asyncio.Event()

    async def hangs(exchange: Exchange) -> Answer:
        await local.handler(exchange)
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    await local.file(filed())
    local.start(hangs)
    await reached.wait()
    # Killed with the answer in its hands: nothing of it was kept.
    _, task = local.running.pop()
    task.cancel()
    held = await local.standing()
    assert (held["cursor"], await local.rows()) == (None, [])
    local.start()
    done, _ = await asyncio.wait([asyncio.create_task(local.holds(1))], timeout=0.3)
    assert not done
    await local.change(lease_until=0)
    await local.holds(1)
    assert await local.states() == [(CODE, 1, "new")]


async def test_whoever_was_replaced_writes_nothing(local: Box) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def late(exchange: Exchange) -> Answer:
        answer = await local.handler(exchange)
        reached.set()
        await go.wait()
        return answer

    await local.file(filed())
    local.start(late, every=600.0)
    await reached.wait()
    await local.change(lease_owner="another")
    go.set()
    await local.stop()
    assert await local.rows() == []
    assert (await local.standing())["cursor"] is None


@pytest.mark.parametrize("fault", ["down", "error=1.0", "malformed", "drop-after-commit", "session-expired=1"])
async def test_a_portal_that_misbehaves_is_read_when_it_does_so_no_more(local: Box, fault: str) -> None:
    await local.portal.fault(fault)
    await local.file(filed())
    local.start()

    async def troubled() -> bool:
        found = await local.standing()
        return bool(found) and (bool(found["failures"]) or bool(found["read_at"]))

    await local.until(troubled)
    await local.portal.fault(None)
    # Whoever waits for the pause to be over need not.
    await local.stop()
    await local.change(due_at=0)
    local.start()
    await local.holds(1)
    assert await local.states() == [(CODE, 1, "new")]
    await local.read_again()
    assert (await local.standing())["failures"] == 0


async def test_what_is_too_much_at_once_is_fetched_one_by_one(local: Box) -> None:
    asked: list[int] = []

    async def handler(exchange: Exchange) -> Answer:
        question: Any = exchange.question
        asked.append(question.limit)
        if question.limit > 1:
            raise UpstreamUnreadable
        return await local.handler(exchange)

    codes = [f"H26-20261130-{number:07}" for number in range(1, 4)]
    await local.file(*(filed(code) for code in codes))
    local.start(handler, every=0.01)

    async def failed() -> bool:
        return bool((await local.standing()).get("failures"))

    await local.until(failed)
    await local.change(due_at=0)
    await local.stop()
    local.start(handler, every=600.0)
    await local.holds(3)
    assert [code for code, *_ in await local.states()] == codes
    assert asked[0] == 3


async def test_an_agency_sees_what_it_or_a_unit_below_it_is_to_handle(box: Box) -> None:
    agencies = ["H26", "000.00.18.H26", "H26.18.05", "H22", "H2"]
    codes = [f"H26-20261130-{number:07}" for number in range(1, 6)]
    await box.file(*(filed(code, MaDonViTiepNhan=agency) for code, agency in zip(codes[:4], agencies, strict=False)))
    await box.file(filed(codes[4]))
    box.start()
    await box.holds(5)

    async def seen(agency: str) -> list[str]:
        found = await box.world.storage.read(lambda connection: inbox.waiting(connection, agency, -1, 100))
        return [one.code[-1] for one in found]

    assert await seen("H26") == ["1", "2", "3", "5"]
    assert await seen("000.00.00.H26") == ["1", "2", "3", "5"]
    assert await seen("H26.18") == ["2", "3"]
    assert await seen("H22") == ["4"]
    assert await seen("H2") == []
    assert "agency" in str(visible("H26"))


async def test_acknowledged_it_is_adopted_and_statuses_may_follow(box: Box) -> None:
    await box.file(filed())
    box.start()
    await box.holds(1)
    with pytest.raises(NotFound):
        await box.acknowledging.acknowledge(NEIGHBOUR, "r", CODE, None)
    first = await box.acknowledging.acknowledge(PROVINCE, "r", CODE, None)
    assert (first.filed.version, first.newest, first.adopted, first.again) == (1, 1, True, False)
    again = await box.acknowledging.acknowledge(PROVINCE, "r", CODE, 1)
    assert (again.again, again.adopted, again.receipt.index) == (True, True, first.receipt.index)
    assert again.filed.acknowledged_by == "province"
    (dossier,) = await box.rows(DOSSIERS)
    assert (dossier["standing"], dossier["agency"], dossier["status"]) == ("adopted", "H26", "1")
    (version,) = await box.rows(DOSSIER_VERSIONS)
    assert version["deliver"] == 0
    with pytest.raises(NotFound):
        await box.acknowledging.acknowledge(PROVINCE, "r", CODE, 2)
    with pytest.raises(NotFound):
        await box.acknowledging.acknowledge(PROVINCE, "r", OTHER, None)


async def test_an_amendment_that_nobody_saw_is_not_acknowledged_with_what_was_seen(local: Box) -> None:
    await local.file(filed())
    local.start()
    await local.holds(1)
    (row,) = await local.rows()
    await local.world.storage.write(lambda connection: inbox.show(connection, [row["position"]]))
    await local.file(filed(TrichYeuHoSo="Bổ sung"))
    await local.holds(2)
    done = await local.acknowledging.acknowledge(PROVINCE, "r", CODE, None)
    assert (done.filed.version, done.newest) == (1, 2)
    assert await local.states() == [(CODE, 1, "acknowledged"), (CODE, 2, "new")]
    later = await local.acknowledging.acknowledge(PROVINCE, "r", CODE, 2)
    assert (later.filed.version, later.adopted, later.again) == (2, True, False)


async def test_many_who_acknowledge_at_once_leave_one_entry(box: Box) -> None:
    await box.file(filed())
    box.start()
    await box.holds(1)
    done = await asyncio.gather(*(box.acknowledging.acknowledge(PROVINCE, f"r{n}", CODE, None) for n in range(6)))
    assert len({one.receipt.index for one in done}) == 1
    assert sorted(one.again for one in done) == [False, *[True] * 5]
    assert len(await box.rows(DOSSIER_VERSIONS)) == 1


async def test_nothing_personal_is_stored_in_plain_text(local: Box, tmp_path: Path) -> None:
    await local.file(filed(), {"MaHoSo": OTHER, "ChuHoSo": NAME, "LoaiDoiTuong": PERSON})
    local.start()
    await local.holds(2)
    await local.acknowledging.acknowledge(PROVINCE, "r", CODE, None)
    texts = (NAME, PERSON, "0912345678")
    spellings = [spelling for text in texts for spelling in (text.encode(), base64.b64encode(text.encode()))]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        held = path.read_bytes()
        assert not [spelling for spelling in spellings if spelling in held], path
    assert any(CODE.encode() in path.read_bytes() for path in files)
