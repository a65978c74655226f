"""Stage `audited`: no evidence, no answer (không có bằng chứng thì không trả lời).

It is the outermost stage: refusals and failures leave evidence like answers do, and the entry is durable before
anything is handed on. What never became an exchange but has a known caller leaves an entry of its own kind; requests
without one, and those over a limit, are counted in bulk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache

from config.metrics import Spread, Tally, labelled, metrics
from schemas.codes.agencies import check_dossier_code
from schemas.errors import GatewayError, Internal, SignatureRejected, TooManyRequests, UpstreamError
from schemas.exchange import Answer, Exchange, Handler, Operation
from schemas.exchange import Caller as Identified
from schemas.fields import Branch, Finder, Found, shape_of, subjects
from schemas.identifiers import check_officer
from schemas.ids import new_id
from schemas.purposes import PURPOSES
from schemas.receipt import Receipt as Shown
from security.audit.anonymous import BulkCounter
from security.audit.canonical import JSON, canonical
from security.audit.entries import Caller, Evidence, Kind, Outcome, instant
from security.audit.log import AuditLog
from security.audit.receipt import Receipt

_ANSWERED = Outcome("ok", 200)


@dataclass(frozen=True, slots=True)
class Bearing:
    """What is known of a request that never became an exchange: where it was headed and under which id.

    `database` and `operation` are set only when they name a route of ours: a path may hold anything.
    """

    request_id: str | None
    database: str | None = None
    operation: str | None = None
    purpose: str | None = None


class AuditTrail:
    """Writes the evidence of exchanges; the same for every face of the gateway."""

    def __init__(self, log: AuditLog, bulk: BulkCounter) -> None:
        self._log = log
        self._bulk = bulk

    def audited(self, handler: Handler) -> Handler:
        """Wrap a handler so that every way it can end is durable in the log before the caller learns of it.

        Raises EvidenceUnavailable in place of whatever happened when the log cannot be written.
        """

        async def handle(exchange: Exchange) -> Answer:
            started = time.monotonic()
            try:
                answer = await handler(exchange)
                answer.canonical = canonical(answer.data)
            except TooManyRequests as error:
                self._bulk.count("over-limit", exchange.caller.client_id)
                _measure(exchange, error.code, started)
                raise
            except GatewayError as error:
                await self._failed(exchange, error, started)
                raise
            except asyncio.CancelledError:
                # The caller is gone or we are stopping; the source may have answered all the same.
                await asyncio.shield(self._log.record(self._evidence(exchange, Outcome("cancelled", 499), started)))
                raise
            except Exception as error:
                internal = Internal()
                await self._failed(exchange, internal, started)
                raise internal from error
            answer.receipt = await self._log.record(self._evidence(exchange, _ANSWERED, started, answer=answer))
            _measure(exchange, "answered", started)
            return answer

        return handle

    async def refused(self, caller: Identified, error: GatewayError, bearing: Bearing) -> None:
        """Record a request of a known caller that never became an exchange; sets the error's `receipt`
        and `exchange_id`."""
        kind: Kind = "unreadable" if error.status in (400, 413, 415, 422) else "refusal"
        error.exchange_id = new_id()
        error.receipt = await self._log.record(
            Evidence(
                id=error.exchange_id,
                kind=kind,
                at=datetime.now(UTC),
                caller=named(caller),
                database=bearing.database,
                operation=bearing.operation,
                purpose=bearing.purpose,
                request_id=bearing.request_id,
                outcome=Outcome(error.code, error.status, error.reason),
            )
        )

    async def proof(self, receipt: Shown) -> Sequence[bytes]:
        """Return the inclusion proof that makes a receipt of this log verifiable offline."""
        if not isinstance(receipt, Receipt):
            raise TypeError("a receipt of another log")
        return await self._log.proof(receipt)

    def anonymous(self, error: GatewayError, source: str) -> None:
        """Count a request without a known caller by its error, a bad signature by its reason too, and by its source."""
        rejected = isinstance(error, SignatureRejected) and error.reason is not None
        self._bulk.count(f"{error.code}/{error.reason}" if rejected else error.code, source)

    def unproven(self, reason: str, source: str, client: str | None) -> None:
        """Count a refused request for a token by its reason, and by the registered `client` that it claimed to be."""
        self._bulk.count("unauthenticated" if client is None else reason, source, client)

    async def _failed(self, exchange: Exchange, error: GatewayError, started: float) -> None:
        kind: Kind = "exchange" if exchange.trail.attempts or isinstance(error, UpstreamError) else "refusal"
        evidence = self._evidence(exchange, Outcome(error.code, error.status, error.reason), started, kind)
        error.exchange_id = exchange.id
        error.receipt = await self._log.record(evidence)
        _measure(exchange, error.code, started)

    def _evidence(
        self,
        exchange: Exchange,
        outcome: Outcome,
        started: float,
        kind: Kind = "exchange",
        answer: Answer | None = None,
    ) -> Evidence:
        asked_of, disclosed_of, flat = _finders(exchange.operation)
        # The values of a question without records in it are JSON as they stand.
        question = (
            {name: value for name, value in exchange.question.__dict__.items() if value is not None}
            if flat
            else exchange.question.model_dump(exclude_none=True)
        )
        found: list[Found] = []
        asked_of(question, found)
        if answer is not None:
            disclosed_of(answer.data, found)
        trail, dossier, officer = exchange.trail, exchange.dossier, exchange.officer
        if not exchange.well_formed:
            dossier, officer = _if_valid(check_dossier_code, dossier), _if_valid(check_officer, officer)
        return Evidence(
            id=exchange.id,
            kind=kind,
            at=exchange.asked_at,
            caller=named(exchange.caller),
            database=exchange.database.name,
            operation=exchange.operation.name,
            # Any other text could be a personal value.
            purpose=exchange.purpose if exchange.purpose in PURPOSES else None,
            dossier=dossier,
            officer=officer,
            request_id=exchange.request_id,
            outcome=outcome,
            fields=answer.fields if answer else (),
            duration_ms=int((time.monotonic() - started) * 1000),
            endpoint=trail.endpoint,
            attempts=trail.attempts,
            question=canonical(question),
            data=answer.canonical if answer else None,
            request_messages=[body for direction, body in trail.messages if direction == "sent"],
            answer_messages=[body for direction, body in trail.messages if direction == "received"],
            # Once each, in the order in which they were found.
            subjects=list(dict.fromkeys(found)),
            archive=answer is not None and answer.archive,
            provable=answer is not None and answer.provable,
            details=_details(exchange),
        )


def _details(exchange: Exchange) -> dict[str, JSON]:
    """Say who signed: at the source as `signer` at `signed_at`, the caller as `caller_signer` at `caller_signed_at`.

    `signer_domain` and `signer_revocation` say how far the source's signer was vouched for, where that is known; the
    same with `caller_` before it of the caller's.
    """
    details: dict[str, JSON] = {}
    proven = exchange.trail.provenance
    if proven is not None:
        details["signer"] = proven.certificate
        details["signed_at"] = instant(proven.signed_at)
        if proven.domain is not None:
            details["signer_domain"] = proven.domain
        if proven.revocation is not None:
            details["signer_revocation"] = proven.revocation
    if exchange.signed is not None:
        details["caller_signer"] = exchange.signed.certificate
        details["caller_signed_at"] = instant(exchange.signed.signed_at)
        if exchange.signed.domain is not None:
            details["caller_signer_domain"] = exchange.signed.domain
        if exchange.signed.revocation is not None:
            details["caller_signer_revocation"] = exchange.signed.revocation
    return details


def _measure(exchange: Exchange, outcome: str, started: float) -> None:
    tally, spread = _counted(exchange.database.name, exchange.operation.name, outcome)
    tally.inc()
    spread.observe(time.monotonic() - started)


@cache
def _counted(database: str, operation: str, outcome: str) -> tuple[Tally, Spread]:
    exchanges = labelled(metrics().exchanges, database, operation, outcome)
    return exchanges, labelled(metrics().exchange_seconds, database, operation)


@cache
def _finders(operation: Operation) -> tuple[Finder, Finder, bool]:
    """What finds the subjects of question and answer, and whether the question has no records in it."""
    asked, answered = shape_of(operation.question), shape_of(operation.answer)
    flat = not any(isinstance(member, Branch) for member in asked.members)
    return subjects(asked, "asked"), subjects(answered, "disclosed"), flat


def named(caller: Identified) -> Caller:
    """Return what an entry says of an identified caller."""
    return _known(caller.client_id, caller.agency, caller.credential.kind, caller.credential.id)


@lru_cache(maxsize=4096)
def _known(client: str, agency: str, kind: str, credential: str) -> Caller:
    # The ids of some kinds begin with the kind already.
    return Caller(client, agency, credential if credential.startswith(f"{kind}:") else f"{kind}:{credential}")


def _if_valid(check: Callable[[str], str], value: str | None) -> str | None:
    """Keep a header's value only in the shape it should have: anything else could be a personal value."""
    if value is None:
        return None
    try:
        return check(value)
    except ValueError:
        return None
