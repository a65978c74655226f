"""What may go wrong with a write, over real sockets: what it becomes, and whether it may have been applied."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.portal_rules import UNKNOWN
from adapters.transport import Throttled, maybe_applied
from schemas.errors import (
    GatewayError,
    NoRecord,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from tests.test_portal_adapter.wiring import CODE, OTHER, Gateway, at, dossier, reaching, step
from tests.test_resilience.doubles import leap

LOGIN = "/XrdAdapter/RestService/forward/mapi/login"
OK = b'{"error_code":"0","message":"OK"}'
THERE = b'{"error_code":3,"message":"already exists"}'
Answers = Callable[[int, dict[str, Any]], web.StreamResponse | None]


@dataclass
class Double:
    """A portal of generation 1 that says what a test wants; None hangs up. It notes what came."""

    answer: Answers
    open: Callable[[int], web.StreamResponse] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    logins: int = 0
    gate: asyncio.Event | None = None

    async def login(self, request: web.Request) -> web.StreamResponse:
        assert await request.json() == {"username": "lgsp-portal", "password": "s3cr&t+ bí mật"}
        self.logins += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.open is not None:
            return self.open(self.logins)
        return web.json_response({"error_code": 0, "message": "Thành công", "session": f'S"{self.logins}'})

    async def call(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        answer = self.answer(len(self.asked), self.asked[-1])
        if answer is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return answer


@asynccontextmanager
async def serving(double: Double) -> AsyncIterator[Gateway]:
    app = web.Application()
    app.router.add_post(LOGIN, double.login)
    app.router.add_post("/XrdAdapter/RestService/forward/mapi/g", double.call)
    async with TestServer(app) as server, reaching(at(str(server.make_url("")), "1")) as gateway:
        yield gateway


def told(code: object, message: object, **more: object) -> web.Response:
    return web.json_response({"error_code": code, "message": message, **more})


def raw(body: bytes, *, status: int = 200, kind: str = "application/json", **headers: str) -> web.Response:
    return web.Response(status=status, body=body, content_type=kind, headers=headers)


def _is(name: str, answer: Callable[[], web.Response], outcome: str, reason: str) -> Any:
    return pytest.param(answer, outcome, reason, id=name)


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        _is("applied", lambda: told("00", "Đồng bộ hồ sơ thành công"), "applied", "applied"),
        _is("applied-number", lambda: told(0, "THÀNH CÔNG!"), "applied", "applied"),
        _is("applied-silent", lambda: told("0", ""), "applied", "applied"),
        _is("applied-null", lambda: told("0", None), "applied", "applied"),
        _is("exists-as-0", lambda: told(0, "Mã hồ sơ đã tồn tại"), "exists", "already-exists"),
        _is("exists-as-3", lambda: told("3", "HỒ SƠ ĐÃ TỒN TẠI"), "exists", "already-exists"),
        _is("exists-as--3", lambda: told(-3, "Dossier already exists"), "exists", "already-exists"),
        _is("refused", lambda: told("1", "Dữ liệu không hợp lệ: MaTTHC"), "refused", "invalid-data"),
        _is("no-right", lambda: told(7, "Đơn vị không có quyền"), "refused", "no-right"),
        _is("failed", lambda: told(-2, "Đồng bộ không thành công"), "refused", "failed"),
        _is("busy", lambda: told("-1", "Hệ thống đang bận, vui lòng thử lại sau"), "busy", "busy"),
        _is("unknown", lambda: told("42", "Ơ hay"), "refused", UNKNOWN),
        _is("unknown-success", lambda: told("0", "Ơ hay"), "refused", UNKNOWN),
        _is("contradiction", lambda: told("0", "Cập nhật không thành công"), "refused", UNKNOWN),
        _is("wrong-content-type", lambda: raw(OK, kind="text/html"), "applied", "applied"),
        _is("explained-400", lambda: raw(THERE, status=400), "exists", "already-exists"),
        _is("success-as-400", lambda: raw(OK, status=400), "refused", UNKNOWN),
    ],
)  # fmt: skip
async def test_what_the_portal_says(answer: Callable[[], web.Response], outcome: str, reason: str) -> None:
    double = Double(lambda *_: answer())
    async with serving(double) as gateway:
        data = await gateway.register(dossier())
    assert (data["outcome"], data["reason"], data["elements"]) == (outcome, reason, [])
    assert len(double.asked) == 1


class Ends(NamedTuple):
    """How a write ends that got no answer of the portal."""

    answer: Callable[[], web.Response | None]
    error: type[GatewayError]
    maybe: bool = True


ENDS = {
    "lost": Ends(lambda: None, UpstreamUnavailable),
    "throttled": Ends(lambda: raw(b"slow down", status=429, **{"Retry-After": "7"}), Throttled, maybe=False),
    "internal": Ends(lambda: raw(b'{"error_code":0,"message":"OK"}', status=500), UpstreamUnavailable),
    "maintenance": Ends(lambda: raw(b"", status=503, **{"Retry-After": "7"}), UpstreamUnavailable),
    "elsewhere": Ends(lambda: raw(b"", status=302, Location="/other"), UpstreamUnreadable),
    "proxy-404": Ends(lambda: raw(b"<html>404</html>", status=404, kind="text/html"), UpstreamRefused),
    "platform-403": Ends(lambda: raw(b'{"fault":{"code":900910}}', status=403), UpstreamRefused),
    "empty": Ends(lambda: raw(b""), UpstreamUnreadable),
    "no-content": Ends(lambda: web.Response(status=204), UpstreamUnreadable),
    "html": Ends(lambda: raw(b"<html>OK</html>", kind="text/html"), UpstreamUnreadable),
    "cut-off": Ends(lambda: raw(b'{"error_code":"0","message":"th'), UpstreamUnreadable),
    "list": Ends(lambda: raw(b"[]"), UpstreamUnreadable),
    "no-code": Ends(lambda: told(None, "thành công"), UpstreamUnreadable),
    "true": Ends(lambda: told(True, "thành công"), UpstreamUnreadable),
    "twice": Ends(lambda: raw(b'{"error_code":"0","error_code":"1","message":"OK"}'), UpstreamUnreadable),
    "not-utf-8": Ends(lambda: raw(b'{"error_code":"0","message":"\xff"}'), UpstreamUnreadable),
}


@pytest.mark.parametrize("name", ENDS)
async def test_no_answer_of_the_portal(name: str) -> None:
    answer, error, maybe = ENDS[name]
    double = Double(lambda *_: answer())
    async with serving(double) as gateway:
        with pytest.raises(error) as caught:
            await gateway.progress(step(1, "4"))
    assert maybe_applied(caught.value) is maybe
    # A write is never sent a second time by itself.
    assert len(double.asked) == 1
    if name in ("throttled", "maintenance"):
        assert caught.value.retry_after == 7


async def test_a_portal_that_does_not_answer_may_have_acted() -> None:
    let = asyncio.Event()

    class Slow(Double):
        async def call(self, request: web.Request) -> web.StreamResponse:
            self.asked.append(await request.json())
            await let.wait()
            return web.Response()

    double = Slow(lambda *_: None)
    async with serving(double) as gateway:
        call = asyncio.create_task(gateway.ask("progress", {"steps": [step(1, "4")]}, seconds=8))
        while not double.asked:
            await asyncio.sleep(0)
        leap(8)
        with pytest.raises(UpstreamTimeout) as caught:
            await call
        let.set()
    assert maybe_applied(caught.value)
    assert len(double.asked) == 1


async def test_a_log_in_that_takes_all_the_time_sends_nothing() -> None:
    double = Double(lambda *_: told(0, "thành công"), gate=asyncio.Event())
    async with serving(double) as gateway:
        with pytest.raises(UpstreamTimeout) as caught:
            await gateway.ask("progress", {"steps": [step(1, "4")]}, seconds=0.3)
        assert double.gate is not None
        double.gate.set()
    assert not maybe_applied(caught.value)
    assert not double.asked


@pytest.mark.parametrize(
    "death",
    [
        lambda: told("-1", "Phiên làm việc không hợp lệ hoặc đã hết hạn"),
        lambda: told(0, "Session expired"),
        lambda: told("98", "Bạn chưa đăng nhập"),
        lambda: raw(b"", status=401),
    ],
    ids=["vietnamese", "english-as-0", "not-logged-in", "401"],
)
async def test_a_dead_session_is_renewed_once(death: Callable[[], web.Response]) -> None:
    double = Double(lambda number, _: death() if number == 1 else told(0, "thành công"))
    async with serving(double) as gateway:
        assert (await gateway.register(dossier()))["outcome"] == "applied"
        assert (await gateway.register(dossier()))["outcome"] == "applied"
    assert [one["session"] for one in double.asked] == ['S"1', 'S"2', 'S"2']
    first, second = double.asked[:2]
    assert {**first, "session": ""} == {**second, "session": ""}
    assert double.logins == 2


@pytest.mark.parametrize(
    "death", [lambda: told("-1", "Phiên làm việc đã hết hạn"), lambda: raw(b"", status=401)], ids=["told", "401"]
)
async def test_a_session_that_is_never_taken_is_told_as_such(death: Callable[[], web.Response]) -> None:
    double = Double(lambda *_: death())
    async with serving(double) as gateway:
        data = await gateway.register(dossier())
        assert (data["outcome"], data["reason"]) == ("session", "session-ended")
        assert (len(double.asked), double.logins) == (2, 2)
        with pytest.raises(UpstreamUnavailable):
            await gateway.look_up()


async def test_all_who_wait_share_one_session() -> None:
    dead = {'S"1'}
    double = Double(
        lambda _, asked: told("-1", "Phiên làm việc đã hết hạn") if asked["session"] in dead else told(0, "thành công"),
        gate=asyncio.Event(),
    )
    async with serving(double) as gateway:
        asked = [asyncio.create_task(gateway.register(dossier())) for _ in range(10)]
        assert double.gate is not None
        double.gate.set()
        assert {data["outcome"] for data in await asyncio.gather(*asked)} == {"applied"}
    assert double.logins == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda _: told(-1, "Tên đăng nhập hoặc mật khẩu không đúng"), UpstreamRefused),
        (lambda _: told("5", "Hệ thống đang bảo trì"), UpstreamUnavailable),
        (lambda _: raw(b"", status=500), UpstreamUnavailable),
        (lambda _: raw(b""), UpstreamUnreadable),
        (lambda _: told(0, "Thành công"), UpstreamUnreadable),
        (lambda _: told(0, "Thành công", session=""), UpstreamUnreadable),
        (lambda _: told(0, "Thành công", session="a\nb"), UpstreamUnreadable),
        (lambda _: told(0, "Thành công", session=7), UpstreamUnreadable),
        (lambda _: told(None, "Thành công", session="S"), UpstreamUnreadable),
    ],
    ids=["refused", "maintenance", "500", "empty", "no-session", "blank", "line-break", "number", "no-code"],
)
async def test_a_log_in_that_fails_sends_nothing(
    answer: Callable[[int], web.StreamResponse], error: type[GatewayError]
) -> None:
    double = Double(lambda *_: told(0, "thành công"), open=answer)
    async with serving(double) as gateway:
        with pytest.raises(error) as caught:
            await gateway.register(dossier())
    assert not maybe_applied(caught.value)
    assert not double.asked


RESULTS: dict[str, tuple[list[object] | object, list[str]]] = {
    "by-place": (
        [{"error_code": 0, "message": "thành công"}, {"error_code": "1", "message": "bắt buộc"}],
        ["applied", "refused"],
    ),
    "by-code": (
        [
            {"MaHoSo": OTHER, "error_code": "3", "message": "đã tồn tại"},
            {"MaHoSo": CODE, "error_code": 0, "message": "thành công"},
        ],
        ["applied", "exists"],
    ),
    "one-passed-over": ([{"MaHoSo": CODE, "error_code": 0, "message": "thành công"}], ["applied", "unclear"]),
    "named-twice": ([{"MaHoSo": CODE, "error_code": 0, "message": "thành công"}] * 2, ["unclear", "unclear"]),
    "no-code-of-one": (
        [{"MaHoSo": CODE, "error_code": None}, {"MaHoSo": OTHER, "error_code": 0, "message": "thành công"}],
        ["unclear", "applied"],
    ),
    "strange-names": ([{"MaHoSo": [CODE], "error_code": 0, "message": "thành công"}], ["unclear", "unclear"]),
    "echo": ([{"MaHoSo": CODE}, {"MaHoSo": OTHER}], []),
    "empty": ([], []),
    "object": ({"MaHoSo": CODE}, []),
    "null": (None, []),
}


@pytest.mark.parametrize("name", RESULTS)
async def test_what_is_told_of_each(name: str) -> None:
    result, outcomes = RESULTS[name]
    double = Double(lambda *_: told("00", "thành công", result=result))
    async with serving(double) as gateway:
        data = await gateway.register(dossier(), dossier(OTHER))
    assert data["outcome"] == "applied"
    assert [one["outcome"] for one in data["elements"]] == outcomes
    assert [one["code"] for one in data["elements"]] == ([CODE, OTHER] if outcomes else [])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: told("0", "Không tìm thấy hồ sơ", result=[]), NoRecord),
        (lambda: told("2", f"Hồ sơ {CODE} không tồn tại"), NoRecord),
        (lambda: told("0", "Tra cứu thành công", result=[]), NoRecord),
        (lambda: told("9", "Hệ thống đang quá tải"), UpstreamUnavailable),
        (lambda: told("42", "Ơ hay"), UpstreamRefused),
        (lambda: told("0", "thành công", result="x"), UpstreamUnreadable),
    ],
    ids=["not-found-as-0", "not-found", "nothing", "busy", "unknown", "not-a-record"],
)
async def test_a_look_up_that_finds_nothing(answer: Callable[[], web.Response], error: type[GatewayError]) -> None:
    double = Double(lambda *_: answer())
    async with serving(double) as gateway:
        with pytest.raises(error):
            await gateway.look_up()
    # What only reads is asked again where that may help.
    assert len(double.asked) == (2 if error is UpstreamUnavailable else 1)


async def test_a_message_is_kept_in_short() -> None:
    double = Double(lambda *_: told("42", f"  Sai\n\t{'x' * 1000}"))
    async with serving(double) as gateway:
        data = await gateway.register(dossier())
    assert data["message"].startswith("Sai xxx")
    assert len(data["message"]) == 500
    assert json.dumps(data)


async def test_a_large_batch_is_told_of_each() -> None:
    codes = [f"000.00.00.H26-260105-{number:04}" for number in range(1, 401)]
    results = [{"MaHoSo": code, "error_code": "00", "message": "Đồng bộ hồ sơ thành công"} for code in codes]
    double = Double(lambda *_: told("00", "thành công", result=results))
    async with serving(double) as gateway:
        data = await gateway.register(*map(dossier, codes))
    assert [(one["code"], one["outcome"]) for one in data["elements"]] == [(code, "applied") for code in codes]
    assert [one["MaHoSo"] for one in double.asked[0]["data"]] == codes
