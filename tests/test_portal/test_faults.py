"""How the portal misbehaves when told to, alone and with several faults at once."""

import asyncio

import pytest
from aiohttp import ClientError, ServerDisconnectedError

from sandbox.portal.sessions import Sessions
from sandbox.portal.site import PORTAL_FAULTS
from sandbox.registry import Account, Fault, FaultRefused, Faults
from sandbox.run import read_faults
from tests.test_portal.visitor import CODE, DSTCODE, XRD, Visitor, dossier, record


async def _asked(visitor: Visitor, session: str) -> str:
    body = {"session": session, "madonvi": "H26", "service": "TraCuuHoSo", "mahoso": CODE}
    _, told = await visitor.post(f"{XRD}/g?dstcode={DSTCODE}", body)
    return str(told["error_code"])


async def test_sessions_that_are_open_end(visitor: Visitor) -> None:
    old = await visitor.login()
    assert await _asked(visitor, old) == "0"
    await visitor.fault("session-expired")
    assert await _asked(visitor, old) == "-1"
    fresh = await visitor.login()
    assert await _asked(visitor, fresh) == "0"
    assert await _asked(visitor, fresh) == "0"
    await visitor.fault("session-expired")
    assert await _asked(visitor, fresh) == "-1"


async def test_a_session_opened_after_the_fault_lives(visitor: Visitor) -> None:
    await visitor.fault("session-expired")
    session = await visitor.login()
    assert await _asked(visitor, session) == "0"


async def test_a_session_serves_so_many_calls(visitor: Visitor) -> None:
    await visitor.fault("session-expired=2")
    for _ in range(2):
        session = await visitor.login()
        assert [await _asked(visitor, session) for _ in range(4)] == ["0", "0", "-1", "-1"]


async def test_a_token_serves_so_many_calls(visitor: Visitor) -> None:
    await visitor.fault("session-expired=1")
    await visitor.token()
    assert [(await visitor.second("TraCuuHoSo", {"MaHoSo": CODE}))[0] for _ in range(2)] == [200, 401]


def test_a_session_lives_so_many_seconds() -> None:
    now = [0.0]
    faults = Faults(signs=False, more=PORTAL_FAULTS)
    sessions = Sessions(Account("a", "s"), faults, clock=lambda: now[0])
    token = sessions.opened("a", "s")
    now[0] = 1799.0
    assert sessions.admits(token)
    now[0] = 1801.0
    assert not sessions.admits(token)
    faults.set("session-expired=5s")
    token = sessions.opened("a", "s")
    now[0] += 4.9
    assert sessions.admits(token)
    now[0] += 0.2
    assert not sessions.admits(token)


async def test_too_many_calls_are_told_when_to_come_again(visitor: Visitor) -> None:
    await visitor.login()
    await visitor.fault("throttled=0.01/s")
    assert await _asked(visitor, visitor.session) == "0"
    async with visitor.http.post(f"{visitor.url}{XRD}/g", json={}) as answer:
        assert answer.status == 429
        assert 90 <= int(answer.headers["Retry-After"]) <= 100
    assert await visitor.ledger() == []
    await visitor.fault(None)
    assert await _asked(visitor, visitor.session) == "0"


async def test_a_burst_of_a_second_is_let_through(visitor: Visitor) -> None:
    session = await visitor.login()
    await visitor.fault("throttled=5/s")
    body = {"session": session, "madonvi": "H26", "service": "LayDanhMucCoQuan"}
    told = await asyncio.gather(*(visitor.post(f"{XRD}/g?dstcode={DSTCODE}", body) for _ in range(40)))
    statuses = [status for status, _ in told]
    assert 5 <= statuses.count(200) < 40
    assert set(statuses) == {200, 429}


async def test_an_answer_is_lost_after_the_work_was_done(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.fault("drop-after-commit")
    with pytest.raises(ClientError):
        await visitor.advance(record(1, "2"))
    assert await visitor.ledger() == [(CODE, 1, "2", 1)]
    with pytest.raises(ClientError):
        await visitor.look_up()
    await visitor.fault(None)
    (found,) = await visitor.look_up()
    assert found["DanhSachTienDo"] == [record(1, "2")]


async def test_the_work_is_done_long_before_it_is_answered(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.fault("late-answer=60s")
    waiting = asyncio.create_task(visitor.advance(record(1, "2")))
    async with asyncio.timeout(60):
        while await visitor.ledger() != [(CODE, 1, "2", 1)]:
            await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


async def test_a_share_of_the_answers_is_lost(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.fault("drop-after-commit=0.5")
    lost = 0
    for sequence in range(1, 41):
        try:
            await visitor.advance(record(sequence, "4"))
        except ClientError:
            lost += 1
    assert 5 < lost < 35
    assert [sequence for _, sequence, _, _ in await visitor.ledger()] == list(range(1, 41))


async def test_a_portal_that_is_down_does_nothing_and_still_shows_its_ledger(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.advance(record(1, "2"))
    for fault in ("down", "error=1"):
        await visitor.fault(fault)
        with pytest.raises((ServerDisconnectedError, AssertionError)):
            await visitor.advance(record(2, "4"))
        assert await visitor.ledger() == [(CODE, 1, "2", 1)]


async def test_a_malformed_answer_is_half_of_one(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.fault("malformed")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        await visitor.advance(record(1, "2"))
    assert await visitor.ledger() == [(CODE, 1, "2", 1)]


async def test_several_faults_at_once(visitor: Visitor) -> None:
    await visitor.register(dossier())
    text = "latency=0.001s,session-expired=1,already-exists-as-0"
    assert await visitor.fault(text) == (200, {"fault": text})
    async with visitor.http.get(f"{visitor.url}/_faults") as answer:
        told = await answer.json()
    assert told["fault"] == "latency"
    assert [one["fault"] for one in told["also"]] == ["session-expired", "already-exists-as-0"]
    await visitor.login()
    assert (await visitor.register(dossier()))["error_code"] == "0"
    assert (await visitor.register(dossier()))["error_code"] == "-1"


@pytest.mark.parametrize(
    "text",
    [
        "unsigned",
        "throttled",
        "throttled=0/s",
        "throttled=5",
        "drop-after-commit=1.5",
        "session-expired=5m",
        "down,down",
        "down,",
        "already-exists-as-1",
        "error=0.1,error=0.2",
    ],
)
async def test_what_the_portal_cannot_do_is_refused(visitor: Visitor, text: str) -> None:
    status, told = await visitor.fault(text)
    assert status == 422
    assert text.rstrip(",").split(",")[-1] in told["error"]
    assert await visitor.look_up() == []


def test_faults_of_the_portal_on_the_command_line() -> None:
    found = read_faults(["portal:throttled=10/s,error=0.05", "tax:down"])
    assert found == {"portal": Fault("throttled", 10.0, "/s", (Fault("error", 0.05),)), "tax": Fault("down")}
    for wrong in ("tax:throttled=10/s", "tax:down,malformed", "portal:tampered", "tax:drop-after-commit=0.1"):
        with pytest.raises(FaultRefused):
            read_faults([wrong])
