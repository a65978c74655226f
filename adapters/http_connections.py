"""The connections of our HTTP/1.1 client to one address: opened, kept for a while after an answer, ended."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiohappyeyeballs import start_connection

from adapters.http_connection import Connection
from adapters.http_request import Requests

# Below the five seconds after which common servers close an idle connection: reusing one that the source is just
# closing would look like an answer that was lost.
KEEP_ALIVE = 4.0
# Seconds until the next address of a name is tried beside the one that does not answer (RFC 8305 section 8).
_NEXT_ADDRESS = 0.25


async def reached(host: str, port: int) -> socket.socket:
    """Return a connected socket, to whichever address of the host answers first; raises OSError, gaierror for names."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    # uvloop's create_connection tries one address after the other, each until it fails by itself.
    return await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1, loop=loop)


class Connections:
    """Every connection to the address of `requests`; those that wait for the next question wait KEEP_ALIVE seconds."""

    def __init__(self, requests: Requests, max_answer: int) -> None:
        self._requests = requests
        self._max_answer = max_answer
        self._all: set[Connection] = set()
        # The one used last is used next, so that those too many grow old.
        self._idle: list[Connection] = []
        self._outdated: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    def idle(self, now: float) -> Connection | None:
        """Take a connection that was kept for less than KEEP_ALIVE until `now`; None if there is none that is good."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                if now - connection.idle_since < KEEP_ALIVE:
                    return connection
                connection.close()
        return None

    async def fresh(self, tls: ssl.SSLContext | None) -> Connection:
        """Open a connection; raises OSError, of which the errors of names and of TLS are kinds."""
        host = self._requests.host
        opened = await reached(host, self._requests.port)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._max_answer, self._lost),
                sock=opened,
                ssl=tls,
                server_hostname=host if tls is not None else None,
            )
        except BaseException:
            opened.close()
            raise
        # One that ended already has been taken leave of.
        if connection.usable:
            self._all.add(connection)
        return connection

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose answer is complete."""
        if not connection.usable:
            return
        if connection in self._outdated:
            connection.close()
            return
        connection.idle_since = connection.now()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(KEEP_ALIVE, self._sweep)

    def renew(self) -> None:
        """Use none of the connections that are open for another question."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        self._outdated = set(self._all)

    async def close(self) -> None:
        """End every connection and wait until that is done."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        self._idle.clear()
        for connection in tuple(self._all):
            connection.close()
        if self._all:
            if self._emptied is None:
                self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._emptied)

    def _lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._outdated.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._all and self._emptied is not None:
            self._emptied.set_result(None)
            self._emptied = None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        old = [connection for connection in self._idle if now - connection.idle_since >= KEEP_ALIVE]
        self._idle = [connection for connection in self._idle if connection not in old]
        for connection in old:
            connection.close()
        self._sweeper = None
        if self._idle:
            oldest = self._idle[0].idle_since
            self._sweeper = loop.call_at(oldest + KEEP_ALIVE, self._sweep)
