"""A start, a stop and each reload of a group of processes stand in the log (ghi nhận khởi động, dừng, nạp cấu hình).

No evidence, no service: what cannot record its start does not begin. A stop that cannot be recorded takes place all the
same; the next start then says that this run did not end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog

from config.effective import effective
from config.settings import Settings
from routes.assembly import Gateway
from schemas.errors import EvidenceUnavailable
from security.audit import runs
from security.audit.assembly import open_log
from security.audit.canonical import JSON
from security.audit.log import AuditLog
from security.audit.runs import Run, a_run
from security.keys import NAMES, KeyRing, KeysUnusable
from storage.engine import Storage
from storage.errors import StorageError
from sync.database import open_storage

__all__ = ["a_run", "begun", "ended", "recorded", "reloading"]

log = structlog.get_logger()


async def begun(settings: Settings, run: Run, about: Mapping[str, JSON]) -> None:
    """Record that a group of processes starts under these settings; `about` is said besides.

    Raises EvidenceUnavailable, KeysUnusable, StorageError: then nothing may start.
    """
    told = await asyncio.to_thread(effective, settings)
    async with _opened(settings) as (storage, keys, written):
        said = {"version": version("lgsp-gateway"), "keys": _in_use(keys), **about}
        await runs.begin(storage, written, run, told, said)


async def ended(settings: Settings, run: Run, *, failed: bool) -> None:
    """Record that all processes of a run have ended; what cannot be recorded is only logged."""
    try:
        async with _opened(settings) as (_, _, written):
            await runs.end(written, run, failed=failed)
    except (EvidenceUnavailable, KeysUnusable, StorageError, OSError) as failure:
        log.warning("stop-not-recorded", hint=str(failure))


@asynccontextmanager
async def recorded(settings: Settings, run: Run) -> AsyncIterator[None]:
    """Record start and stop of a process around a block; raises as `begun`."""
    await begun(settings, run, {})
    failed = True
    try:
        yield
        failed = False
    finally:
        await ended(settings, run, failed=failed)


def reloading(gateway: Gateway, run: Run) -> Callable[[], Awaitable[None]]:
    """Return the reload of a worker that records it for all of its group, before anything new is taken."""

    async def reload() -> None:
        told = await asyncio.to_thread(effective, gateway.settings)
        # The new keys are named under the one that signs until now.
        keys = await asyncio.to_thread(KeyRing, gateway.settings.keys.directory)
        await runs.reload(gateway.storage, gateway.log, run, told, {"keys": _in_use(keys)})
        try:
            await gateway.reload()
        except Exception as failure:
            # A kind, never the text: it may quote what a file holds.
            await runs.refuse(gateway.log, run, type(failure).__name__)
            raise

    return reload


def _in_use(keys: KeyRing) -> dict[str, JSON]:
    return {name: keys.current(name).id for name in NAMES}


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Storage, KeyRing, AuditLog]]:
    keys = await asyncio.to_thread(KeyRing, settings.keys.directory)
    storage = await open_storage(settings.storage.url, vault=settings.keys.vault)
    try:
        written = await open_log(storage, keys, settings.keys.origin, settings.keys.vault)
        try:
            yield storage, keys, written
        finally:
            await written.close()
    finally:
        await storage.close()
