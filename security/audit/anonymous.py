"""Bulk evidence: requests that nobody can be held to, counted instead of recorded one by one.

Per minute at most `ENTRIES_PER_MINUTE` entries are written, however many sources knock: a source and kind that find
no room are counted together under `other`. Nobody without credentials can make the log grow faster than that.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from schemas.errors import EvidenceUnavailable
from schemas.ids import new_id
from security.audit.canonical import JSON
from security.audit.entries import Evidence
from security.audit.log import AuditLog

ENTRIES_PER_MINUTE = 60
MINUTE = timedelta(minutes=1)
OTHER = "other"

# Counts of minutes that could not be written are kept this long, then merged into one.
BACKLOG = 5

logger = logging.getLogger(__name__)


# What is counted together: error code, source, and the client that was named without proof at the token endpoint.
_Counted = tuple[str, str, str | None]
_THE_REST: _Counted = (OTHER, OTHER, None)


def _now() -> datetime:
    return datetime.now(UTC)


class BulkCounter:
    """Counts per (kind, source, minute) in memory; a task writes each minute when it is over.

    `source` is a network address or a client id, `kind` an error code: both end up in the log in plain text. The bound
    holds per process; a deployment of n processes passes its share.
    """

    def __init__(
        self, log: AuditLog, *, entries_per_minute: int = ENTRIES_PER_MINUTE, now: Callable[[], datetime] = _now
    ) -> None:
        if entries_per_minute < 1:
            raise ValueError("anonymous requests need room for at least one entry a minute")
        self._log = log
        self._room = entries_per_minute
        self._now = now
        self._minutes: dict[datetime, dict[_Counted, int]] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def count(self, kind: str, source: str, client: str | None = None) -> None:
        """Add one request; never blocks, never fails. `client` is whom somebody claimed to be in asking for a token."""
        minute = self._now().replace(second=0, microsecond=0)
        counts = self._minutes.setdefault(minute, {})
        key: _Counted = (kind, source, client)
        # The last place is kept for everything that found no room.
        if key not in counts and len(counts) >= self._room - 1:
            key = _THE_REST
        counts[key] = counts.get(key, 0) + 1

    def start(self) -> None:
        """Write finished minutes from now on, in a task of its own."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop the task and write what was counted so far, the unfinished minute included."""
        if self._task is not None:
            self._stopping.set()
            await self._task
            self._task = None
        await self.flush(everything=True)

    async def flush(self, *, everything: bool = False) -> int:
        """Write the minutes that are over, oldest first; return how many entries were written.

        What cannot be written now is kept for the next time.
        """
        current = self._now().replace(second=0, microsecond=0)
        written = 0
        for minute in sorted(self._minutes):
            if minute >= current and not everything:
                break
            counts = self._minutes[minute]
            try:
                for key in list(counts):
                    # Taken out first: more may be counted while the entry is being written.
                    number = counts.pop(key)
                    try:
                        await self._log.record(_evidence(minute, *key, number))
                    except EvidenceUnavailable:
                        counts[key] = counts.get(key, 0) + number
                        raise
                    written += 1
            except EvidenceUnavailable:
                logger.warning("bulk evidence waits: the audit trail cannot be written")
                self._merge_old()
                break
            if not counts:
                del self._minutes[minute]
        return written

    def _merge_old(self) -> None:
        while len(self._minutes) > BACKLOG:
            oldest, following = sorted(self._minutes)[:2]
            for counts in (self._minutes.pop(oldest), self._minutes.pop(following)):
                into = self._minutes.setdefault(following, {})
                for key, number in counts.items():
                    place = key if key in into or len(into) < self._room - 1 else _THE_REST
                    into[place] = into.get(place, 0) + number

    async def _run(self) -> None:
        while not self._stopping.is_set():
            now = self._now()
            rest = MINUTE - (now - now.replace(second=0, microsecond=0))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), rest.total_seconds())
            try:
                await self.flush()
            except Exception:
                # The task must outlive whatever it meets; the counts are kept.
                logger.exception("bulk evidence could not be written")


def _evidence(minute: datetime, kind: str, source: str, client: str | None, number: int) -> Evidence:
    told: dict[str, JSON] = {
        "what": kind,
        "source": source,
        "count": number,
        "seconds": int(MINUTE.total_seconds()),
    }
    if client is not None:
        # Nobody proved to be it: it is told of, and is not the caller.
        return Evidence(new_id(), "token", minute, details={**told, "claimed": client})
    return Evidence(new_id(), "over-limit" if kind == "over-limit" else "anonymous", minute, details=told)
