"""A source that answers as told, piece by piece, and the transport that meets it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from adapters.transport import Transport
from tests.test_resilience.doubles import request, transport

OK = b"HTTP/1.1 200 OK\r\n"
PLAIN = OK + b"Content-Length: 2\r\n\r\nok"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Wire:
    """A source that answers every question with the same pieces; `connections` counts those that were opened."""

    def __init__(self, *pieces: bytes, ends: bool = False) -> None:
        self.pieces = pieces
        self.ends = ends
        self.connections = 0
        self.questions: list[bytes] = []
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not self.ends or not self.questions:
                self.questions.append(await request(reader))
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    # The next piece is a segment of its own.
                    await asyncio.sleep(0)
        writer.close()
        self.left.set()

    @asynccontextmanager
    async def met(self, **more: object) -> AsyncIterator[Transport]:
        async with met(self.serve, **more) as link:
            yield link


@asynccontextmanager
async def met(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **more: object
) -> AsyncIterator[Transport]:
    """A transport to a server that treats each connection as `serve` does; ends when all of those have ended."""
    serving: list[asyncio.Task[None]] = []

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.append(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    try:
        async with transport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", **more) as link:
            yield link
    finally:
        server.close()
        await asyncio.gather(*serving)
