"""The loop that shows the log's checkpoints to a witness: on a schedule, when the log has grown (trình nhân chứng).

One process at a time asks a witness, over all nodes: a lease in the database, as for deliveries. What it says is kept
beside the log and not in it, or the log would grow for ever of being witnessed. In the log stands only that a witness
has been silent for too long, once, and that it is back.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from adapters.witnesses import CLOCK_S, Kept, Offer, Office, Unwitnessed
from config.metrics import labelled, metrics
from config.witness import Witness
from schemas.errors import EvidenceUnavailable
from schemas.ids import new_id
from security.audit.canonical import JSON
from security.audit.checkpoint import Checkpoint, taken_apart
from security.audit.entries import Evidence
from security.audit.log import AuditLog
from security.audit.reading import AuditReader
from security.audit.thinning import Walk, drop
from security.audit.witnessed import Standing, keep, note_standing, standing
from storage.engine import Storage
from storage.errors import StorageError
from sync.liveness import is_gone
from sync.verdicts import pause

log = structlog.get_logger()

GRAVE: Final = frozenset({"rollback", "fork", "contradiction"})
"""Codes of `Unwitnessed` that mean another history, and no fault of a network."""
_LEASE_MS: Final = 300_000
"""Longer than all that one round may take."""
_FIRST_PAUSE_S: Final = 5.0
_AFTER_FAILURE_S: Final = 1.0
_LAST_S: Final = 5.0
_SAID: Final = 500


@dataclass(frozen=True, slots=True)
class _Turn:
    """A checkpoint that this process is to show, and how the witness stood before."""

    note: str
    checkpoint: Checkpoint
    before: Standing


class Witnessing:
    """Shows the log to one witness as `owner` until it is told to stop, and once more then."""

    def __init__(
        self, name: str, settings: Witness, office: Office, storage: Storage, record: AuditLog, owner: str
    ) -> None:
        self._name = name
        self._settings = settings
        self._office = office
        self._storage = storage
        self._log = record
        self._reader = AuditReader(storage)
        self._owner = owner
        self._stopping = False
        self._woken = asyncio.Event()
        # At the start, whatever the schedule says.
        self._now = True
        self._walk = Walk()

    def wake(self) -> None:
        """Look at once, whatever the schedule says."""
        self._now = True
        self._woken.set()

    def stop(self) -> None:
        """Look once more; `run` returns then."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Show what there is until told to stop; a storage or a witness that is down is waited for."""
        try:
            while not self._stopping:
                self._woken.clear()
                wait = await self._safely()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
            self._now = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_S):
                    await self._safely()
        finally:
            await self._office.close()

    async def _safely(self) -> float:
        try:
            return await self._turn()
        except (StorageError, EvidenceUnavailable) as failure:
            log.warning("witnessing-waits", witness=self._name, hint=str(failure))
        except Exception as failure:
            log.error("witnessing-failed", witness=self._name, exc_info=failure)
        return _AFTER_FAILURE_S

    async def _turn(self) -> float:
        """Show the newest checkpoint, if it is time; return the seconds until it is again."""
        forced, self._now = self._now, False
        every, now = self._settings.every, _now()
        found = await self._storage.read(partial(standing, witness=self._name))
        self._measure(found, now)
        if found.entries == found.size:
            return every
        if found.behind_since is None or found.behind_since > now:
            # A clock that was set back must not make it wait until what was then.
            await self._storage.write(partial(note_standing, witness=self._name, behind_since=now))
        await self._tell_if_overdue(found, now)
        longest = round(max(every, self._settings.overdue) * 1000)
        if not forced and now < found.due_at <= now + longest:
            return min(every, (found.due_at - now) / 1000)
        turn = await self._storage.write(partial(_claimed, witness=self._name, owner=self._owner, now=now))
        if turn is None:
            return every
        return await self._show(turn)

    async def _show(self, turn: _Turn) -> float:
        every = self._settings.every
        offer = Offer(turn.note, turn.checkpoint, turn.before.size, self._reader.consistency)
        try:
            kept = await self._office.submit(offer)
        except Unwitnessed as trouble:
            failures = turn.before.failures + 1
            wait = pause(failures, min(_FIRST_PAUSE_S, every), max(every, self._settings.overdue / 2))
            labelled(metrics().witness_submissions, self._name, trouble.code).inc()
            say = log.error if trouble.code in GRAVE else log.warning
            say("not-witnessed", witness=self._name, entries=turn.checkpoint.size, code=trouble.code, hint=str(trouble))
            due, said = _now() + round(wait * 1000), str(trouble)[:_SAID]
            failed = partial(self._rest, due_at=due, failures=failures, trouble=trouble.code, said=said)
            await self._storage.write(failed)
            return wait
        labelled(metrics().witness_submissions, self._name, "ok").inc()
        if abs(kept.ahead) > CLOCK_S:
            log.warning("witness-clock", witness=self._name, ahead=round(kept.ahead))
        await self._storage.write(partial(self._keep, turn=turn, kept=kept))
        if turn.before.told:
            await self._entry("witness-back", turn.checkpoint.size, None)
        await self._thin()
        return every

    async def _thin(self) -> None:
        """Take one step in forgetting what nobody needs any more: as rows come, rows go."""
        now = _now()
        sizes = await self._storage.read(partial(self._walk.superfluous, now=now))
        if sizes:
            await self._storage.write(partial(drop, sizes=sizes, now=now))

    def _keep(self, connection: Connection, turn: _Turn, kept: Kept) -> None:
        now, size = _now(), turn.checkpoint.size
        keep(connection, self._name, size, kept.note, kept.token, now)
        values = {"failures": 0, "trouble": None, "said": None, "behind_since": None, "told": 0}
        self._rest(connection, now + round(self._settings.every * 1000), size=size, **values)

    def _rest(self, connection: Connection, due_at: int, **values: object) -> None:
        free = {"lease_owner": None, "lease_until": None}
        note_standing(connection, self._name, due_at=due_at, **free, **values)

    async def _tell_if_overdue(self, found: Standing, now: int) -> None:
        since = found.behind_since
        if found.told or since is None or now - since < self._settings.overdue * 1000:
            return
        # First marked, then told: of several processes one does.
        if await self._storage.write(partial(_marked, witness=self._name)):
            await self._entry("witness-silent", found.size, found.trouble)

    async def _entry(self, action: str, size: int, trouble: str | None) -> None:
        details: dict[str, JSON] = {
            "action": action,
            "by": "gateway",
            "witness": self._name,
            "witnessed": size,
            "trouble": trouble,
        }
        await self._log.record(Evidence(new_id(), "admin", datetime.now(UTC), details=details))

    def _measure(self, found: Standing, now: int) -> None:
        since = found.behind_since
        behind = max(0, now - since) / 1000 if since is not None and found.behind else 0
        metrics().witness_behind.labels(self._name).set(behind)


def _claimed(connection: Connection, witness: str, owner: str, now: int) -> _Turn | None:
    """Take the witness, unless somebody else shows it something."""
    found = standing(connection, witness)
    until = found.lease_until or 0
    # One far ahead is of a clock before this one.
    held = found.lease_owner is not None and found.lease_owner != owner and now < until <= now + _LEASE_MS
    if found.newest is None or (held and not is_gone(found.lease_owner or "")):
        return None
    note_standing(connection, witness, lease_owner=owner, lease_until=now + _LEASE_MS)
    return _Turn(found.newest, taken_apart(found.newest)[0], found)


def _marked(connection: Connection, witness: str) -> bool:
    if standing(connection, witness).told:
        return False
    note_standing(connection, witness, told=1)
    return True


def _now() -> int:
    return time.time_ns() // 1_000_000
