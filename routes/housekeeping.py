"""The worker: what no request waits for. `serve` runs one in its first process, `lgsp worker` one by itself.

It warns of certificates, revocation lists and keys before they end, shows ends, free space and the size of the log as
metrics, and deletes what only had to be remembered for a time.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy import Connection, delete, func, select

from config.metrics import metrics
from config.settings import Settings
from routes.expiry import KINDS, WARN_DAYS, Expiry, advice, certificate_expiries, client_expiries, key_expiries
from routes.health import least_free, volumes
from routes.token_findings import token_expiries
from security.assertions import USED, forgettable
from security.audit.tables import HEAD
from security.client_store import REVOKED_TOKENS
from security.keys import KeyRing, KeysUnusable
from storage.engine import Storage
from storage.errors import StorageError
from sync import recall
from sync.database import open_storage
from sync.running import Running
from sync.tables import IDEMPOTENCY

log = structlog.get_logger()

EVERY_S = 60.0


class Housekeeper:
    """Does one round at a time; remembers what it has warned of, so that a log is not filled with one certificate.

    A process that starts tells once how near each end is by then, whatever was told before: its log begins with it.
    """

    def __init__(self, settings: Settings, storage: Storage, running: Running | None = None) -> None:
        self._running = running or Running()
        self._settings = settings
        self._storage = storage
        self._warned: dict[str, int] = {}
        self._scarce = False

    async def round(self, now: datetime) -> None:
        """Do everything once; raises StorageError."""
        expiries = await asyncio.to_thread(self._expiries, now)
        expiries += await self._storage.read(lambda connection: client_expiries(connection, now))
        for expiry in expiries:
            self._watch(expiry, now)
        _count(expiries, now)
        await asyncio.to_thread(self._measure_space)
        metrics().log_size.set(await self._storage.read(_log_size))
        seconds = int(now.timestamp())
        if await self._storage.read(lambda connection: self._is_due(connection, seconds)):
            gone = await self._storage.write(lambda connection: self._forget(connection, seconds))
            if gone:
                log.info("forgotten", rows=gone)

    async def for_ever(self) -> None:
        """Do a round now and every minute; one that fails is logged and tried again."""
        while True:
            try:
                await self.round(datetime.now(UTC))
            except StorageError as failure:
                log.warning("housekeeping-failed", hint=str(failure))
            except Exception as failure:
                log.error("housekeeping-failed", exc_info=failure)
            await asyncio.sleep(EVERY_S)

    def _is_due(self, connection: Connection, seconds: int) -> bool:
        """Tell whether a write is worth its lock."""
        return self._running.wants_mark(connection) or _forgettable(connection, seconds, self._old(connection))

    def _forget(self, connection: Connection, seconds: int) -> int:
        self._running.mark(connection, self._settings.sync.remember)
        return forget(connection, seconds, self._old(connection))

    def _old(self, connection: Connection) -> int:
        return self._running.entries_before(connection, self._settings.sync.remember)

    def _expiries(self, now: datetime) -> list[Expiry]:
        found = [*certificate_expiries(self._settings, now), *token_expiries(self._settings)]
        try:
            found.extend(key_expiries(KeyRing(self._settings.keys.directory)))
        except KeysUnusable as failure:
            log.error("keys-unusable", hint=str(failure))
        return found

    def _watch(self, expiry: Expiry, now: datetime) -> None:
        left = expiry.left(now)
        if expiry.kind != "client-certificate":
            # Clients come and go, and a label never goes: they are counted only.
            metrics().expiry.labels(expiry.kind, expiry.name).set(left.total_seconds())
        passed = expiry.stage(now)
        mark = f"{expiry.name} {expiry.ends.isoformat()}"
        if passed is None or self._warned.get(mark, WARN_DAYS[0] + 1) <= passed:
            return
        self._warned[mark] = passed
        log.warning(
            "expired" if passed == 0 else "expires-soon",
            kind=expiry.kind,
            name=expiry.name,
            ends=expiry.ends.isoformat(),
            days=left.days,
            hint=advice(expiry),
        )

    def _measure_space(self) -> None:
        free = least_free(volumes(self._settings))
        if free is None:
            return
        scarce = free < self._settings.storage.reserve
        if scarce and not self._scarce:
            log.warning("storage-scarce", free=free, reserve=self._settings.storage.reserve, hint="make room there")
        self._scarce = scarce


def _count(expiries: Sequence[Expiry], now: datetime) -> None:
    """Show how many of each kind end within 30, 14 and 7 days or have ended (0), each number with those below it."""
    counted = Counter((expiry.kind, expiry.stage(now)) for expiry in expiries)
    for kind in KINDS:
        reached = 0
        for days in sorted((0, *WARN_DAYS)):
            reached += counted[kind, days]
            metrics().expiring.labels(kind, str(days)).set(reached)


def forget(connection: Connection, now: int, old: int) -> int:
    """Delete what only had to be remembered for a time that is over (POSIX seconds); tell how many rows.

    Revoked tokens, used assertions a day later, keys of pushes that are among the first `old` entries of the log and
    whose event is not under way.
    """
    assertions = connection.execute(delete(USED).where(forgettable(now))).rowcount
    tokens = connection.execute(delete(REVOKED_TOKENS).where(*_over(now))).rowcount
    return assertions + tokens + recall.forget(connection, now * 1000, old)


def _over(now: int) -> tuple[Any, ...]:
    # The newest row stays whatever its time: numbers must never begin again.
    newest = select(func.max(REVOKED_TOKENS.c.number)).scalar_subquery()
    return REVOKED_TOKENS.c.expires_at < now, REVOKED_TOKENS.c.number < newest


def _forgettable(connection: Connection, now: int, old: int) -> bool:
    assertion = select(USED.c.digest).where(forgettable(now)).limit(1)
    token = select(REVOKED_TOKENS.c.number).where(*_over(now)).limit(1)
    key = select(IDEMPOTENCY.c.key_tag).where(recall.forgettable(now * 1000, old)).limit(1)
    return any(connection.execute(query).first() is not None for query in (assertion, token, key))


def _log_size(connection: Connection) -> int:
    return connection.execute(select(HEAD.c.size)).scalar() or 0


@asynccontextmanager
async def keeping(settings: Settings) -> AsyncIterator[None]:
    """Keep house while the block runs; raises StorageError where the database cannot be opened."""
    storage = await open_storage(settings.storage.url, vault=settings.keys.vault)
    try:
        work = asyncio.create_task(Housekeeper(settings, storage).for_ever())
        try:
            yield
        finally:
            work.cancel()
            await asyncio.wait([work])
    finally:
        await storage.close()


def beside(settings: Settings) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what keeps house as long as an application runs, for its `cleanup_ctx`."""

    async def kept(_app: web.Application) -> AsyncIterator[None]:
        async with keeping(settings):
            yield

    return kept


async def until_told(settings: Settings, besides: AbstractAsyncContextManager[None]) -> None:
    """Keep house until SIGTERM or SIGINT, inside of another context."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with keeping(settings), besides:
        log.info("keeping-house", every_s=EVERY_S)
        await stop.wait()
    log.info("stopped")
