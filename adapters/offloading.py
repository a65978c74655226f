"""Large messages are read in threads, so that nobody else in this process waits until they are.

A thread makes nothing faster: it shares the interpreter with the event loop, which asks for its turn every
millisecond. Small messages are read on the loop, since the way to a thread and back costs more than they do.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, TypeVarTuple

from schemas.errors import Overloaded, Text

LARGE: Final = 24 * 1024
"""Bytes from which on a message is read in a thread; one just below is verified, checked and decoded in 1 ms."""

_THREADS: Final = 2
_MOST: Final = 32
_TURN: Final = 0.001
_TOO_MANY = Text("Đang đọc quá nhiều thông điệp lớn.", "Too many large messages are being read.")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Unread(Overloaded):
    """A message that has come is not read, since too many are being read already: whoever sent it may have acted."""


class _Readers:
    """The threads of this process, made when the first is needed: a process that forks must not have any."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._under_way = 0

    async def run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        if self._under_way >= _MOST:
            raise Unread(_TOO_MANY, retry_after=1.0)
        if self._pool is None:
            # What the loop may have to wait for the interpreter, instead of five times as long.
            sys.setswitchinterval(_TURN)
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="reading")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        finally:
            self._under_way -= 1


_READERS = _Readers()


async def in_thread(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Return `work(*arguments)`, done in a thread; raises what it raises, Unread where 32 are under way already.

    Whoever stops waiting leaves a work that has begun to its end, which nobody hears of; one that waits never begins.
    `work` must not touch what belongs to the event loop.
    """
    return await _READERS.run(work, *arguments)
