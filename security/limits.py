"""Rate limits: one GCRA per client, database and operation, shared by the workers of a machine or by all nodes.

GCRA (generic cell rate algorithm, ITU-T I.371) keeps a single time per key, the theoretical arrival time (TAT): a
request is admitted while the TAT is no further ahead than the burst allows. A grant of `rate` per second with `burst`
on top admits burst + 1 requests at once and `rate` a second from then on. Times are seconds.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from functools import lru_cache
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Final, NamedTuple, Protocol, Self

from schemas.errors import TooManyRequests
from schemas.exchange import Answer, Exchange, Grant, Handler, Stage
from security.shared_table import SharedTable


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


# The digest of a key and its TAT.
_SLOT: Final = struct.Struct("=16sd")
_SIZE: Final = _SLOT.size
_BUCKET: Final = _SIZE * 8


class LocalLimiter:
    """A table of TATs in a memory-mapped file, for all processes of one machine.

    The file has `buckets` of eight slots and never grows. When a bucket is full, the slot whose limit is nearest to
    whole again is given away: under a flood of keys somebody may be admitted too often, never too seldom. Where a
    bucket cannot be locked in time a few requests are not counted. The clock is CLOCK_MONOTONIC, which the processes of
    a machine share; it begins anew with the machine, and so should the file. Raises OSError when the file cannot be
    made.
    """

    def __init__(self, path: Path, buckets: int = 8192, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._place = lru_cache(maxsize=16384)(self._placed)
        self._table = SharedTable(path, buckets, _BUCKET)

    def close(self) -> None:
        """Give the file back."""
        self._table.close()

    def take(self, key: str, rate: float, burst: int) -> Verdict:
        """Count one request; takes microseconds and never waits long for another process."""
        digest, start, end = self._place(key, rate, burst)
        table = self._table
        memory = table.memory
        held = table.lock(start)
        try:
            now = self._clock()
            offset = memory.find(digest, start, end)
            # What is found across two slots, by a chance of one in 2^128, is no slot of this key.
            if offset < 0 or (offset - start) % _SIZE:
                offset, tat = self._spare(start), now
            else:
                _, tat = _SLOT.unpack_from(memory, offset)
            tat, verdict = gcra(tat, now, rate, burst)
            _SLOT.pack_into(memory, offset, digest, tat)
        finally:
            if held:
                table.unlock(start)
        return verdict

    def _placed(self, key: str, rate: float, burst: int) -> tuple[bytes, int, int]:
        """Return the digest of a key, and where its bucket starts and ends."""
        digest = key_digest(key, rate, burst)
        start = self._table.bucket(digest)
        return digest, start, start + _BUCKET

    def _spare(self, start: int) -> int:
        """Return the slot of a bucket whose limit is nearest to whole again; one that was never used is."""
        slots = range(start, start + _BUCKET, _SIZE)
        return min(slots, key=lambda offset: _SLOT.unpack_from(self._table.memory, offset)[1])


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


class Quota:
    """What the limit said to the exchange that is started inside a `with` of this; empty until it was asked."""

    grant: Grant | None = None
    verdict: Verdict | None = None
    _before: Token[Quota | None]

    def __enter__(self) -> Self:
        self._before = _QUOTA.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _QUOTA.reset(self._before)

    def headers(self) -> dict[str, str]:
        """What `rate_limit` says of it for the response."""
        grant, verdict = self.grant, self.verdict
        if grant is None or verdict is None:
            return {}
        return rate_limit(f"{grant.database}/{grant.operation}", grant.rate, grant.burst, verdict)


def rate_limit(name: str, rate: float, burst: int, verdict: Verdict) -> dict[str, str]:
    """Return `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11) of the limit `name`.

    `q` requests in `w` seconds is the burst and the time in which it grows back; `r` is what is left of it and `t`
    when it is whole again or, with nothing left, when the next request is admitted.
    """
    return {
        "RateLimit-Policy": _policy(name, rate, burst),
        "RateLimit": f'"{name}";r={verdict.remaining};t={ceil(verdict.reset)}',
    }


# Grants differ by what they limit to far less than by whose they are.
@lru_cache(maxsize=4096)
def _policy(name: str, rate: float, burst: int) -> str:
    quota = burst + 1
    return f'"{name}";q={quota};w={ceil(quota / rate)}'


_QUOTA: ContextVar[Quota | None] = ContextVar("quota", default=None)


def watched() -> Quota:
    """Let a route see what the limit says to the exchange that it starts inside this block, answered or refused."""
    return Quota()


def limited(limiter: Limiter) -> Stage:
    """Make the stage that counts an exchange against its grant; raises TooManyRequests with `retry_after`.

    Stands behind `authorised`, which sets the grant; without one nothing has to be counted.
    """

    def stage(handler: Handler) -> Handler:
        # No coroutine where the verdict is at hand: one less to be entered and left around everything further in.
        def limit(exchange: Exchange) -> Awaitable[Answer]:
            grant = exchange.grant
            if grant is None:
                return handler(exchange)
            key = f"{exchange.caller.client_id}\0{grant.database}\0{grant.operation}"
            taken = limiter.take(key, grant.rate, grant.burst)
            return judged(exchange, grant, taken) if isinstance(taken, Verdict) else waited(exchange, grant, taken)

        async def waited(exchange: Exchange, grant: Grant, taken: Awaitable[Verdict]) -> Answer:
            return await judged(exchange, grant, await taken)

        def judged(exchange: Exchange, grant: Grant, verdict: Verdict) -> Awaitable[Answer]:
            quota = _QUOTA.get()
            if quota is not None:
                quota.grant, quota.verdict = grant, verdict
            if not verdict.admitted:
                raise TooManyRequests(retry_after=verdict.retry_after)
            return handler(exchange)

        return limit

    return stage
