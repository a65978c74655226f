"""How `lgsp doctor` knocks at an address: a connection for the length of a block, whatever the other side does."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.http_connections import reached

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def knocking(
    at: tuple[str, int] | socket.socket, patience: float, tls: ssl.SSLContext | None = None, name: str = ""
) -> AsyncIterator[Streams]:
    """Give a connection to an address, or over a socket that is connected; `name` is the host that TLS has to show.

    Raises TimeoutError where it is not open after `patience` seconds, OSError, of which the errors of TLS are kinds.
    """
    async with asyncio.timeout(patience):
        opened = at if isinstance(at, socket.socket) else await reached(*at)
        try:
            named = name if tls is not None else None
            reader, writer = await asyncio.open_connection(sock=opened, ssl=tls, server_hostname=named)
        except BaseException:
            opened.close()
            raise
    try:
        yield reader, writer
    finally:
        # Not `close`: that waits for the other side to say goodbye.
        writer.transport.abort()
