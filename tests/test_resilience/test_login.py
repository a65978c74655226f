"""How the gateway proves itself to sources, against token servers over real sockets."""

import asyncio
import hashlib
import json
from base64 import b64decode
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.login import MARGIN, Link, Login
from adapters.schemes import ClientCredentials, HashedBasic, NoLogin, PasswordGrant, TakeToken, Token
from adapters.transport import Impatient, Reply, Transport, Unsent, maybe_applied
from config.settings import Endpoint, Timeout
from schemas.errors import UpstreamTimeout, UpstreamUnavailable
from tests.test_resilience.token_sources import CALL, SECRET, Clock, Source, ask, in_seconds, linked, serving


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
    # Each has an error of its own: what the trail notes on one must not show on another's.
    assert len({id(result) for result in results}) == 10
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
        brisk = endpoint.model_copy(update={"timeout": Timeout(connect=20, read=30, total=0.1)})
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
