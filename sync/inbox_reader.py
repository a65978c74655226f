"""The loop that asks a portal for what people filed there, page by page (lấy hồ sơ nộp tại Cổng).

One process at a time reads a portal, over all nodes: a lease in the database, as for deliveries. A page and the cursor
behind it are one commit: after a crash the page is read again, and what stands already is no new version.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, insert, select, update

from config.inbox import Inbox
from config.metrics import labelled, metrics
from schemas.dossiers.models import DossierBody
from schemas.dossiers.moments import moment
from schemas.errors import EvidenceUnavailable, GatewayError
from schemas.exchange import Caller, Database, Exchange, Handler
from schemas.fields import Finder, Found, shape_of, subjects
from schemas.ids import new_id
from schemas.inbox import FiledQuestion, filed_body, receiving_agency
from security.audit.canonical import JSON, canonical
from security.audit.entries import Evidence, Outcome
from security.audit.log import AuditLog
from security.audit.receipt import Receipt
from security.audit.trail import named
from storage.engine import Storage
from storage.errors import StorageError
from sync.inbox import Arrival, Arriving, ReaderReplaced, Stored, go_on, still_reads
from sync.inbox_tables import INBOX_PORTALS
from sync.liveness import is_gone
from sync.sealing import Body, DossierSealer
from sync.verdicts import pause

log = structlog.get_logger()

_PURPOSE: Final = "dossier-processing"
_DEADLINE_S: Final = 60.0
_LEASE_MS: Final = 120_000
"""Twice as long as a portal may take to answer; it begins anew with each page."""
_PAGES: Final = 1_000
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 600.0
_KNOWN: Final = Outcome("ok", 200)


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where reading a portal stands; `free` tells whether this process may go on with it."""

    cursor: str | None
    due_at: int
    failures: int
    free: bool


class InboxReader:
    """Reads one portal as `owner` until it is told to stop. `sealer` makes what seals with the keys of the moment."""

    def __init__(
        self,
        handler: Handler,
        portal: Database,
        caller: Caller,
        storage: Storage,
        record: AuditLog,
        sealer: Callable[[], DossierSealer],
        owner: str,
        settings: Inbox,
    ) -> None:
        self._handler = handler
        self._portal = portal
        self._caller = caller
        self._storage = storage
        self._log = record
        self._sealer = sealer
        self._owner = owner
        self._settings = settings
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask nothing more; `run` returns when the page under way is kept."""
        self._stopping.set()

    async def run(self) -> None:
        """Read until told to stop; a storage or a portal that is down is waited for."""
        while not self._stopping.is_set():
            try:
                wait = await self._turn()
            except (StorageError, EvidenceUnavailable) as failure:
                log.warning("inbox-waits", hint=str(failure))
                wait = _FIRST_PAUSE_S
            except Exception as failure:
                log.error("inbox-failed", exc_info=failure)
                wait = _FIRST_PAUSE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(max(wait, 0.001)):
                    await self._stopping.wait()

    async def _turn(self) -> float:
        """Read what there is, if it is time; return the seconds until it is again."""
        now, every = _now(), self._settings.every
        standing = await self._storage.read(partial(_standing, portal=self._portal.name, owner=self._owner, now=now))
        if not standing.free:
            return min(every, _FIRST_PAUSE_S)
        if standing.due_at > now:
            return min(every, (standing.due_at - now) / 1000)
        claimed = await self._storage.write(partial(_claim, portal=self._portal.name, owner=self._owner, now=now))
        if claimed is None:
            return every
        trouble: str | None = None
        wait = every
        try:
            # A page that cannot be read as a whole, one too large for example, may hold many that can.
            await self._read(claimed.cursor, 1 if claimed.failures else self._settings.page)
        except ReaderReplaced:
            log.warning("lease-lost", portal=self._portal.name)
            return every
        except EvidenceUnavailable:
            await self._rest("evidence-unavailable", _FIRST_PAUSE_S, claimed.failures + 1)
            raise
        except GatewayError as error:
            trouble = error.code
            wait = pause(claimed.failures + 1, _FIRST_PAUSE_S, max(every, _LONGEST_PAUSE_S), error.retry_after)
            log.warning("inbox-not-read", portal=self._portal.name, code=error.code, reason=error.reason)
        labelled(metrics().inbox_readings, self._portal.name, trouble or "ok").inc()
        await self._rest(trouble, wait, claimed.failures + 1 if trouble else 0)
        return wait

    async def _rest(self, trouble: str | None, wait: float, failures: int) -> None:
        """Give the portal free until it is to be asked again."""
        now = _now()
        values = {
            "lease_owner": None,
            "lease_until": None,
            "due_at": now + round(wait * 1000),
            "failures": failures,
            "trouble": trouble,
        }
        if trouble is None:
            values["read_at"] = now
        freed = update(INBOX_PORTALS).where(
            INBOX_PORTALS.c.name == self._portal.name, INBOX_PORTALS.c.lease_owner == self._owner
        )

        def write(connection: Connection) -> None:
            connection.execute(freed.values(**values))

        await self._storage.write(write)

    async def _read(self, cursor: str | None, limit: int) -> None:
        for _ in range(_PAGES):
            if self._stopping.is_set():
                return
            data = await self._ask(cursor, limit)
            following = data.get("next")
            if data["dossiers"]:
                await self._keep(data["dossiers"], following)
            elif following not in (None, cursor):
                await self._storage.write(partial(self._go_on, cursor=following))
            if not data["dossiers"] or following in (None, cursor):
                return
            cursor = following

    def _go_on(self, connection: Connection, cursor: str | None) -> None:
        if not still_reads(connection, self._portal.name, self._owner):
            raise ReaderReplaced
        go_on(connection, self._portal.name, cursor, _now() + _LEASE_MS)

    async def _ask(self, cursor: str | None, limit: int) -> Mapping[str, Any]:
        operation = self._portal.operation("filed")
        if operation is None:
            raise TypeError("the portal has no operation filed")
        exchange = Exchange(
            id=new_id(),
            database=self._portal,
            operation=operation,
            question=FiledQuestion(after=cursor, limit=limit),
            caller=self._caller,
            purpose=_PURPOSE,
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + _DEADLINE_S,
        )
        return (await self._handler(exchange)).data

    async def _keep(self, elements: Sequence[Mapping[str, Any]], cursor: str | None) -> None:
        """Make a page durable: an entry for each dossier that is new, its contents sealed, the cursor behind it."""
        at = datetime.now(UTC)
        portal, now = self._portal.name, round(at.timestamp() * 1000)
        arrivals, entries = await asyncio.to_thread(self._prepared, elements, at)
        write = Arriving(portal, self._owner, arrivals, cursor, now, now + _LEASE_MS)
        for arrival, result in zip(arrivals, await self._log.record_together(entries, write), strict=True):
            if isinstance(result, Receipt):
                outcome = "unreadable" if arrival.reason else "stored"
                if arrival.reason:
                    log.warning("filed-dossier-unreadable", event_id=arrival.event_id, reason=arrival.reason)
            elif isinstance(result, Stored):
                outcome = "known"
            else:
                raise result
            labelled(metrics().inbox_dossiers, portal, outcome).inc()

    def _prepared(self, elements: Sequence[Mapping[str, Any]], at: datetime) -> tuple[list[Arrival], list[Evidence]]:
        sealer = self._sealer()
        made = [self._arrival(element, at, sealer) for element in elements]
        arrivals = [arrival for arrival, _ in made]
        try:
            sealed = sealer.seal([Body(each.event_id, each.content) for each in arrivals], at)
        except OSError as failure:
            raise EvidenceUnavailable(retry_after=5) from failure
        for arrival, each in zip(arrivals, sealed, strict=True):
            arrival.sealed = each
        return arrivals, [entry for _, entry in made]

    def _arrival(self, element: Mapping[str, Any], at: datetime, sealer: DossierSealer) -> tuple[Arrival, Evidence]:
        code, event_id = element["code"], new_id()
        found: list[Found] = []
        details: dict[str, JSON] = {"portal": self._portal.name}
        said: dict[str, JSON]
        agency: str | None = None
        filed_at: int | None = None
        if element["reason"] is None:
            body = filed_body(element["content"])
            dossier = body.model_dump(exclude_none=True, exclude={"deliver"})
            said = {"dossier": dossier, "doubts": list(element["doubts"])}
            agency = receiving_agency(code, body)
            filed_at = None if body.submitted_at is None else round(moment(body.submitted_at).timestamp() * 1000)
            _finder()(dossier, found)
            details |= {"agency": agency, "procedure": body.procedure}
        else:
            said = {"raw": element["raw"]}
            details["reason"] = element["reason"]
        content = canonical(said)
        arrival = Arrival(
            event_id=event_id,
            code=code,
            agency=agency,
            filed_at=filed_at,
            reason=element["reason"],
            content=content,
            body_tag=sealer.tag("filed", f"{code}\0{content.decode()}"),
        )
        entry = Evidence(
            id=event_id,
            kind="intake" if arrival.reason is None else "unreadable",
            at=at,
            caller=named(self._caller),
            database="dossiers",
            operation="filed",
            dossier=code,
            outcome=_KNOWN if arrival.reason is None else Outcome("upstream-unreadable", 502),
            question=content,
            subjects=list(dict.fromkeys(found)),
            details=details,
        )
        return arrival, entry


@cache
def _finder() -> Finder:
    return subjects(shape_of(DossierBody), "asked")


def _standing(connection: Connection, portal: str, owner: str, now: int) -> _Standing:
    row = connection.execute(select(INBOX_PORTALS).where(INBOX_PORTALS.c.name == portal)).first()
    if row is None:
        return _Standing(None, 0, 0, free=True)
    held = row.lease_owner is not None and row.lease_owner != owner and (row.lease_until or 0) > now
    return _Standing(row.cursor, row.due_at, row.failures, free=not held or is_gone(row.lease_owner))


def _claim(connection: Connection, portal: str, owner: str, now: int) -> _Standing | None:
    """Take the portal, if nobody has it and it is time."""
    standing = _standing(connection, portal, owner, now)
    if not standing.free or standing.due_at > now:
        return None
    mine = {"lease_owner": owner, "lease_until": now + _LEASE_MS}
    if not connection.execute(update(INBOX_PORTALS).where(INBOX_PORTALS.c.name == portal).values(**mine)).rowcount:
        connection.execute(insert(INBOX_PORTALS).values(name=portal, due_at=0, failures=0, **mine))
    return standing


def _now() -> int:
    return time.time_ns() // 1_000_000
