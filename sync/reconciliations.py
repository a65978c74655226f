"""Reconciliations as rows: begun, taken up by one process at a time, their dossiers, findings and end (đối soát).

Every function works inside one transaction; those that write need the write lock of the storage. What was compared is
durable together with what was found, so that whoever goes on after a crash repeats nothing. Times are POSIX
milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, delete, func, insert, literal, or_, select, text, update

from security.audit.canonical import JSON
from storage.bulk import insert_rows, rows_among
from sync.callbacks import Told, tell
from sync.comparison import Finding
from sync.liveness import is_gone
from sync.outbox import LeaseLost
from sync.reconciled_days import of_agency, page, span
from sync.reconciliation_tables import (
    RECONCILIATION_DOSSIERS,
    RECONCILIATION_FINDINGS,
    RECONCILIATIONS,
    RUNNING,
)
from sync.tables import DOSSIERS

_ROW = RECONCILIATIONS.c
_LEFT = RECONCILIATION_DOSSIERS.c
_FOUND = RECONCILIATION_FINDINGS.c
_FAR_MS = 7_200_000
"""Nothing waits so long: a time further ahead is of a clock that was set back since, and over."""
_LEFT_NAMES = ("reconciliation", "code", "due_at")
_FOUND_NAMES = tuple(column.name for column in RECONCILIATION_FINDINGS.columns)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A row of `reconciliations`."""

    position: int
    id: str
    agency: str
    day: str
    repair: int
    client_id: str | None
    credential: str | None
    asked_by: str | None
    state: str
    started_at: int
    ended_at: int | None
    collected_to: int | None
    collected: int
    dossiers: int
    checked: int
    findings: int
    due_at: int
    failures: int


_COLUMNS = tuple(_ROW[each.name] for each in fields(Reconciliation))


def new(
    name: str,
    agency: str,
    day: str,
    now: int,
    *,
    repair: bool,
    client_id: str | None = None,
    credential: str | None = None,
    asked_by: str | None = None,
) -> Reconciliation:
    """Return one that is to begin; where it stands in the list is known when it does."""
    return Reconciliation(
        0,
        name,
        agency,
        day,
        int(repair),
        client_id,
        credential,
        asked_by,
        "running",
        now,
        None,
        None,
        0,
        0,
        0,
        0,
        now,
        0,
    )


class Running(Exception):
    """One of this agency and day is under way."""

    def __init__(self, reconciliation: Reconciliation) -> None:
        super().__init__(f"reconciliation {reconciliation.id} is under way")
        self.reconciliation = reconciliation


def begun(connection: Connection, new: Reconciliation) -> None:
    """Write a new one; raises Running where one of this agency and day is under way."""
    under_way = select(*_COLUMNS).where(_ROW.agency == new.agency, _ROW.day == new.day, text(RUNNING))
    if (row := connection.execute(under_way).first()) is not None:
        raise Running(_of(row))
    connection.execute(insert(RECONCILIATIONS).values({each.name: getattr(new, each.name) for each in fields(new)}))


def find(connection: Connection, reconciliation_id: str, agency: str | None) -> Reconciliation | None:
    """Read one of an agency (None: of any)."""
    query = select(*_COLUMNS).where(_ROW.id == reconciliation_id)
    if agency is not None:
        query = query.where(_ROW.agency == agency)
    row = connection.execute(query).first()
    return None if row is None else _of(row)


def listed(connection: Connection, agency: str, after: int, limit: int) -> list[Reconciliation]:
    """Read up to `limit` of an agency behind a position, in the order in which they were begun."""
    query = select(*_COLUMNS).where(_ROW.agency == agency, _ROW.position > after).order_by(_ROW.position).limit(limit)
    return [_of(row) for row in connection.execute(query)]


def findings(connection: Connection, position: int, kind: str | None, after: int, limit: int) -> list[Row[Any]]:
    """Read up to `limit` findings behind a number, in the order in which they were found."""
    query = select(RECONCILIATION_FINDINGS).where(_FOUND.reconciliation == position, _FOUND.number > after)
    if kind is not None:
        query = query.where(_FOUND.kind == kind)
    return list(connection.execute(query.order_by(_FOUND.number).limit(limit)))


def counts(connection: Connection, position: int) -> tuple[dict[str, int], dict[str, int]]:
    """Count the findings by kind, and what was repaired or could not be."""
    query = select(_FOUND.kind, _FOUND.repair, func.count()).where(_FOUND.reconciliation == position)
    kinds: dict[str, int] = {}
    repairs: dict[str, int] = {}
    for kind, repair, many in connection.execute(query.group_by(_FOUND.kind, _FOUND.repair)):
        kinds[kind] = kinds.get(kind, 0) + many
        if repair is not None:
            repairs[repair] = repairs.get(repair, 0) + many
    return kinds, repairs


def free(connection: Connection, now: int) -> list[str]:
    """Name those under way that nobody is at and that are due, the longest waiting first."""
    query = select(_ROW.id, _ROW.lease_owner, _ROW.lease_until).where(text(RUNNING), _is_due(_ROW.due_at, now))
    return [
        row.id
        for row in connection.execute(query.order_by(_ROW.due_at))
        if row.lease_owner is None or not now < row.lease_until < now + _FAR_MS or is_gone(row.lease_owner)
    ]


def _is_due(column: Column[int], now: int) -> ColumnElement[bool]:
    return or_(column <= now, column > now + _FAR_MS)


def taken(connection: Connection, owner: str, now: int, until: int) -> Reconciliation | None:
    """Take up one that is free, until a moment."""
    for name in free(connection, now):
        connection.execute(update(RECONCILIATIONS).where(_ROW.id == name).values(lease_owner=owner, lease_until=until))
        return find(connection, name, None)
    return None


def given_back(connection: Connection, owner: str, due_at: int | None = None, failures: int | None = None) -> None:
    """Let others take up what a process is at, from `due_at` on."""
    values: dict[str, object] = {"lease_owner": None, "lease_until": None}
    values |= {name: value for name, value in (("due_at", due_at), ("failures", failures)) if value is not None}
    connection.execute(update(RECONCILIATIONS).where(_ROW.lease_owner == owner).values(values))


def held(connection: Connection, position: int, owner: str) -> Reconciliation:
    """Read one that a process is at; raises LeaseLost where it is another's by now, or over."""
    row = connection.execute(
        select(*_COLUMNS).where(_ROW.position == position, _ROW.lease_owner == owner, text(RUNNING))
    ).first()
    if row is None:
        raise LeaseLost
    return _of(row)


def ahead(connection: Connection, one: Reconciliation, after: int | None) -> tuple[list[str], int | None]:
    """Read the next dossiers of the day, and the entry to go on behind, None where these are the last."""
    day = date.fromisoformat(one.day)
    first, last = span(connection, day)
    if first is None or last is None:
        return [], None
    codes, further = page(connection, day, first if after is None else after, last)
    return of_agency(connection, codes, one.agency), further


def collect(
    connection: Connection, position: int, owner: str, now: int, until: int, codes: Sequence[str], further: int | None
) -> None:
    """Take up dossiers of the day, each once; `further` is the entry to go on behind. Raises LeaseLost."""
    one = held(connection, position, owner)
    fixed = ((_LEFT.reconciliation, position),)
    known = {row[0] for row in rows_among(connection, (_LEFT.code,), _LEFT.code, codes, fixed)}
    rows = [(position, code, now) for code in codes if code not in known]
    insert_rows(connection, RECONCILIATION_DOSSIERS, _LEFT_NAMES, rows)
    values = {"collected_to": further, "collected": int(further is None), "dossiers": one.dossiers + len(rows)}
    connection.execute(update(RECONCILIATIONS).where(_ROW.position == position).values(lease_until=until, **values))


def due(connection: Connection, position: int, now: int, limit: int) -> tuple[list[str], int | None]:
    """The next dossiers to compare, and when there are more, None where none is left."""
    query = select(_LEFT.code, _LEFT.due_at).where(_LEFT.reconciliation == position).order_by(_LEFT.due_at, _LEFT.code)
    rows = connection.execute(query.limit(limit)).all()
    return [row.code for row in rows if not now < row.due_at <= now + _FAR_MS], rows[0].due_at if rows else None


def keep(
    connection: Connection,
    position: int,
    owner: str,
    now: int,
    until: int,
    done: Sequence[str],
    found: Sequence[Finding],
) -> None:
    """Write that these dossiers were compared and what was found; raises LeaseLost."""
    one = held(connection, position, owner)
    connection.execute(delete(RECONCILIATION_DOSSIERS).where(_LEFT.reconciliation == position, _LEFT.code.in_(done)))
    rows = [
        (position, number, now, each.kind, each.code, each.event_id, each.expected, each.found, each.repair)
        for number, each in enumerate(found, start=one.findings + 1)
    ]
    insert_rows(connection, RECONCILIATION_FINDINGS, _FOUND_NAMES, rows)
    connection.execute(
        update(RECONCILIATIONS)
        .where(_ROW.position == position)
        .values(checked=one.checked + len(done), findings=one.findings + len(rows), failures=0, lease_until=until)
    )


def put_off(connection: Connection, position: int, owner: str, codes: Sequence[str], due_at: int, until: int) -> None:
    """Have these dossiers compared later; raises LeaseLost."""
    held(connection, position, owner)
    later = update(RECONCILIATION_DOSSIERS).where(_LEFT.reconciliation == position, _LEFT.code.in_(codes))
    connection.execute(later.values(due_at=due_at))
    connection.execute(update(RECONCILIATIONS).where(_ROW.position == position).values(lease_until=until))


def put_off_all(connection: Connection, position: int, destination: str, due_at: int) -> None:
    """Have all dossiers of a destination compared later."""
    theirs = select(DOSSIERS.c.code).where(DOSSIERS.c.code == _LEFT.code, DOSSIERS.c.destination == destination)
    later = update(RECONCILIATION_DOSSIERS).where(_LEFT.reconciliation == position, theirs.exists())
    connection.execute(later.values(due_at=due_at))


def failed(connection: Connection, position: int, failures: int) -> None:
    """Keep how often in a row the portal could not be asked."""
    connection.execute(update(RECONCILIATIONS).where(_ROW.position == position).values(failures=failures))


def ending(connection: Connection, position: int) -> tuple[str, int, dict[str, int]]:
    """Say how one ends if it ends now: its state, how many dossiers there were, what was found by kind."""
    left = connection.execute(select(func.count()).where(_LEFT.reconciliation == position)).scalar_one()
    collected, dossiers = connection.execute(
        select(_ROW.collected, _ROW.dossiers).where(_ROW.position == position)
    ).one()
    kinds, _ = counts(connection, position)
    if left:
        kinds["portal-unavailable"] = left
    return ("incomplete" if left or not collected else "done"), dossiers, kinds


def end(connection: Connection, position: int, owner: str, now: int) -> None:
    """End one: `done`, or `incomplete` with a finding for each dossier that is left; raises LeaseLost."""
    one = held(connection, position, owner)
    numbered = one.findings + func.row_number().over(order_by=_LEFT.code)
    unknown = select(literal(position), numbered, literal(now), literal("portal-unavailable"), _LEFT.code).where(
        _LEFT.reconciliation == position
    )
    names = ("reconciliation", "number", "found_at", "kind", "code")
    left = connection.execute(insert(RECONCILIATION_FINDINGS).from_select(names, unknown)).rowcount
    connection.execute(delete(RECONCILIATION_DOSSIERS).where(_LEFT.reconciliation == position))
    state = "incomplete" if left or not one.collected else "done"
    connection.execute(
        update(RECONCILIATIONS)
        .where(_ROW.position == position)
        .values(state=state, ended_at=now, findings=one.findings + left, lease_owner=None, lease_until=None)
    )
    told: dict[str, JSON] = {"id": one.id, "day": one.day, "state": state, "link": f"/v1/reconciliations/{one.id}"}
    told |= {"dossiers": one.dossiers, "checked": one.checked, "findings": one.findings + left}
    tell(connection, [Told("reconciliation.finished", one.agency, told)], now)


def _of(row: Row[Any]) -> Reconciliation:
    return Reconciliation(*tuple(row))
