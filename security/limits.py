"""Rate limits: one GCRA per client, database and operation, shared by the workers of a machine or by all nodes.

GCRA (generic cell rate algorithm, ITU-T I.371) keeps a single time per key, the theoretical arrival time (TAT): a
request is admitted while the TAT is no further ahead than the burst allows. A grant of `rate` per second with `burst`
on top admits burst + 1 requests at once and `rate` a second from then on. Times are seconds.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from schemas.errors import TooManyRequests
from schemas.exchange import Answer, Exchange, Handler, Stage


class Verdict(NamedTuple):
    """What the limit says to one request: seconds to wait when refused, what is left and when it is whole again."""

    admitted: bool
    retry_after: float
    remaining: int
    reset: float


def gcra(tat: float, now: float, rate: float, burst: int) -> tuple[float, Verdict]:
    """Decide over one request: the TAT to keep and the verdict; a refused request leaves the TAT as it was.

    A TAT further ahead than any request can have moved it is from before a restart of the clock and counts as none.
    """
    step = 1 / rate
    ahead = tat - now
    if ahead < 0 or ahead > (burst + 1) * step * (1 + 1e-9):
        ahead = 0.0
    room = burst * step - ahead
    if room < -step * 1e-9:
        return now + ahead, Verdict(False, -room, 0, -room)
    return now + ahead + step, Verdict(True, 0.0, int(room / step + 1e-9), ahead + step)


_SLOT: Final = struct.Struct("=16sd")
_WAYS: Final = 8
_BUCKET: Final = _SLOT.size * _WAYS
_PATIENCE: Final = 0.05
_LOCKLESS: Final = 1.0


class LocalLimiter:
    """A table of TATs in a memory-mapped file, for all processes of one machine.

    The file has `buckets` of eight slots and never grows. When a bucket is full, the slot whose limit is nearest to
    whole again is given away: under a flood of keys somebody may be admitted too often, never too seldom. The clock is
    CLOCK_MONOTONIC, which the processes of a machine share; it begins anew with the machine, and so should the file.
    Raises OSError when the file cannot be made.
    """

    def __init__(self, path: Path, buckets: int = 8192, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets = buckets
        self._lockless_until = 0.0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(self._file, buckets * _BUCKET)
            # A hole that finds no room on a full disk when it is first written to would end the process (SIGBUS).
            os.posix_fallocate(self._file, 0, buckets * _BUCKET)
            self._map = mmap.mmap(self._file, buckets * _BUCKET)
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Give the file back."""
        self._map.close()
        os.close(self._file)

    def take(self, key: str, rate: float, burst: int) -> Verdict:
        """Count one request; takes microseconds and never waits long for another process."""
        digest = key_digest(key, rate, burst)
        start = int.from_bytes(digest[:4], "big") % self._buckets * _BUCKET
        held = self._lock(start)
        try:
            now = self._clock()
            offset, tat = self._find(start, digest, now)
            tat, verdict = gcra(tat, now, rate, burst)
            _SLOT.pack_into(self._map, offset, digest, tat)
        finally:
            if held:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _BUCKET, start)
        return verdict

    def _find(self, start: int, digest: bytes, now: float) -> tuple[int, float]:
        spare, nearest = start, float("inf")
        for offset in range(start, start + _BUCKET, _SLOT.size):
            found, tat = _SLOT.unpack_from(self._map, offset)
            if found == digest:
                return offset, tat
            if tat < nearest:
                spare, nearest = offset, tat
        return spare, now

    def _lock(self, start: int) -> bool:
        """Lock a bucket against the other processes; give False where that did not succeed in time.

        A process that was stopped with the lock held must not stop the others: they wait for a moment once, then go on
        without the lock for a while, and at worst a few requests are not counted.
        """
        give_up = 0.0
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, _BUCKET, start)
            except (BlockingIOError, PermissionError):
                now = time.monotonic()
                if now < self._lockless_until:
                    return False
                give_up = give_up or now + _PATIENCE
                if now >= give_up:
                    self._lockless_until = now + _LOCKLESS
                    return False
                os.sched_yield()
            else:
                return True


# The rate is part of the key: a changed grant starts afresh and two grants of one operation do not disturb each other.
@lru_cache(maxsize=16384)
def key_digest(key: str, rate: float, burst: int) -> bytes:
    """Return the 16 bytes under which a key is counted at this rate."""
    return blake2b(f"{key}\0{rate!r}\0{burst}".encode(), digest_size=16).digest()


class Limiter(Protocol):
    """Counts requests against rates; `LocalLimiter` answers at once, one shared by nodes has to be waited for."""

    def take(self, key: str, rate: float, burst: int) -> Verdict | Awaitable[Verdict]:
        """Count one request."""
        ...


@dataclass(slots=True)
class Quota:
    """What the limit said to the exchange of this request; empty until it was asked."""

    policy: str = ""
    rate: float = 0.0
    burst: int = 0
    verdict: Verdict | None = None

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11) for the response.

        `q` requests in `w` seconds is the burst and the time in which it grows back; `r` is what is left of it and `t`
        when it is whole again or, with nothing left, when the next request is admitted.
        """
        if self.verdict is None:
            return {}
        quota = self.burst + 1
        return {
            "RateLimit-Policy": f'"{self.policy}";q={quota};w={ceil(quota / self.rate)}',
            "RateLimit": f'"{self.policy}";r={self.verdict.remaining};t={ceil(self.verdict.reset)}',
        }


_QUOTA: ContextVar[Quota | None] = ContextVar("quota", default=None)


@contextmanager
def watched() -> Iterator[Quota]:
    """Let a route see what the limit says to the exchange that it starts inside this block, answered or refused."""
    quota = Quota()
    token = _QUOTA.set(quota)
    try:
        yield quota
    finally:
        _QUOTA.reset(token)


def limited(limiter: Limiter) -> Stage:
    """Make the stage that counts an exchange against its grant; raises TooManyRequests with `retry_after`.

    Stands behind `authorised`, which sets the grant; without one nothing has to be counted.
    """

    def stage(handler: Handler) -> Handler:
        async def limit(exchange: Exchange) -> Answer:
            grant = exchange.grant
            if grant is None:
                return await handler(exchange)
            key = f"{exchange.caller.client_id}\0{grant.database}\0{grant.operation}"
            taken = limiter.take(key, grant.rate, grant.burst)
            verdict = taken if isinstance(taken, Verdict) else await taken
            quota = _QUOTA.get()
            if quota is not None:
                quota.policy = f"{grant.database}/{grant.operation}"
                quota.rate, quota.burst, quota.verdict = grant.rate, grant.burst, verdict
            if not verdict.admitted:
                raise TooManyRequests(retry_after=verdict.retry_after)
            return await handler(exchange)

        return limit

    return stage
