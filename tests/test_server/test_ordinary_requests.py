"""The short way of ordinary requests: whatever takes the library's way instead is answered just the same."""

import asyncio
import json
import re
from typing import Any

import pytest
from aiohttp import web

from config.metrics import render
from routes.direct import Whole
from routes.frame import setup
from routes.listening import running
from tests.test_server.wire import HELD, RELEASE, Answer, Client, receive, served

ESCAPED = {"/livez": "/%6Civez", "/echo": "/ech%6F", "/hold": "/h%6Fld"}


def plain(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status, headers, answer.body


async def sent(client: Client, *requests: bytes) -> list[Answer]:
    """Answers to requests written one after the other on one connection."""
    reader, writer = await asyncio.open_connection(*client.address)
    answers = []
    for request in requests:
        writer.write(request)
        answers.append(await receive(reader))
    writer.close()
    return answers


def question(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    length = [f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *length, *headers, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("path", "method", "headers", "body"),
    [
        ("/livez", "GET", [], b""),
        ("/livez?a=b", "GET", [], b""),
        ("/livez", "GET", ["Authorization: a", "authorization: b"], b""),
        ("/livez", "GET", ["Authorization: a", "AUTHORIZATION: b"], b""),
        ("/echo", "POST", [], b'{"a": 1}'),
        ("/echo", "POST", ["Lgsp-Purpose: tra-cuu"], b'{"a": 1}'),
        ("/echo", "POST", [], b'{"a": 1, "a": 2}'),
        ("/echo", "POST", ["Content-Encoding: gzip"], b"{}"),
        ("/echo", "POST", [], b'"' + b"a" * 2000 + b'"'),
        ("/echo", "GET", [], b""),
        ("/echo", "POST", [], b""),
    ],
)
async def test_both_ways_answer_the_same(
    client: Client, lines: Any, path: str, method: str, headers: list[str], body: bytes
) -> None:
    base, mark, query = path.partition("?")
    asked = [
        question(way + mark + query, "X-Request-Id: r-1", "Accept-Language: en", *headers, method=method, body=body)
        for way in (base, ESCAPED[base])
    ]
    short, long = await sent(client, asked[0], asked[1])
    again = (await sent(client, asked[1], asked[0]))[1]
    assert plain(short) == plain(long) == plain(again)
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", short.headers["date"])
    told = [{key: line[key] for key in ("route", "method", "status", "code", "request_id")} for line in lines()]
    assert len(told) == 4
    assert told[1:] == told[:1] * 3


async def test_a_connection_takes_all_kinds_of_requests(client: Client) -> None:
    kinds = {
        question("/livez"): 200,
        question("/nowhere"): 404,
        question("/fail/ours"): 404,
        question("/fail/away"): 303,
        question("/echo", method="POST", body=b"[1]"): 200,
        question("/echo", method="POST", body=b"[1"): 400,
    }
    for first in kinds:
        for second in kinds:
            answers = await sent(client, first, second, first)
            assert [answer.status for answer in answers] == [kinds[first], kinds[second], kinds[first]]


async def test_a_head_has_no_body(client: Client) -> None:
    reader, writer = await asyncio.open_connection(*client.address)
    writer.write(question("/livez", method="HEAD"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"HTTP/1.1 200" in head
    assert b"Content-Length: 19\r\n" in head
    writer.write(question("/livez"))
    assert (await receive(reader)).json == {"status": "alive"}
    writer.close()


async def test_a_body_in_pieces_is_read_whole(client: Client) -> None:
    reader, writer = await asyncio.open_connection(*client.address)
    head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode() + b"1\r\n[\r\n2\r\n1,\r\n2\r\n2]\r\n0\r\n\r\n")
    assert (await receive(reader)).json["value"] == [1, 2]
    writer.write(head.encode() + b"1\r\n[\r\n")
    await writer.drain()
    writer.write(b"1\r\n]\r\n0\r\n\r\n")
    assert (await receive(reader)).json["value"] == []
    writer.write(question("/echo", method="POST", body=b"{}"))
    assert (await receive(reader)).json["value"] == {}
    writer.close()


async def test_a_body_that_nobody_reads_does_not_stop_the_connection(client: Client) -> None:
    refused = question("/echo", "Content-Encoding: gzip", method="POST", body=b"a" * 300_000)
    answers = await sent(client, refused, question("/livez"), refused, refused, question("/livez"))
    assert [answer.status for answer in answers] == [415, 200, 415, 415, 200]


async def test_many_pipelined_requests_are_answered_in_order(client: Client) -> None:
    reader, writer = await asyncio.open_connection(*client.address)
    asked = [
        question("/livez" if number % 7 else "/nowhere", f"X-Request-Id: p-{number}")
        if number % 3
        else question("/echo", f"X-Request-Id: p-{number}", method="POST", body=b"[]")
        for number in range(400)
    ]
    writer.write(b"".join(asked))
    assert [(await receive(reader)).headers["x-request-id"] for _ in asked] == [f"p-{n}" for n in range(400)]
    writer.close()


@pytest.mark.parametrize("path", ["/hold", ESCAPED["/hold"]])
async def test_who_leaves_early_takes_nothing_along(client: Client, lines: Any, path: str) -> None:
    writer = (await asyncio.open_connection(*client.address))[1]
    writer.write(question(path))
    await client.app[HELD].wait()
    writer.close()
    await writer.wait_closed()
    assert (await client.get("/livez")).status == 200
    client.app[RELEASE].set()
    async with asyncio.timeout(60):
        while not [line for line in lines() if line.get("route") == "/hold"]:
            await asyncio.sleep(0)
    assert [line["event"] for line in lines()] == ["request", "request"]
    assert (await client.get("/livez")).status == 200


async def test_a_client_that_wants_to_close_is_closed(client: Client) -> None:
    for closing in (question("/livez", "Connection: close"), b"GET /livez HTTP/1.0\r\n\r\n"):
        reader, writer = await asyncio.open_connection(*client.address)
        writer.write(closing)
        assert (await receive(reader)).status == 200
        assert await reader.read() == b""
        writer.close()


async def test_nothing_is_left_in_flight(settings_with: Any) -> None:
    def level() -> float:
        found = re.search(rb"^lgsp_http_in_flight (\S+)$", render(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    before = level()
    async with served(settings_with()) as client:
        asked = [asyncio.create_task(client.get("/hold")) for _ in range(5)]
        await client.app[HELD].wait()
        while level() < before + 5:
            await asyncio.sleep(0)
        client.app[RELEASE].set()
        assert {(await one).status for one in asked} == {200}
    assert level() == before


async def test_what_is_not_http_ends_the_connection(client: Client) -> None:
    reader, writer = await asyncio.open_connection(*client.address)
    writer.write(question("/livez"))
    assert (await receive(reader)).status == 200
    writer.write(b"\x00\x01 nonsense\r\n\r\n")
    refused = await receive(reader)
    assert (refused.status, json.loads(refused.body)["code"]) == (400, "malformed")
    assert await reader.read() == b""
    writer.close()


async def test_an_answer_that_cannot_be_written_is_a_failure_of_ours(settings_with: Any, lines: Any) -> None:
    async def broken(_request: web.Request) -> web.Response:
        return Whole(b"{}", {"Content-Type": "application/json", "X-Broken": "a\nb"})

    app = web.Application()
    settings = settings_with()
    setup(app, settings.server)
    app.router.add_get("/broken", broken)
    async with running(settings, app) as serving:
        client = Client(serving.addresses["http"], app)
        reader, writer = await asyncio.open_connection(*client.address)
        writer.write(question("/broken"))
        answer = await receive(reader)
        assert (answer.status, answer.json["code"], answer.headers["connection"]) == (500, "internal", "close")
        assert await reader.read() == b""
        writer.close()
        assert (await client.get("/nowhere")).status == 404
    assert "internal-error" in [line["event"] for line in lines()]


async def test_an_answer_for_nobody_ends_quietly(settings_with: Any, lines: Any) -> None:
    came, go_on = asyncio.Event(), asyncio.Event()

    async def gone(_request: web.Request) -> web.Response:
        came.set()
        await go_on.wait()
        # Not even the failure can be told to a connection that was reset.
        return Whole(b"{}", {"X-Broken": "a\nb"})

    app = web.Application()
    settings = settings_with()
    setup(app, settings.server)
    app.router.add_get("/gone", gone)
    async with running(settings, app) as serving:
        writer = (await asyncio.open_connection(*serving.addresses["http"]))[1]
        writer.write(question("/gone"))
        await came.wait()
        writer.transport.abort()
        assert (await Client(serving.addresses["http"], app).get("/nowhere")).status == 404
        go_on.set()
    assert {line["event"] for line in lines()} <= {"request", "internal-error", "bad-http"}


async def test_a_request_that_is_cut_off_is_counted_as_such(settings_with: Any, lines: Any) -> None:
    async with served(settings_with(grace=0.0)) as client:
        reader, writer = await asyncio.open_connection(*client.address)
        writer.write(question("/hold"))
        await client.app[HELD].wait()
    assert await reader.read() == b""
    writer.close()
    assert [line["status"] for line in lines() if line["event"] == "request"] == [499]
