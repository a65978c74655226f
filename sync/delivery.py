"""One batch on its way to the portal: look there first where in doubt, intent, sending, outcome (chuyển sự kiện).

The intent is durable before anything is sent, outcome and rows are one commit. What is lost in between, by a crash or
on the network, is found again as an attempt without an end: the portal's list of steps then says whether it was
applied, since each step carries the mark of its event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from adapters.portal_binding import batch_limit
from config.metrics import labelled, metrics
from config.settings import Endpoint
from config.sync import Sync
from schemas.errors import GatewayError, NoRecord
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Grant, Handler
from schemas.fields import Question
from schemas.ids import new_id
from schemas.portal import LookUpQuestion, PortalDossier, PortalStep, mark_of
from security.audit.canonical import JSON
from security.audit.entries import Evidence, Outcome
from security.audit.log import AuditLog
from security.audit.receipt import Receipt
from security.audit.trail import named
from security.policy import field_paths
from sync import wording
from sync.leases import Claim, Try
from sync.opening import Opener
from sync.outbox import Beginning, Ended, Ending, LeaseLost
from sync.verdicts import FOUND, NOT_OFFERED, Verdict, answered, bounded, pause, unanswered

log = structlog.get_logger()

PURPOSE: Final = "dossier-processing"
_MARGIN: Final = 25.0
"""Seconds that a lease lasts beyond the deadline of an exchange."""
_LOOKS: Final = 16
"""Look-ups under way at once: half of what the portal's connections let wait."""
_UNTOLD: Final = Verdict("dead", "refused", "invalid", "not-writable")
_UNREADABLE: Final = Verdict("dead", "refused", "invalid", "content-unreadable")
_ABSENT: Final = Verdict("again", "failed", reason="not-applied")
_REPLACED: Final = Verdict("again", "failed", reason="replaced")


@dataclass(frozen=True, slots=True)
class _Letter:
    """A claim and what the portal is told of it."""

    claim: Claim
    told: PortalStep | PortalDossier

    @property
    def kind(self) -> tuple[str, bool]:
        """What goes in one batch: the operation, and whether it updates."""
        if isinstance(self.told, PortalStep):
            return "progress", False
        return "register", self.claim.updating


class Courier:
    """Delivers claims of one worker to the portal. `handler` is what every exchange of the gateway passes."""

    def __init__(
        self,
        handler: Handler,
        portal: Database,
        endpoint: Endpoint,
        record: AuditLog,
        opener: Opener,
        owner: str,
        settings: Sync,
    ) -> None:
        self._handler = handler
        self._portal = portal
        self._endpoint = endpoint
        self._log = record
        self._opener = opener
        self._owner = owner
        self._settings = settings
        self._caller = own_caller(portal, endpoint, settings)
        self._looking = asyncio.Semaphore(_LOOKS)

    async def deliver(self, claims: Sequence[Claim]) -> None:
        """Bring claims to an end, or as far as they come; raises EvidenceUnavailable where that cannot be kept."""
        ends: list[Ended] = []
        letters = await self._written(claims, ends)
        doubted = [letter for letter in letters if letter.claim.in_doubt]
        sure = [letter for letter in letters if not letter.claim.in_doubt]
        sure += await self._missing(doubted, ends)
        if ends:
            await self._keep(ends)
        batches: dict[tuple[str, bool], list[_Letter]] = {}
        for letter in sure:
            batches.setdefault(letter.kind, []).append(letter)
        for (operation, updating), batch in batches.items():
            declared = self._portal.operation(operation)
            most = 1 if declared is None else batch_limit(self._endpoint, declared)
            for first in range(0, len(batch), most):
                await self._send(operation, updating, batch[first : first + most], turns=1)

    async def _written(self, claims: Sequence[Claim], ends: list[Ended]) -> list[_Letter]:
        """Open what is to be told; what cannot be told ends here."""
        bodies: Mapping[str, Any] = await self._opener.bodies([claim.event for claim in claims])
        letters: list[_Letter] = []
        for claim in claims:
            said = bodies.get(claim.event.event_id)
            if said is None:
                ends.append(self._ended(claim, _UNREADABLE))
                continue
            write = wording.dossier if claim.event.kind == "registration" else wording.step
            try:
                told = write(claim, said)
            except ValueError:
                ends.append(self._ended(claim, _UNTOLD))
                continue
            claim.national = told.status
            letters.append(_Letter(claim, told))
        return letters

    async def _missing(self, letters: Sequence[_Letter], ends: list[Ended]) -> list[_Letter]:
        """Return those that the portal does not hold; the others, and those it was not told of, end here."""
        looks = await asyncio.gather(*(self._look(letter.claim) for letter in letters))
        missing: list[_Letter] = []
        for letter, verdict in zip(letters, looks, strict=True):
            if letter.claim.event.kind != "registration":
                _learn(letter.claim, verdict)
            if verdict is _ABSENT:
                missing.append(letter)
            else:
                ends.append(self._ended(letter.claim, verdict))
        return missing

    async def _look(self, claim: Claim) -> Verdict:
        """Ask the portal whether it holds an event: `FOUND`, `_ABSENT`, or why it could not be asked.

        A registration replaces what is there, so sending it again has no other effect than the first time: it is not
        asked for, and what came of earlier attempts stays unknown until the portal answers one.
        """
        event = claim.event
        if event.kind == "registration":
            return _ABSENT
        try:
            async with self._looking:
                answer = await self._ask("look-up", LookUpQuestion(code=event.code), new_id())
        except NoRecord:
            return _ABSENT
        except GatewayError as error:
            return Verdict(
                "again", "unknown", error.code, error.reason, of_destination=True, retry_after=error.retry_after
            )
        marks = (mark_of(step.get("note")) for step in answer.data.get("steps") or ())
        return FOUND if any(mark is not None and mark.event == event.event_id for mark in marks) else _ABSENT

    async def _send(self, operation: str, updating: bool, letters: Sequence[_Letter], turns: int) -> None:
        """Send one batch and keep what came of it; what has to go another way goes at once, `turns` times at most."""
        exchange_id, claims = new_id(), [letter.claim for letter in letters]
        try:
            await self._begin(operation, exchange_id, claims)
        except LeaseLost:
            log.warning("lease-lost", events=len(claims))
            return
        asked = wording.question([letter.told for letter in letters], updating=updating)
        started = time.monotonic()
        try:
            answer = await self._ask(operation, asked, exchange_id)
            verdicts = answered(answer.data, len(letters), registers=operation == "register")
        except GatewayError as error:
            verdicts = unanswered(error, len(letters))
            if operation == "register" and updating and not turns:
                verdicts = [
                    _already_there(verdict, letter.claim) for letter, verdict in zip(letters, verdicts, strict=True)
                ]
        took = round((time.monotonic() - started) * 1000)
        ends: list[Ended] = []
        other: list[_Letter] = []
        single: list[_Letter] = []
        for letter, verdict in zip(letters, verdicts, strict=True):
            claim = letter.claim
            if operation == "register" and verdict.ending == "delivered":
                _learn(claim, verdict if verdict is FOUND else _REPLACED if updating else _ABSENT)
            claim.tries.append(Try(claim.event.attempts, took, verdict))
            if verdict.ending == "other-way" and turns:
                other.append(letter)
            elif verdict.ending == "singly":
                single.append(letter)
            else:
                ends.append(self._ended(claim, verdict))
        single = await self._missing(single, ends)
        if ends:
            await self._keep(ends)
        if other:
            await self._send(operation, not updating, other, turns - 1)
        for letter in single:
            await self._send(operation, updating, [letter], turns)

    async def _begin(self, operation: str, exchange_id: str, claims: Sequence[Claim]) -> None:
        for claim in claims:
            claim.event.attempts += 1
        now = datetime.now(UTC)
        events: list[JSON] = [claim.event.event_id for claim in claims]
        intent = Evidence(
            id=new_id(),
            kind="intent",
            at=now,
            caller=named(self._caller),
            database=self._portal.name,
            operation=operation,
            dossier=claims[0].event.code if len(claims) == 1 else None,
            details={"exchange": exchange_id, "events": events},
        )
        write = Beginning(claims, self._owner, round(now.timestamp() * 1000), self._settings)
        await self._log.record(intent, writes=(write,))

    async def _ask(self, operation: str, question: Question, exchange_id: str) -> Answer:
        declared = self._portal.operation(operation)
        if declared is None:
            raise TypeError(f"the portal has no operation {operation}")
        exchange = Exchange(
            id=exchange_id,
            database=self._portal,
            operation=declared,
            question=question,
            caller=self._caller,
            purpose=PURPOSE,
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + self._settings.lease - _MARGIN,
        )
        return await self._handler(exchange)

    def _ended(self, claim: Claim, verdict: Verdict) -> Ended:
        settings, tries = self._settings, claim.event.attempts
        verdict = bounded(verdict, tries, settings.attempts)
        due = None
        if verdict.ending == "other-way":
            verdict = Verdict("again", verdict.outcome, verdict.code, verdict.reason)
        if verdict.ending == "again":
            own = 0.0 if verdict.of_destination else pause(tries, settings.pause, settings.longest_pause)
            wait = max(own, settings.settle if verdict.outcome == "unknown" else 0.0)
            due = round((time.time() + wait) * 1000)
        return Ended(claim, verdict, due)

    async def _keep(self, ends: Sequence[Ended]) -> None:
        now = datetime.now(UTC)
        entries = [self._outcome(end, now) for end in ends]
        write = Ending(ends, self._portal.name, self._owner, round(now.timestamp() * 1000), self._settings)
        for end, result in zip(ends, await self._log.record_together(entries, write), strict=True):
            if isinstance(result, Receipt):
                labelled(metrics().deliveries, self._portal.name, end.verdict.ending).inc()
                continue
            if isinstance(result, LeaseLost):
                log.warning("lease-lost", event_id=end.claim.event.event_id)
                continue
            raise result

    def _outcome(self, end: Ended, now: datetime) -> Evidence:
        event, verdict = end.claim.event, end.verdict
        details: dict[str, JSON] = {"event": event.event_id, "source": event.client_id, "ending": verdict.ending}
        if event.sequence is not None:
            details["sequence"] = event.sequence
        if event.national is not None:
            details["status"] = event.national
        ok = verdict.ending == "delivered"
        return Evidence(
            id=new_id(),
            kind="delivery",
            at=now,
            caller=named(self._caller),
            database=self._portal.name,
            operation=event.kind,
            dossier=event.code,
            outcome=Outcome("ok" if ok else verdict.code or "failed", 200 if ok else 502, verdict.reason),
            attempts=event.attempts,
            details=details,
        )


def _already_there(verdict: Verdict, claim: Claim) -> Verdict:
    """What becomes of a dossier that cannot be created, for it is there, where the portal offers no way to replace it.

    Where an earlier attempt has no known end it is that one which is there.
    """
    if verdict.reason != NOT_OFFERED:
        return verdict
    lost = any(each.verdict.outcome == "unknown" for each in claim.tries)
    return FOUND if lost else replace(verdict, reason="already-exists")


def _learn(claim: Claim, verdict: Verdict) -> None:
    """Say of the attempts of which nobody knew what came of them what is known by now."""
    for each in claim.tries:
        if each.verdict.outcome == "unknown":
            each.verdict = Verdict(verdict.ending, verdict.outcome, each.verdict.code, verdict.reason)


def own_caller(portal: Database, endpoint: Endpoint, settings: Sync) -> Caller:
    """The gateway itself, which asks the portal for nobody; no limit but the lease holds for it."""
    grants = {
        (portal.name, operation.name): (
            Grant(
                portal.name,
                operation.name,
                frozenset({PURPOSE}),
                field_paths((portal,), portal.name, operation.name, ("*",)),
                rate=1_000_000.0,
                burst=1_000_000,
                deadline_ms=round((settings.lease - _MARGIN) * 1000),
            ),
        )
        for operation in portal.operations
    }
    return Caller("lgsp-sync", endpoint.params.get("madonvi", "lgsp"), Credential("secret", "sync"), grants)
