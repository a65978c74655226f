"""Rate limits shared by all nodes through Redis; imported only where Redis is configured, since its client is large."""

from __future__ import annotations

from typing import Final

from security.limits import LocalLimiter, Verdict, key_digest
from security.redis_script import RedisLost, RedisScript

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

    A limit is no reason to refuse anybody because Redis is down.
    """

    def __init__(self, script: RedisScript, local: LocalLimiter) -> None:
        self._script = script
        self._local = local

    @classmethod
    def at(cls, url: str, local: LocalLimiter) -> RedisLimiter:
        """Connect lazily to `url`, with waits short enough for the path of an exchange."""
        return cls(RedisScript.at(url, _SCRIPT, "limits count on this machine alone", wait=0.1), local)

    async def close(self) -> None:
        """Close the connections."""
        await self._script.close()

    async def take(self, key: str, rate: float, burst: int) -> Verdict:
        """Count one request in Redis, or locally while Redis is lost."""
        try:
            answer = await self._script(f"lgsp:rate:{key_digest(key, rate, burst).hex()}", rate, burst)
        except RedisLost:
            return self._local.take(key, rate, burst)
        return Verdict(bool(answer[0]), float(answer[1]), int(answer[2]), float(answer[3]))
