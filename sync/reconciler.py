"""The loop that compares with the portal what reconciliations ask for, a little at a time beside delivery (đối soát).

One process is at a reconciliation at a time, by a lease; whoever takes it up after a crash goes on where it stood.
While the portal is held or cannot be reached, nothing is asked of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from config.sync import Sync
from schemas.errors import GatewayError, NoRecord
from schemas.exchange import Caller, Database, Exchange, Handler
from schemas.ids import new_id
from schemas.portal import LookUpQuestion
from security.audit.canonical import JSON
from security.audit.log import AuditLog
from storage.engine import Storage
from storage.errors import StorageError
from sync import reconciliations as rows
from sync.comparison import Finding, Snapshot, compared, repaired, unsettled
from sync.delivery import PURPOSE
from sync.leases import gate
from sync.mending import Mending, Moved, Plan, dossier_again, snapshots, steps_again
from sync.outbox import LeaseLost
from sync.reconciliation_acts import act
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
    """Works on reconciliations as `owner` until it is told to stop. `handler` is what every exchange passes.

    `portals` are all destinations, each with who asks it: a dossier is looked up where it is delivered to.
    """

    def __init__(
        self,
        storage: Storage,
        record: AuditLog,
        handler: Handler,
        portals: Sequence[tuple[Database, Caller]],
        owner: str,
        settings: Sync,
    ) -> None:
        self._storage = storage
        self._log = record
        self._handler = handler
        self._portals = {portal.name: (portal, caller) for portal, caller in portals}
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
        before = await self._storage.read(partial(snapshots, codes=codes))
        shut = await self._shut({each.dossier.destination for each in before.values() if each.dossier.registered})
        wanted = [code for code in codes if code in before and before[code].dossier.registered]
        asked = [code for code in wanted if before[code].dossier.destination not in shut]
        answers = dict(zip(asked, await asyncio.gather(*(self._look(before[code]) for code in asked)), strict=True))
        failed = {code: answer for code, answer in answers.items() if isinstance(answer, GatewayError)}
        if failed:
            through = {before[code].dossier.destination for code in asked if code not in failed}
            for code, error in failed.items():
                if (name := before[code].dossier.destination) not in through:
                    shut[name] = max(shut.get(name, 0), _now() + round((error.retry_after or 0.0) * 1000))
        if shut and (wait := await self._back_off(one, shut)) is not None:
            return wait
        left_alone = {code for code in wanted if before[code].dossier.destination in shut}
        after = await self._storage.read(partial(snapshots, codes=codes))
        done: list[str] = []
        found: list[Finding] = []
        mending: list[tuple[Snapshot, list[Finding], Plan]] = []
        for code in codes:
            if code in failed or code in left_alone:
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
        if done:
            await self._storage.write(
                lambda connection: rows.keep(connection, one.position, self._owner, _now(), self._until(), done, found)
            )
        for snapshot, findings, repair in mending:
            await self._mend(one, snapshot, findings, repair)
        if single := [code for code in failed if code not in left_alone]:
            later = _now() + round(pause(1, self._settings.pause, self._settings.longest_pause) * 1000)
            await self._later(one, single, later)
        # So many a second at most: delivery goes first.
        await self._sleep(len(asked) / self._settings.reconcile_rate - (time.monotonic() - started))
        return None

    async def _shut(self, names: set[str]) -> dict[str, int]:
        """Which destinations may not be asked now, and until when at least: held, left alone, or not configured."""
        shut: dict[str, int] = {}
        for name in names:
            allowed = await self._storage.read(partial(gate, destination=name))
            if name not in self._portals or allowed.paused or allowed.due_at > _now():
                shut[name] = allowed.due_at
        return shut

    async def _look(self, snapshot: Snapshot) -> _Held | GatewayError:
        """Ask for a dossier where it is delivered to; None where there is none."""
        portal, caller = self._portals[snapshot.dossier.destination]
        declared = portal.operation("look-up")
        if declared is None:
            raise TypeError("a portal has no operation look-up")
        async with self._looking:
            exchange = Exchange(
                id=new_id(),
                database=portal,
                operation=declared,
                question=LookUpQuestion(code=snapshot.dossier.code),
                caller=caller,
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
            await self._log.record(act(one, "reconciliation-repair", plan.details, plan.code), writes=(write,))
        except Moved:
            await self._later(one, [plan.code], _now() + _AGAIN_MS)

    async def _later(self, one: Reconciliation, codes: Sequence[str], due_at: int) -> None:
        await self._storage.write(
            lambda connection: rows.put_off(connection, one.position, self._owner, codes, due_at, self._until())
        )

    async def _back_off(self, one: Reconciliation, shut: Mapping[str, int]) -> int | None:
        """Leave destinations alone; where there is no other, return when to go on with the whole."""

        def fail(connection: Any) -> int | None:
            failures = rows.held(connection, one.position, self._owner).failures + 1
            rows.failed(connection, one.position, failures)
            now = _now() + round(pause(failures, self._settings.pause, self._settings.longest_pause) * 1000)
            if self._portals.keys() <= shut.keys():
                return max(now, *shut.values())
            for name, due_at in shut.items():
                rows.put_off_all(connection, one.position, name, max(now, due_at))
            return None

        return await self._storage.write(fail)

    async def _end(self, one: Reconciliation) -> None:
        state, dossiers, kinds = await self._storage.read(partial(rows.ending, position=one.position))
        details: dict[str, JSON] = {"state": state, "dossiers": dossiers, "findings": dict(kinds)}

        def write(connection: Any, index: int) -> None:
            rows.end(connection, one.position, self._owner, _now())

        await self._log.record(act(one, "reconciliation-ended", details), writes=(write,))

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


def _now() -> int:
    return time.time_ns() // 1_000_000
