"""Rate limits shared by all nodes through Redis; imported only where Redis is configured, since its client is large."""

from __future__ import annotations

import time
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from security.limits import LocalLimiter, Verdict, key_digest

_log = structlog.get_logger(__name__)

_SCRIPT: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local step, burst = 1 / tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = (tonumber(redis.call('GET', KEYS[1])) or now) - now
if ahead < 0 or ahead > (burst + 1) * step * (1 + 1e-9) then ahead = 0 end
local room = burst * step - ahead
if room < -step * 1e-9 - 1e-6 then return {0, tostring(-room), 0, tostring(-room)} end
local whole = ahead + step
redis.call('SET', KEYS[1], string.format('%.6f', now + whole), 'PX', math.ceil(whole * 1000))
return {1, '0', math.floor(room / step + 1e-6), tostring(whole)}
"""


class RedisLimiter:
    """The same count in Redis, for all nodes; whenever Redis does not answer at once the local one decides.

    After a failure Redis is left alone for `pause` seconds, so that its loss costs one short wait a pause and not one
    an exchange. A limit is no reason to refuse anybody because Redis is down.
    """

    def __init__(self, redis: Redis, local: LocalLimiter, pause: float = 1.0) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._redis = redis
        self._local = local
        self._pause = pause
        self._resume = 0.0
        self._lost = False

    @classmethod
    def at(cls, url: str, local: LocalLimiter) -> RedisLimiter:
        """Connect lazily to `url`, with waits short enough for the path of an exchange."""
        return cls(Redis.from_url(url, socket_timeout=0.1, socket_connect_timeout=0.1, retry=None), local)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def take(self, key: str, rate: float, burst: int) -> Verdict:
        """Count one request in Redis, or locally while Redis is lost."""
        if time.monotonic() >= self._resume:
            try:
                answer = await self._script(
                    keys=[f"lgsp:rate:{key_digest(key, rate, burst).hex()}"], args=[rate, burst]
                )
            except (RedisError, OSError, TimeoutError) as failure:
                self._resume = time.monotonic() + self._pause
                if not self._lost:
                    _log.warning("redis-lost", hint="limits count on this machine alone", reason=type(failure).__name__)
                self._lost = True
            else:
                if self._lost:
                    _log.info("redis-back")
                self._lost = False
                return Verdict(bool(answer[0]), float(answer[1]), int(answer[2]), float(answer[3]))
        return self._local.take(key, rate, burst)
