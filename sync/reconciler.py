"""The loop that compares with the portal what reconciliations ask for, a little at a time beside delivery (đối soát).

One process is at a reconciliation at a time, by a lease; whoever takes it up after a crash goes on where it stood.
While the portal is held or cannot be reached, nothing is asked of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from config.sync import Sync
from schemas.errors import GatewayError, NoRecord
from schemas.exchange import Caller, Database, Exchange, Handler
from schemas.ids import new_id
from schemas.portal import LookUpQuestion
from security.audit import entries
from security.audit.canonical import JSON
from security.audit.entries import Evidence
from security.audit.log import AuditLog
from storage.engine import Storage
from storage.errors import StorageError
from sync import reconciliations as rows
from sync.comparison import Finding, Snapshot, compared, repaired, unsettled
from sync.delivery import PURPOSE
from sync.leases import gate
from sync.mending import Mending, Moved, Plan, dossier_again, steps_again
from sync.outbox import LeaseLost
from sync.reconciliations import Reconciliation
from sync.verdicts import pause

log = structlog.get_logger()

_CHUNK: Final = 20
"""Dossiers of which it is durable together that they were compared."""
_AT_ONCE: Final = 4
_LOOK_S: Final = 15.0
"""How long one look-up may take: a chunk of them is over well before the lease is."""
_AGAIN_MS: Final = 2_000
"""When a dossier is compared again that changed meanwhile."""
_Held = Mapping[str, Any] | None


class Reconciler:
    """Works on reconciliations as `owner` until it is told to stop. `handler` is what every exchange passes."""

    def __init__(
        self,
        storage: Storage,
        record: AuditLog,
        handler: Handler,
        portal: Database,
        caller: Caller,
        owner: str,
        settings: Sync,
    ) -> None:
        self._storage = storage
        self._log = record
        self._handler = handler
        self._portal = portal
        self._caller = caller
        self._owner = owner
        self._settings = settings
        self._looking = asyncio.Semaphore(_AT_ONCE)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take up nothing more; `run` returns when what is under way is durable."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until told to stop; a storage that is down is waited for."""
        while not self._stopping.is_set():
            wait = self._settings.poll
            try:
                if await self._storage.read(partial(rows.free, now=_now())):
                    one = await self._storage.write(
                        lambda connection: rows.taken(connection, self._owner, _now(), self._until())
                    )
                    if one is not None:
                        await self._work(one)
                        wait = 0.0
            except LeaseLost:
                log.warning("reconciliation-lost")
            except (StorageError, GatewayError) as failure:
                log.warning("reconciliation-waits", hint=str(failure))
            except Exception as failure:
                log.error("reconciliation-failed", exc_info=failure)
                wait = max(wait, 1.0)
            await self._sleep(wait)

    async def _work(self, one: Reconciliation) -> None:
        """Go on with one until it is over, has to wait, or this process is to stop."""
        try:
            await self._turns(one)
        except BaseException:
            with suppress(StorageError):
                await self._storage.write(partial(rows.given_back, owner=self._owner, due_at=_now() + _AGAIN_MS))
            raise

    async def _turns(self, one: Reconciliation) -> None:
        collected, after = bool(one.collected), one.collected_to
        while not self._stopping.is_set():
            now = _now()
            if now - one.started_at > self._settings.reconcile_for * 1000:
                await self._end(one)
                return
            if not collected:
                after = await self._collect(one, after)
                collected = after is None
                continue
            codes, due = await self._storage.read(partial(rows.due, position=one.position, now=now, limit=_CHUNK))
            if due is None:
                await self._end(one)
                return
            wait = due if not codes else await self._chunk(one, codes)
            if wait is not None:
                await self._storage.write(partial(rows.given_back, owner=self._owner, due_at=wait))
                return
        await self._storage.write(partial(rows.given_back, owner=self._owner))

    async def _collect(self, one: Reconciliation, after: int | None) -> int | None:
        """Take up the next dossiers of the day; return the entry to go on behind, None where there are no more."""
        codes, further = await self._storage.read(partial(rows.ahead, one=one, after=after))
        await self._storage.write(
            lambda connection: rows.collect(
                connection, one.position, self._owner, _now(), self._until(), codes, further
            )
        )
        return further

    async def _chunk(self, one: Reconciliation, codes: Sequence[str]) -> int | None:
        """Compare these dossiers; return when to go on where the portal has to be left alone."""
        started = time.monotonic()
        before = await self._storage.read(partial(rows.snapshots, codes=codes))
        allowed = await self._storage.read(partial(gate, destination=self._portal.name))
        asked = [code for code in codes if code in before and before[code].dossier.registered]
        if asked and (allowed.paused or allowed.due_at > _now()):
            return await self._back_off(one, allowed.due_at)
        answers = dict(zip(asked, await asyncio.gather(*(self._look(code) for code in asked)), strict=True))
        failed = {code: answer for code, answer in answers.items() if isinstance(answer, GatewayError)}
        if failed and len(failed) == len(asked):
            patience = max(error.retry_after or 0.0 for error in failed.values())
            return await self._back_off(one, _now() + round(patience * 1000))
        after = await self._storage.read(partial(rows.snapshots, codes=codes))
        done: list[str] = []
        found: list[Finding] = []
        mending: list[tuple[Snapshot, list[Finding], Plan]] = []
        for code in codes:
            if code in failed:
                continue
            open_ones = unsettled(before[code], after[code]) if code in before else []
            differing: list[Finding] = []
            answer = answers.get(code)
            if code in answers and not isinstance(answer, GatewayError):
                differing = compared(before[code], after[code], answer)
                if one.repair and (plan := _plan(after[code], differing, answer)) is not None:
                    differing, repair = plan
                    if repair is not None:
                        mending.append((after[code], [*open_ones, *differing], repair))
                        continue
            done.append(code)
            found += [*open_ones, *differing]
        await self._storage.write(
            lambda connection: rows.keep(connection, one.position, self._owner, _now(), self._until(), done, found)
        )
        for snapshot, findings, repair in mending:
            await self._mend(one, snapshot, findings, repair)
        if failed:
            later = _now() + round(pause(1, self._settings.pause, self._settings.longest_pause) * 1000)
            await self._later(one, list(failed), later)
        # So many a second at most: delivery goes first.
        await self._sleep(len(asked) / self._settings.reconcile_rate - (time.monotonic() - started))
        return None

    async def _look(self, code: str) -> _Held | GatewayError:
        """Ask the portal for a dossier; None where it has none."""
        declared = self._portal.operation("look-up")
        if declared is None:
            raise TypeError("the portal has no operation look-up")
        async with self._looking:
            exchange = Exchange(
                id=new_id(),
                database=self._portal,
                operation=declared,
                question=LookUpQuestion(code=code),
                caller=self._caller,
                purpose=PURPOSE,
                asked_at=datetime.now(UTC),
                deadline=asyncio.get_running_loop().time() + min(_LOOK_S, self._settings.lease / 6),
            )
            try:
                return (await self._handler(exchange)).data
            except NoRecord:
                return None
            except GatewayError as error:
                return error

    async def _mend(self, one: Reconciliation, snapshot: Snapshot, findings: Sequence[Finding], plan: Plan) -> None:
        """Repair a dossier; that it was compared, what was found and the evidence are the same commit."""

        def beside(connection: Any) -> None:
            rows.keep(connection, one.position, self._owner, _now(), self._until(), [plan.code], findings)

        write = Mending(plan, snapshot, _now(), self._settings, beside)
        try:
            await self._log.record(_evidence(one, "reconciliation-repair", plan.details, plan.code), writes=(write,))
        except Moved:
            await self._later(one, [plan.code], _now() + _AGAIN_MS)

    async def _later(self, one: Reconciliation, codes: Sequence[str], due_at: int) -> None:
        await self._storage.write(
            lambda connection: rows.put_off(connection, one.position, self._owner, codes, due_at, self._until())
        )

    async def _back_off(self, one: Reconciliation, due_at: int) -> int:
        """Count one more failure in a row; return when to ask the portal again."""

        def fail(connection: Any) -> int:
            failures = rows.held(connection, one.position, self._owner).failures + 1
            rows.failed(connection, one.position, failures)
            return failures

        failures = await self._storage.write(fail)
        wait = pause(failures, self._settings.pause, self._settings.longest_pause)
        return max(due_at, _now() + round(wait * 1000))

    async def _end(self, one: Reconciliation) -> None:
        state = await self._storage.read(partial(rows.ending, position=one.position))
        details: dict[str, JSON] = {"state": state.name, "dossiers": state.dossiers, "findings": dict(state.kinds)}

        def write(connection: Any, index: int) -> None:
            rows.end(connection, one.position, self._owner, _now())

        await self._log.record(_evidence(one, "reconciliation-ended", details), writes=(write,))

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    def _until(self) -> int:
        return _now() + round(self._settings.lease * 1000)


def _plan(after: Snapshot, found: list[Finding], held: _Held) -> tuple[list[Finding], Plan | None] | None:
    """What to repair of what was found, and the findings that say so; None where there is nothing of the kind."""
    missing = [each.event_id for each in found if each.kind == "missing-step"]
    if any(each.kind == "missing-dossier" for each in found):
        plan = dossier_again(after)
        return repaired(found, {None: plan is not None}), plan
    if not missing or held is None:
        return None
    plan = steps_again(after, missing, held)
    again = {event.event_id for event in plan.steps}
    return repaired(found, {event: event in again for event in missing}), plan if again else None


def started(one: Reconciliation) -> Evidence:
    """The entry that stands for the beginning of one."""
    return _evidence(one, "reconciliation-started", {"repair": bool(one.repair)})


def _evidence(one: Reconciliation, action: str, details: Mapping[str, JSON], dossier: str | None = None) -> Evidence:
    said: dict[str, JSON] = {
        "action": action,
        "reconciliation": one.id,
        "day": one.day,
        "agency": one.agency,
        **details,
    }
    caller = None
    if one.client_id is not None and one.credential is not None:
        caller = entries.Caller(one.client_id, one.agency, one.credential)
    elif one.asked_by is not None:
        said["by"] = one.asked_by
    return Evidence(
        id=new_id(),
        kind="admin",
        at=datetime.now(UTC),
        caller=caller,
        database="dossiers",
        operation="reconciliation",
        dossier=dossier,
        details=said,
    )


async def begin(record: AuditLog, new: Reconciliation) -> Reconciliation:
    """Begin one, with its evidence in the same commit; raises rows.Running, EvidenceUnavailable."""
    positions: list[int] = []

    def write(connection: Any, index: int) -> None:
        positions[:] = [index]
        rows.begun(connection, replace(new, position=index))

    await record.record(started(new), writes=(write,))
    return replace(new, position=positions[0])


def _now() -> int:
    return time.time_ns() // 1_000_000
