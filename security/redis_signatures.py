"""The memory of signed requests that all nodes share through Redis; imported only where Redis is configured.

Redis may lose what it was told: restarted, flushed, failed over to a copy that lags, short of memory. Whether it
remembers everything is therefore part of what it remembers: one sorted set holds the used nonces, each until it may be
forgotten, and since when the set is whole and in which run of the server. Whatever loses the one loses the other. Until
a window after that moment something may have been used that is not remembered, and no signed request passes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import structlog
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from security.assertions import USED
from security.redis_script import RedisLost, RedisScript
from security.request_signatures import NotRemembered
from storage.engine import Storage
from storage.errors import StorageError

_log = structlog.get_logger(__name__)

KEY: Final = "lgsp:used:signatures"
_EVERY_S: Final = 5.0
_WAIT_S: Final = 1.0
# Nothing that is used has this digest or lives so long.
_BEGUN: Final = sha256(b"signed requests are remembered in Redis").digest()
_FOR_EVER: Final = 2**62

# Scores are milliseconds of the server's own clock: positive when a nonce may be forgotten, negative since when all is
# remembered. ARGV: nonce (none: only look), its life, the window, and a beginning that is known to be the very first.
_SCRIPT: Final = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local window, mark = tonumber(ARGV[3]), 'since:' .. run
local since = -(tonumber(redis.call('ZSCORE', KEYS[1], mark)) or -now - 1)
local known = since <= now
if not known then since = now end
local first = known and ARGV[4] == string.format('%.0f', since)
if first then since = now - window end
if first or not known then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', 0)
  redis.call('ZADD', KEYS[1], -since, mark)
end
local wait = since + window - now
if wait > 0 then return {0, wait, string.format('%.0f', since)} end
redis.call('ZREMRANGEBYSCORE', KEYS[1], 1, now)
if ARGV[1] == '' then return {0, 0, ''} end
return {redis.call('ZADD', KEYS[1], 'NX', now + tonumber(ARGV[2]), ARGV[1]), 0, ''}
"""


class RedisSignatures:
    """Remembers which nonces were used, for all nodes; `window` is the longest life of one, from use to forgetting.

    The SQL storage knows whether signed requests were ever remembered in Redis: where they were not, and nothing that
    was used is still fresh there, an empty Redis has lost nothing.
    """

    def __init__(self, script: RedisScript, storage: Storage, window: timedelta) -> None:
        self._script = script
        self._storage = storage
        self._window = round(window.total_seconds() * 1000)
        self._begun = False
        self._whole = True

    @classmethod
    def at(cls, url: str, storage: Storage, window: timedelta) -> RedisSignatures:
        """Connect lazily to `url`, with waits short enough for the path of an exchange."""
        return cls(RedisScript.at(url, _SCRIPT, "signed requests are refused", wait=_WAIT_S), storage, window)

    async def close(self) -> None:
        """Close the connections."""
        await self._script.close()

    async def first_use(
        self, client_id: str, token_id: str, expires_at: int, now: int, signed_at: datetime | None = None
    ) -> bool:
        """Tell whether this is the first use of a `token_id` by a client, and remember it until `expires_at`.

        Raises NotRemembered while Redis does not answer, and until a window after it began to remember everything;
        StorageUnavailable.
        """
        digest = sha256(f"{client_id}\0{token_id}".encode("utf-8", "surrogatepass")).digest()
        return await self._asked(digest, (expires_at - now) * 1000, now)

    async def look(self, now: int) -> None:
        """Let Redis begin to remember where it does not; raises as `first_use`."""
        await self._asked(b"", 0, now)

    async def follow(self, clock: Callable[[], float] = time.time) -> None:
        """Look every few seconds, so that a window begins when Redis is back and not with the next signed request."""
        while True:
            # The log was told, and whoever needs it will be.
            with suppress(NotRemembered, StorageError):
                await self.look(int(clock()))
            await asyncio.sleep(_EVERY_S)

    async def _asked(self, digest: bytes, life: int, now: int) -> bool:
        try:
            if not self._begun:
                await self._begin(now)
            new, wait, _ = await self._script(KEY, digest, life, self._window, "")
        except RedisLost:
            raise NotRemembered(1.0) from None
        if wait:
            if self._whole:
                _log.warning("replay-memory-lost", hint=f"signed requests are refused for {wait / 1000:.0f} s")
            self._whole = False
            raise NotRemembered(wait / 1000)
        if not self._whole:
            _log.info("replay-memory-whole")
        self._whole = True
        return bool(new)

    async def _begin(self, now: int) -> None:
        """Let nobody wait for the memory of a new deployment, and see to it that it is new only once.

        Whoever uses a nonce has left the mark before: without it in the SQL storage, nothing was used yet. The first
        beginning counts for the very memory that was seen before that look, so that none is taken for it that was lost
        meanwhile.
        """
        _, wait, since = await self._script(KEY, b"", 0, self._window, "")
        if wait and await self._storage.read(lambda connection: _untouched(connection, now)):
            await self._script(KEY, b"", 0, self._window, since)
        await self._storage.write(_mark)
        self._begun = True


def _untouched(connection: Connection, now: int) -> bool:
    # The mark is fresh for ever.
    return connection.execute(select(USED.c.digest).where(USED.c.expires_at >= now).limit(1)).first() is None


def _mark(connection: Connection) -> None:
    with suppress(IntegrityError), connection.begin_nested():
        connection.execute(insert(USED).values(digest=_BEGUN, expires_at=_FOR_EVER))
