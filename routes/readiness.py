"""What readiness depends on: storage, clients, keys, clock, disk; no source and no destination makes it fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from adapters.portal import PORTAL
from config.settings import Settings
from routes.dossiers.views import shown_time
from routes.health import Check, Verdict, free_space, least_free, volumes
from routes.witness_findings import troubled_witnesses
from security.audit.reading import AuditReader, NoEntry
from security.keys import KeyRing
from security.registry import ClientRegistry
from security.signature import utc_now
from storage.engine import Storage
from storage.errors import StorageError
from storage.room import ROOM, take_room
from sync.destinations import troubled

# Clients are read every second; a revocation has to be in force within ten.
_STALE_SECONDS = 10.0
# Nodes of one deployment may differ by this much without entries seeming to come from the future.
_CLOCK_SKEW = timedelta(seconds=5)
# Of an entry this far back nobody is reminded: one that a clock years ahead has written would warn for ever.
_REMINDED = 100_000


def clock_check(reader: AuditReader, now: Callable[[], datetime] = utc_now) -> Check:
    """Return the check that fails where the newest entry of the log is in the future and warns where another is."""

    async def probe() -> Verdict:
        size = await reader.size()
        try:
            newest = await reader.show(size - 1)
        except NoEntry:
            return Verdict(ok=True)
        ahead = datetime.fromisoformat(str(newest.entry["at"])) - now()
        if ahead > _CLOCK_SKEW:
            hint = f"the newest entry of the log is {ahead.total_seconds():.0f} s in the future: set the clock"
            return Verdict(ok=False, hint=hint)
        # What was written meanwhile by a clock that is behind does not set it right. Nor does the log tell which of
        # two clocks was wrong: whoever has set back one that was ahead would be unready for as long as it was.
        latest = await reader.latest()
        if latest is None or latest[0] < size - _REMINDED or (ahead := latest[1] - now()) <= _CLOCK_SKEW:
            return Verdict(ok=True)
        found = f"entry {latest[0]} of the log is {ahead.total_seconds():.0f} s in the future"
        return Verdict(ok=True, hint=f"{found}: this clock is behind, or was ahead then; `lgsp doctor` compares it")

    return Check("clock", probe)


def health_checks(settings: Settings, storage: Storage, keys: KeyRing, registry: ClientRegistry) -> Sequence[Check]:
    """Return the checks of `/readyz`."""

    places = volumes(settings)

    async def writable() -> Verdict:
        # The write lock is what an answer waits for; a database that can only be read serves nobody. With it alone
        # nothing is written: where something could not be, or hardly anything is free, more is asked.
        try:
            free = await asyncio.to_thread(least_free, places)
            if storage.doubtful or (free is not None and free < ROOM):
                for place in places:
                    await asyncio.to_thread(take_room, place)
            await (storage.probe() if storage.doubtful else storage.write(lambda connection: None))
        except (StorageError, OSError):
            return Verdict(ok=False, hint="evidence cannot be written: run `lgsp doctor`")
        return Verdict(ok=True)

    async def clients() -> Verdict:
        age = registry.age
        if age < _STALE_SECONDS:
            return Verdict(ok=True)
        return Verdict(ok=False, hint=f"clients were last read {age:.0f} s ago: run `lgsp storage status`")

    async def own_keys() -> Verdict:
        # What is ready-made lasts for a while after it; then no exchange has evidence any more.
        if not settings.keys.vault.is_dir():
            return Verdict(ok=False, hint=f"keys.vault: {settings.keys.vault} is gone: put it back or restore it")
        if keys.sandbox_keys():
            return Verdict(ok=True, hint="the keys are marked LGSP SANDBOX: never use them outside this machine")
        return Verdict(ok=True)

    async def delivery() -> Verdict:
        # For whoever looks: what waits for a destination that is down is safe, and this process has nothing to mend.
        held = await storage.read(troubled)
        said = ", ".join(f"{name} is {state} since {shown_time(since)}" for name, state, since in held)
        return Verdict(ok=True, hint=f"{said}: see `lgsp dossiers destinations`" if held else None)

    async def witnesses() -> Verdict:
        # Who asks gets answers and receipts all the same; that nobody else holds them is for the operator.
        told = await storage.read(lambda connection: troubled_witnesses(settings, connection))
        return Verdict(ok=True, hint="; ".join(told) or None)

    checks = [
        Check("storage", writable),
        Check("clients", clients),
        Check("keys", own_keys),
        clock_check(AuditReader(storage)),
    ]
    if any(name.startswith(PORTAL.name) for name in settings.endpoints):
        checks.append(Check("delivery", delivery))
    if settings.witness:
        checks.append(Check("witnesses", witnesses))
    return [*checks, free_space(volumes(settings), settings.storage.reserve)]
