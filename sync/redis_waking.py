"""Wakes workers of other nodes through a channel of Redis; imported only where Redis is configured.

Redis is told after the commit and asked for nothing: killed, flushed or cut off, it costs the time until workers look
by themselves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final, Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)

CHANNEL: Final = "lgsp:handed-in"
_WAIT_S: Final = 1.0
_REST_S: Final = 1.0
_QUIET_S: Final = 15.0
"""After so long a silence the connection is tried; after another one it is taken for dead."""


class RedisFar:
    """Tells and follows one channel; `pause` is the first wait before a new connection, doubled up to `longest`."""

    def __init__(self, redis: Redis, pause: float = 0.1, longest: float = 10.0) -> None:
        self._redis = redis
        self._pause = pause
        self._longest = longest
        self._telling: asyncio.Task[None] | None = None
        self._again = False
        self._resume = 0.0
        self._lost = False

    @classmethod
    def at(cls, url: str) -> Self:
        """Connect lazily to `url`."""
        return cls(Redis.from_url(url, socket_timeout=_WAIT_S, socket_connect_timeout=_WAIT_S, retry=None))

    def tell(self) -> None:
        """Publish soon; what is to be told meanwhile is told once more together."""
        self._again = True
        if self._telling is None and time.monotonic() >= self._resume:
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._redis.publish(CHANNEL, b"")
        except (RedisError, OSError, TimeoutError):
            # Not for every event a connection that cannot be made.
            self._resume = time.monotonic() + _REST_S
        finally:
            self._telling = None

    async def follow(self, heard: Callable[[], None]) -> None:
        """Call `heard` at every message, and once for each new connection: something may have been told before it."""
        pause = self._pause
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    quiet = False
                    while True:
                        told = await channel.get_message(timeout=_QUIET_S)
                        if told is None and quiet:
                            raise TimeoutError
                        quiet = told is None
                        if told is None:
                            await channel.ping()
                        elif told["type"] == "subscribe":
                            pause = self._pause
                            self._found()
                            heard()
                        elif told["type"] == "message":
                            heard()
            except (RedisError, OSError, TimeoutError) as failure:
                self._miss(failure)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(pause * 2, self._longest)

    async def close(self) -> None:
        """Close the connections."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
        await self._redis.aclose()

    def _miss(self, failure: Exception) -> None:
        if not self._lost:
            hint = "what other nodes take in is delivered with the next look"
            _log.warning("redis-lost", hint=hint, reason=type(failure).__name__)
        self._lost = True

    def _found(self) -> None:
        if self._lost:
            _log.info("redis-back")
        self._lost = False
