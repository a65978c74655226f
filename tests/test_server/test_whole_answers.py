"""Answers that are written in one step, on connections that are idle, slow or about to end; both ways do the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from routes import connections
from routes.direct import Whole
from routes.frame import setup
from routes.listening import Serving, running
from tests.test_server.wire import receive

LARGE = bytes(range(256)) * 20_000
WAYS = pytest.mark.parametrize("path", ["/whole", "/who%6Ce"])


class Gate:
    def __init__(self) -> None:
        self.came, self.go_on = asyncio.Event(), asyncio.Event()


@asynccontextmanager
async def answering(settings: Any, octets: bytes = b"{}", gate: Gate | None = None) -> AsyncIterator[Serving]:
    async def whole(_request: web.Request) -> web.Response:
        if gate is not None:
            gate.came.set()
            await gate.go_on.wait()
        return Whole(octets, {"Content-Type": "application/json"})

    app = web.Application()
    setup(app, settings.server)
    app.router.add_get("/whole", whole)
    async with running(settings, app) as serving, asyncio.timeout(60):
        yield serving


def question(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@WAYS
async def test_a_connection_that_is_idle_for_long_is_closed(
    settings_with: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE_SECONDS", 0.05)
    async with answering(settings_with()) as serving:
        reader, writer = await asyncio.open_connection(*serving.addresses["http"])
        writer.write(question(path) * 2)
        assert [(await receive(reader)).body for _ in range(2)] == [b"{}", b"{}"]
        assert await reader.read() == b""
        writer.close()


@WAYS
async def test_who_reads_slowly_gets_everything(settings_with: Any, path: str) -> None:
    async with answering(settings_with(), LARGE) as serving:
        reader, writer = await asyncio.open_connection(*serving.addresses["http"], limit=1024)
        # More than all buffers on the way hold: the server has to wait for its reader.
        writer.write(question(path) * 3)
        for _ in range(3):
            assert (await receive(reader)).body == LARGE
        writer.close()


@WAYS
async def test_what_is_being_answered_at_the_end_is_answered(settings_with: Any, path: str) -> None:
    gate = Gate()
    async with answering(settings_with(), gate=gate) as serving:
        reader, writer = await asyncio.open_connection(*serving.addresses["http"])
        idle_reader, idle_writer = await asyncio.open_connection(*serving.addresses["http"])
        writer.write(question(path))
        await gate.came.wait()
        closing = asyncio.create_task(serving.close())
        assert await idle_reader.read() == b""
        idle_writer.close()
        gate.go_on.set()
        answer = await receive(reader)
        assert (answer.status, answer.body, answer.headers["connection"]) == (200, b"{}", "close")
        assert await reader.read() == b""
        writer.close()
        await closing


@WAYS
async def test_a_reload_disturbs_nobody(settings_with: Any, path: str) -> None:
    gate = Gate()
    async with answering(settings_with(), gate=gate) as serving:
        reader, writer = await asyncio.open_connection(*serving.addresses["http"])
        writer.write(question(path))
        await gate.came.wait()
        await serving.reload()
        gate.go_on.set()
        assert (await receive(reader)).body == b"{}"
        writer.write(question(path))
        assert (await receive(reader)).body == b"{}"
        writer.close()


@WAYS
async def test_a_head_tells_the_length_only(settings_with: Any, path: str) -> None:
    async with answering(settings_with()) as serving:
        reader, writer = await asyncio.open_connection(*serving.addresses["http"])
        writer.write(question(path, "HEAD"))
        assert b"Content-Length: 2\r\n" in await reader.readuntil(b"\r\n\r\n")
        writer.write(question(path))
        assert (await receive(reader)).body == b"{}"
        writer.close()


@WAYS
async def test_who_leaves_before_the_answer_disturbs_nobody(settings_with: Any, path: str) -> None:
    gate = Gate()
    async with answering(settings_with(), LARGE, gate) as serving:
        writer = (await asyncio.open_connection(*serving.addresses["http"]))[1]
        writer.write(question(path))
        await gate.came.wait()
        writer.transport.abort()
        other_reader, other = await asyncio.open_connection(*serving.addresses["http"])
        gate.go_on.set()
        other.write(question(path))
        assert (await receive(other_reader)).body == LARGE
        other.close()
