"""Wakes whoever delivers when something was handed in: in this process, on this machine, on other nodes (đánh thức).

Nothing depends on it. Workers look every `sync.poll` seconds by themselves, and what there is to be done stands in the
database alone: a signal that is lost costs that time, one too many costs a look.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, Self

from schemas.ids import new_id

_SOCKETS: Final = "wakes"
_SUFFIX: Final = ".sock"
_SIGNAL: Final = b"1"


class Far(Protocol):
    """What reaches other nodes."""

    def tell(self) -> None:
        """Wake the workers of all nodes, soon; never raises."""
        ...

    async def follow(self, heard: Callable[[], None]) -> None:
        """Call `heard` whenever another node tells something, until cancelled."""
        ...

    async def close(self) -> None:
        """Give back every connection."""
        ...


class Bell:
    """Rung by whoever takes something in, heard by workers; belongs to one process and one event loop.

    Workers of other processes on this machine are reached through datagram sockets in a directory beside the vault,
    those of other nodes through `far`, where there is one.
    """

    def __init__(self, state: Path, far: Far | None = None) -> None:
        self._directory = state / _SOCKETS
        self._far = far
        self._ears: list[Callable[[], None]] = []
        self._own: set[str] = set()
        self._ringing = False
        self._out: socket.socket | None = None

    @classmethod
    def at(cls, state: Path, redis: str) -> Self:
        """Reach other nodes through the Redis of this address; "": there are none."""
        if not redis:
            return cls(state)
        # A quarter of a second of imports that a deployment without Redis need not wait for.
        from sync.redis_waking import RedisFar

        return cls(state, RedisFar.at(redis))

    def ring(self) -> None:
        """Wake all workers, once for everything that is handed in before the event loop has its next turn."""
        if not self._ringing:
            self._ringing = True
            asyncio.get_running_loop().call_soon(self._ring)

    @asynccontextmanager
    async def heard_by(self, ear: Callable[[], None]) -> AsyncIterator[None]:
        """Call `ear` at every ring, wherever it comes from, while the block runs."""
        self._ears.append(ear)
        listening = None if self._far is None else asyncio.create_task(self._far.follow(ear))
        inbox = self._listen(ear)
        try:
            yield
        finally:
            self._ears.remove(ear)
            if inbox is not None:
                self._hang_up(*inbox)
            if listening is not None:
                listening.cancel()
                await asyncio.wait([listening])

    async def close(self) -> None:
        """Give back sockets and connections."""
        if self._out is not None:
            self._out.close()
        if self._far is not None:
            await self._far.close()

    def _ring(self) -> None:
        self._ringing = False
        for ear in self._ears:
            ear()
        self._tell_neighbours()
        if self._far is not None:
            self._far.tell()

    def _tell_neighbours(self) -> None:
        if self._out is None:
            self._out = _datagrams()
        # A directory that is not there, a buffer that is full: whoever is not told looks by himself.
        with suppress(OSError), _opened(self._directory) as directory:
            with os.scandir(directory) as entries:
                names = [entry.name for entry in entries]
            for name in names:
                if name in self._own or not name.endswith(_SUFFIX):
                    continue
                try:
                    self._out.sendto(_SIGNAL, _address(directory, name))
                except ConnectionRefusedError:
                    # Left behind by a process that was killed.
                    os.unlink(name, dir_fd=directory)
                except BlockingIOError:
                    continue

    def _listen(self, ear: Callable[[], None]) -> tuple[socket.socket, str] | None:
        inbox, name = _datagrams(), f"{new_id()}{_SUFFIX}"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _opened(self._directory) as directory:
                inbox.bind(_address(directory, name))
        except OSError:
            # A full disk, a directory of somebody else's: this worker looks by itself.
            inbox.close()
            return None
        self._own.add(name)
        asyncio.get_running_loop().add_reader(inbox, self._read, inbox, ear)
        return inbox, name

    @staticmethod
    def _read(inbox: socket.socket, ear: Callable[[], None]) -> None:
        with suppress(BlockingIOError):
            while inbox.recv(len(_SIGNAL)):
                pass
        ear()

    def _hang_up(self, inbox: socket.socket, name: str) -> None:
        asyncio.get_running_loop().remove_reader(inbox)
        inbox.close()
        self._own.discard(name)
        (self._directory / name).unlink(missing_ok=True)


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    found = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield found
    finally:
        os.close(found)


def _address(directory: int, name: str) -> str:
    # The path itself may be longer than the address of a socket can be.
    return f"/proc/self/fd/{directory}/{name}"


def _datagrams() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    return made
