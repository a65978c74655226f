"""One Lua script in Redis, asked with short waits on the path of an exchange; imported only where Redis is configured.

Its client is large, and it tries again by itself unless told not to: a script that counts must run once.
"""

from __future__ import annotations

import time
from typing import Any, Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)


class RedisLost(Exception):
    """Redis does not answer, or not with what the script returns; what it was told may have reached it."""


class RedisScript:
    """Runs `text` over one key. After a failure Redis is left alone for `pause` seconds.

    So its loss costs one short wait a pause and not one an exchange. `hint` tells the log what follows from a loss.
    """

    def __init__(self, redis: Redis, text: str, hint: str, pause: float = 1.0) -> None:
        self._script = redis.register_script(text)
        self._redis = redis
        self._hint = hint
        self._pause = pause
        self._resume = 0.0
        self._lost = False

    @classmethod
    def at(cls, url: str, text: str, hint: str, *, wait: float) -> Self:
        """Connect lazily to `url`; nobody waits longer than `wait` seconds for a connection or an answer."""
        return cls(Redis.from_url(url, socket_timeout=wait, socket_connect_timeout=wait, retry=None), text, hint)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def __call__(self, key: str, *arguments: str | bytes | int | float) -> Any:
        """Return what the script returns; raises RedisLost."""
        if time.monotonic() < self._resume:
            raise RedisLost
        try:
            answer = await self._script(keys=[key], args=arguments)
        except (RedisError, OSError, TimeoutError) as failure:
            self._resume = time.monotonic() + self._pause
            if not self._lost:
                _log.warning("redis-lost", hint=self._hint, reason=type(failure).__name__)
            self._lost = True
            raise RedisLost from failure
        if self._lost:
            _log.info("redis-back")
        self._lost = False
        return answer
