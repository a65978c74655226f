"""How the gateway proves itself to sources, against token servers over real sockets."""

import asyncio
import hashlib
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from adapters.login import MARGIN, Link, Login
from adapters.schemes import ClientCredentials, HashedBasic, NoLogin, PasswordGrant, Scheme, TakeToken, Token
from adapters.transport import Impatient, Message, Reply, Transport, Unsent, maybe_applied
from config.settings import Endpoint, Timeout
from schemas.errors import GatewayError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable, UpstreamUnreadable

SECRET = "s3cr&t+ bí mật"
CALL = Message("POST", "/api", {"Content-Type": "application/json"}, b"{}")


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Source:
    """A source with a token endpoint; `answer` makes the token answer from the number of the log-in."""

    answer: Callable[[int], web.StreamResponse] | None = None
    life: object = 3600
    logins: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    calls: list[dict[str, str]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def token(self, request: web.Request) -> web.StreamResponse:
        self.logins.append((request.path, dict(request.headers), await request.read()))
        number = len(self.logins)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.answer is not None:
            return self.answer(number)
        return web.json_response({"access_token": f"T{number}", "expires_in": self.life, "token_type": "Bearer"})

    async def call(self, request: web.Request) -> web.Response:
        await request.read()
        self.calls.append(dict(request.headers))
        if request.headers.get("Authorization") in self.dead:
            return web.Response(status=401, body=b"expired")
        return web.Response(body=b"answer")


@asynccontextmanager
async def serving(source: Source) -> AsyncIterator[Endpoint]:
    app = web.Application()
    for path in ("/token", "/oauth/token", "/api/token/take"):
        app.router.add_post(path, source.token)
    app.router.add_post("/api", source.call)
    async with TestServer(app) as server:
        yield Endpoint.model_validate(
            {
                "url": str(server.make_url("/")),
                "username": "consumer",
                "secret": SECRET,
                "params": {"client_id": "gateway", "api_key": "K", "x_road_client": "VN/GOV/G01/lgsp"},
                "timeout": Timeout(connect=2, read=5, total=5),
            }
        )


@asynccontextmanager
async def linked(source: Source, scheme: Scheme) -> AsyncIterator[Link]:
    async with serving(source) as endpoint:
        link = Link("source", endpoint, scheme)
        try:
            yield link
        finally:
            await link.close()


def in_seconds(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def ask(link: Link, wire: list[tuple[str, bytes]] | None = None) -> Reply:
    noted = wire if wire is not None else []
    return await link.send(CALL, deadline=in_seconds(20), on_wire=lambda way, body: noted.append((way, body)))


def basic(header: str) -> str:
    kind, _, value = header.partition(" ")
    assert kind == "Basic"
    return b64decode(value).decode()


async def test_client_credentials() -> None:
    source = Source()
    wire: list[tuple[str, bytes]] = []
    async with linked(source, ClientCredentials()) as link:
        for _ in range(3):
            assert (await ask(link, wire)).body == b"answer"
    [(path, headers, body)] = source.logins
    assert (path, body) == ("/token", b"grant_type=client_credentials")
    assert basic(headers["Authorization"]) == f"consumer:{SECRET}"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert [call["Authorization"] for call in source.calls] == ["Bearer T1"] * 3
    assert wire == [("sent", b"{}"), ("received", b"answer")] * 3


async def test_password_grant() -> None:
    source = Source()
    async with linked(source, PasswordGrant(path="/oauth/token")) as link:
        await ask(link)
    [(_, headers, body)] = source.logins
    assert body == (b"grant_type=password&username=consumer&password=s3cr%26t%2B+b%C3%AD+m%E1%BA%ADt&client_id=gateway")
    assert "Authorization" not in headers
    assert source.calls[0]["Authorization"] == "Bearer T1"


async def test_take_token() -> None:
    key = {"access_token": "A", "id_token": "I", "expires_in": "900"}
    source = Source(answer=lambda _: web.json_response({"maKetQua": "200", "APIKey": key}))
    async with linked(source, TakeToken()) as link:
        await ask(link)
    [(path, _, body)] = source.logins
    assert path == "/api/token/take"
    assert json.loads(body) == {
        "username": "consumer",
        "password": hashlib.md5(SECRET.encode(), usedforsecurity=False).hexdigest(),
    }
    assert (source.calls[0]["Authorization"], source.calls[0]["Id-Token"]) == ("Bearer A", "I")


async def test_hashed_basic() -> None:
    source = Source()
    async with serving(source) as endpoint:
        link = Link("source", endpoint, HashedBasic(wall=lambda: 1_800_000_000.123))
        await link.send(CALL, deadline=in_seconds(20))
        await link.close()
    [headers] = source.calls
    proof = hashlib.sha256(f"{endpoint.url}apiconsumer1800000000123".encode() + SECRET.encode()).hexdigest()
    assert basic(headers["Authorization"]) == f"consumer:{proof}"
    assert (headers["Timestamp"], headers["ApiKey"], headers["X-Road-Client"]) == (
        "1800000000123",
        "K",
        "VN/GOV/G01/lgsp",
    )
    assert not source.logins


async def test_no_login_sends_the_message_as_it_is() -> None:
    source = Source(dead={""})
    async with linked(source, NoLogin()) as link:
        assert (await ask(link)).status == 200
    assert "Authorization" not in source.calls[0]
    assert not source.logins


async def test_dead_token_is_renewed_once() -> None:
    source = Source(dead={"Bearer T1"})
    wire: list[tuple[str, bytes]] = []
    async with linked(source, ClientCredentials()) as link:
        assert (await ask(link, wire)).body == b"answer"
    assert [call["Authorization"] for call in source.calls] == ["Bearer T1", "Bearer T2"]
    assert wire == [("sent", b"{}"), ("received", b"expired"), ("sent", b"{}"), ("received", b"answer")]


async def test_source_that_takes_no_token_gets_one_renewal_and_its_answer_stands() -> None:
    source = Source(dead={"Bearer T1", "Bearer T2", "Bearer T3"})
    async with linked(source, ClientCredentials()) as link:
        assert (await ask(link)).status == 401
    assert len(source.logins) == len(source.calls) == 2


async def test_many_callers_with_a_dead_token_share_one_renewal() -> None:
    source = Source(dead={"Bearer T1"})
    async with linked(source, ClientCredentials()) as link:
        replies = await asyncio.gather(*(ask(link) for _ in range(20)))
    assert {reply.status for reply in replies} == {200}
    assert len(source.logins) == 2


async def test_sources_own_sign_of_a_dead_session() -> None:
    answers = iter([b"error 900901", b"fine"])

    async def call(_: web.Request) -> web.Response:
        return web.Response(body=next(answers))

    source = Source()
    app = web.Application()
    app.router.add_post("/token", source.token)
    app.router.add_post("/api", call)
    async with TestServer(app) as server:
        scheme = ClientCredentials(session_dead=lambda reply: b"900901" in reply.body)
        link = Link("source", Endpoint(url=str(server.make_url("/"))), scheme)
        assert (await ask(link)).body == b"fine"
        await link.close()
    assert len(source.logins) == 2


@pytest.mark.parametrize(("life", "margin"), [(3600, MARGIN), (100, 10.0)])
async def test_token_is_renewed_shortly_before_its_end(life: int, margin: float) -> None:
    source, clock = Source(life=life), Clock()
    async with serving(source) as endpoint:
        transport = Transport("source", endpoint)
        login = Login(ClientCredentials(), endpoint, transport, clock=clock)
        first = await login.token(deadline=in_seconds(20))
        clock.now = life - margin - 1
        assert await login.token(deadline=in_seconds(20)) is first
        clock.now = life - margin
        second = await login.token(deadline=in_seconds(20))
        assert isinstance(second, Token)
        assert second.headers == {"Authorization": "Bearer T2"}
        await transport.close()


async def test_all_who_wait_share_one_log_in_and_its_failure() -> None:
    source = Source(answer=lambda _: web.Response(status=503, headers={"Retry-After": "9"}), gate=asyncio.Event())
    async with linked(source, ClientCredentials()) as link:
        callers = [asyncio.create_task(ask(link)) for _ in range(10)]
        await source.reached.wait()
        assert source.gate is not None
        source.gate.set()
        results = await asyncio.gather(*callers, return_exceptions=True)
    assert len(source.logins) == 1
    assert not source.calls
    for result in results:
        assert type(result) is UpstreamUnavailable
        assert result.retry_after == 9


async def test_caller_that_goes_away_leaves_the_log_in_to_the_others() -> None:
    source = Source(gate=asyncio.Event())
    async with linked(source, ClientCredentials()) as link:
        first, second = asyncio.create_task(ask(link)), asyncio.create_task(ask(link))
        await source.reached.wait()
        first.cancel()
        await asyncio.wait([first])
        assert source.gate is not None
        source.gate.set()
        assert (await second).status == 200
        assert first.cancelled()
    assert len(source.logins) == 1


async def test_deadline_during_the_log_in_means_that_nothing_was_sent() -> None:
    source = Source(gate=asyncio.Event())
    async with linked(source, ClientCredentials()) as link:
        with pytest.raises(Unsent) as caught:
            await link.send(CALL, deadline=in_seconds(0.1))
        assert not maybe_applied(caught.value)
        assert not source.calls


async def test_log_in_that_hangs_is_the_sources_fault() -> None:
    source = Source(gate=asyncio.Event())
    async with serving(source) as endpoint:
        brisk = endpoint.model_copy(update={"timeout": Timeout(connect=2, read=5, total=0.1)})
        link = Link("source", brisk, ClientCredentials())
        with pytest.raises(UpstreamTimeout) as caught:
            await link.send(CALL, deadline=in_seconds(20))
        assert not isinstance(caught.value, (Impatient, Unsent))
        await link.close()


async def test_close_ends_a_log_in_under_way() -> None:
    source = Source(gate=asyncio.Event())
    async with serving(source) as endpoint:
        link = Link("source", endpoint, ClientCredentials())
        caller = asyncio.create_task(ask(link))
        await source.reached.wait()
        await link.close()
        await asyncio.wait([caller])
        assert caller.cancelled()


BEARERS = (
    b"",
    b"\xff",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"access_token":"T"}',
    b'{"access_token":"T","expires_in":null}',
    b'{"access_token":"T","expires_in":"soon"}',
    b'{"access_token":"T","expires_in":0}',
    b'{"access_token":"T","expires_in":-5}',
    b'{"access_token":"T","expires_in":NaN}',
    b'{"access_token":"T","expires_in":%b}' % (b"9" * 400),
    b'{"access_token":7,"expires_in":60}',
    b'{"access_token":"","expires_in":60}',
    b'{"access_token":"a\\r\\nX: 1","expires_in":60}',
    '{"access_token":"ệ","expires_in":60}'.encode(),
)


@pytest.mark.parametrize(
    ("scheme", "status", "body", "kind"),
    [
        *((ClientCredentials(), 200, body, UpstreamUnreadable) for body in BEARERS),
        *((PasswordGrant(), status, b'{"error":"invalid_grant"}', UpstreamRefused) for status in (400, 401, 403)),
        (ClientCredentials(), 500, b"oops " + SECRET.encode(), UpstreamUnavailable),
        (ClientCredentials(), 429, b"", UpstreamUnavailable),
        (ClientCredentials(), 302, b"", UpstreamUnreadable),
        (TakeToken(), 200, b'{"maKetQua":"401"}', UpstreamRefused),
        (TakeToken(), 200, b'{"maKetQua":"401","APIKey":null}', UpstreamRefused),
        (TakeToken(), 200, b'{"APIKey":[]}', UpstreamUnreadable),
        (TakeToken(), 200, b'{"APIKey":{"access_token":"A","expires_in":60}}', UpstreamUnreadable),
        (TakeToken(), 200, b'{"APIKey":{"access_token":"A","id_token":"a\\nb","expires_in":60}}', UpstreamUnreadable),
    ],
)
async def test_log_ins_that_fail(scheme: Scheme, status: int, body: bytes, kind: type[GatewayError]) -> None:
    source = Source(answer=lambda _: web.Response(status=status, body=body))
    async with linked(source, scheme) as link:
        with pytest.raises(kind) as caught:
            await ask(link)
        assert not source.calls
    shown = f"{caught.value} {caught.value.detail}"
    for hidden in (SECRET, "consumer", "invalid_grant", "oops"):
        assert hidden not in shown


@given(st.binary())
def test_no_token_answer_breaks_a_scheme(body: bytes) -> None:
    endpoint = Endpoint(url="http://127.0.0.1:9")
    for scheme in (ClientCredentials(), PasswordGrant(), TakeToken()):
        steps = scheme.log_in(endpoint)
        next(steps)
        with pytest.raises((UpstreamUnreadable, UpstreamRefused)):
            steps.send(Reply(200, {}, body))


def test_tokens_do_not_show_themselves() -> None:
    assert "hidden" not in repr(Token({"Authorization": "Bearer hidden"}, 60))


def test_steps_are_data_without_input_or_output() -> None:
    steps = ClientCredentials(path="/t").log_in(
        Endpoint.model_validate({"url": "http://x", "username": "u", "secret": "p"})
    )
    assert next(steps).path == "/t"
    answer: dict[str, Any] = {"access_token": "T", "expires_in": 5}
    with pytest.raises(StopIteration) as end:
        steps.send(Reply(200, {}, json.dumps(answer).encode()))
    assert end.value.value == Token({"Authorization": "Bearer T"}, 5.0)
