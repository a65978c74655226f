"""Sources over real sockets that do what a test tells them, byte for byte."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from adapters.transport import (
    Message,
    Transport,
)
from config.settings import Endpoint, Timeout

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASK = Message("POST", "/ask", {"Content-Type": "text/plain"}, b"question")
LIMITS = Timeout(connect=20, read=30, total=30)
"""Never reached where a source answers at all, however busy the machine is."""


def in_seconds(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def leap(seconds: float) -> None:
    """Put the clock of this event loop forward: what is due by then is due now, however busy the machine is."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    return head + await reader.readexactly(length)


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """A TCP server that reads one request and then does what `script` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def transport(url: str, **settings: object) -> AsyncIterator[Transport]:
    made = Transport("source", Endpoint.model_validate({"url": url, "timeout": LIMITS, **settings}))
    try:
        yield made
    finally:
        await made.close()


def answering(*parts: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()

    return script


def hanging(*parts: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(*parts)(reader, writer)
        await reader.read()

    return script


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on the loop that serves, uvloop, and on the plain one: transports differ in much that matters here."""

    @functools.wraps(test)
    def run(new_loop: Callable[[], asyncio.AbstractEventLoop], **arguments: Any) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(test(**arguments))

    wanted = inspect.signature(test)
    first = inspect.Parameter("new_loop", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = wanted.replace(parameters=[first, *wanted.parameters.values()])  # type: ignore[attr-defined]
    loops = [asyncio.new_event_loop, uvloop.new_event_loop]
    return pytest.mark.parametrize("new_loop", loops, ids=["asyncio", "uvloop"])(run)
