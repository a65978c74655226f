"""Whose word counts about who is asking: nobody's but a trusted proxy's."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from config.settings import ConfigurationError
from routes.context import PEER
from routes.frame import setup
from routes.listening import running
from routes.peers import networks
from tests.test_server.wire import Answer, Client

DER = b"\x30\x03certificate"
SENT = f"Client-Cert: :{base64.b64encode(DER).decode()}:"


@asynccontextmanager
async def peers(settings: Any) -> AsyncIterator[Client]:
    app = web.Application()
    setup(app, settings.server)

    async def show(request: web.Request) -> web.Response:
        peer = request[PEER]
        return web.json_response([peer.address, peer.scheme, (peer.certificate or b"").hex()])

    app.router.add_get("/", show)
    async with running(settings, app) as serving:
        yield Client(serving.addresses["http"], app)


@pytest.fixture
async def trusting(settings_with: Any) -> AsyncIterator[Client]:
    async with peers(settings_with(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))) as client:
        yield client


async def test_a_stranger_says_nothing_about_itself(settings_with: Any) -> None:
    async with peers(settings_with(trusted_proxies=("10.0.0.1",))) as client:
        answer = await client.get("/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", SENT)
        assert answer.json == ["127.0.0.1", "http", ""]
        absolute = await client.raw(
            b"GET https://evil.example/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n"
        )
        assert absolute.json == ["127.0.0.1", "http", ""]


async def test_a_proxy_is_believed(trusting: Client) -> None:
    answer = await trusting.get("/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", SENT)
    assert answer.json == ["203.0.113.9", "https", DER.hex()]


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ((), "127.0.0.1"),
        (("X-Forwarded-For: 1.1.1.1, 203.0.113.9",), "203.0.113.9"),
        (("X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.1.2.3, 10.1.2.4",), "203.0.113.9"),
        (("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.9"), "203.0.113.9"),
        (("X-Forwarded-For: 10.9.9.9, 10.1.2.3",), "10.9.9.9"),
        (("X-Forwarded-For: 203.0.113.9:5000",), "203.0.113.9"),
        (("X-Forwarded-For: [2001:db8::1]:5000",), "2001:db8::1"),
        (("X-Forwarded-For: ::ffff:203.0.113.9",), "203.0.113.9"),
        (("X-Forwarded-For: 1.1.1.1, 001085012345",), "127.0.0.1"),
        (("X-Forwarded-For: ,",), "127.0.0.1"),
    ],
)
async def test_the_client_is_the_last_hop_that_is_no_proxy(
    trusting: Client, headers: tuple[str, ...], address: str
) -> None:
    assert (await trusting.get("/", *headers)).json[0] == address


@pytest.mark.parametrize("proto", ["ftp", "", "https, http"])
async def test_the_scheme_is_one_of_two(trusting: Client, proto: str) -> None:
    assert (await trusting.get("/", f"X-Forwarded-Proto: {proto}")).json[1] == "http"


@pytest.mark.parametrize(
    "headers",
    [(SENT, SENT), ("Client-Cert: abc",), ("Client-Cert: :a:",), ("Client-Cert: ::",), ("Client-Cert: :%%%%:",)],
)
async def test_an_unreadable_certificate_is_not_taken_for_none(trusting: Client, headers: tuple[str, ...]) -> None:
    answer: Answer = await trusting.get("/", *headers)
    assert (answer.status, answer.json["code"]) == (400, "malformed")


@pytest.mark.parametrize("entry", ["proxy.example", "10.0.0.1/8", "300.0.0.1", ""])
def test_a_wrong_entry_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.trusted_proxies"):
        networks(["10.0.0.1", entry])
