"""What is known of dossiers and deliveries, for those who may see it (tra cứu hồ sơ)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, case, func, select

from storage.bulk import rows_among
from sync.repair import Filter, selected
from sync.rows import DOSSIER_COLUMNS, EVENT_COLUMNS, Dossier, Event
from sync.tables import DELIVERY_ATTEMPTS, DOSSIER_EVENTS, DOSSIER_VERSIONS, DOSSIERS

STATES: Final = {
    "waiting": ("waiting", "queued", "sending"),
    "delivered": ("delivered",),
    "late": ("late",),
    "quarantined": ("quarantined",),
    "dead": ("dead",),
    "discarded": ("discarded",),
}
"""What callers call the states of a delivery, and the states that are meant."""

_SHOWN: Final = {state: shown for shown, states in STATES.items() for state in states}


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of a dossier, its body sealed; times are POSIX milliseconds."""

    version: int
    position: int
    event_id: str
    client_id: str
    accepted_at: int
    deliver: bool
    period: str
    slot: int
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver an event."""

    position: int
    number: int
    started_at: int
    duration_ms: int | None
    outcome: str
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class FromOthers:
    """How much a client of another agency handed in for a dossier, and when last (POSIX milliseconds)."""

    agency: str
    client_id: str
    deliveries: int
    delivered: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything about one dossier."""

    dossier: Dossier
    versions: tuple[StoredVersion, ...]
    events: tuple[Event, ...]
    attempts: dict[int, list[Attempt]]
    others: tuple[FromOthers, ...] = ()


def shown_state(event: Event) -> str:
    """The state of a delivery in the words of callers."""
    return _SHOWN[event.state]


def dossier(connection: Connection, code: str) -> Dossier | None:
    """Read what stands in the row of a dossier."""
    rows = rows_among(connection, DOSSIER_COLUMNS, DOSSIERS.c.code, (code,))
    return Dossier(*rows[0]) if rows else None


def whole(connection: Connection, code: str, agency: str) -> Whole | None:
    """Read everything about a dossier of this agency; None for those of others and for unregistered ones.

    What other agencies handed in for it is not shown to anybody but them: only who did, and how much.
    """
    found = dossier(connection, code)
    if found is None or found.agency != agency:
        return None
    columns = tuple(DOSSIER_VERSIONS.c[name] for name in StoredVersion.__dataclass_fields__)
    versions = connection.execute(
        select(*columns).where(DOSSIER_VERSIONS.c.code == code).order_by(DOSSIER_VERSIONS.c.version)
    )
    events = connection.execute(
        select(*EVENT_COLUMNS)
        .where(DOSSIER_EVENTS.c.code == code, DOSSIER_EVENTS.c.agency == agency)
        .order_by(DOSSIER_EVENTS.c.position)
    )
    stored = tuple(StoredVersion(*row) for row in versions)
    listed = tuple(Event(*row) for row in events)
    tried = attempts(connection, [event.position for event in listed])
    return Whole(found, stored, listed, tried, _others(connection, code, agency))


def _others(connection: Connection, code: str, agency: str) -> tuple[FromOthers, ...]:
    columns, everything = DOSSIER_EVENTS.c, func.count()
    delivered = func.sum(case((columns.state == "delivered", 1), else_=0))
    counted = (
        select(columns.agency, columns.client_id, everything, delivered, func.max(columns.accepted_at))
        .where(columns.code == code, columns.agency != agency)
        .group_by(columns.agency, columns.client_id)
        .order_by(columns.agency, columns.client_id)
    )
    return tuple(FromOthers(*row) for row in connection.execute(counted))


def events_of(connection: Connection, code: str) -> list[Event]:
    """Read every event of a dossier, whoever handed it in, in the order of acceptance."""
    query = select(*EVENT_COLUMNS).where(DOSSIER_EVENTS.c.code == code).order_by(DOSSIER_EVENTS.c.position)
    return [Event(*row) for row in connection.execute(query)]


def attempts(connection: Connection, positions: Sequence[int]) -> dict[int, list[Attempt]]:
    """Read every attempt to deliver these events, by position, in order."""
    columns = tuple(DELIVERY_ATTEMPTS.c[name] for name in Attempt.__dataclass_fields__)
    found: dict[int, list[Attempt]] = {}
    for row in rows_among(connection, columns, DELIVERY_ATTEMPTS.c.position, positions):
        found.setdefault(row[0], []).append(Attempt(*row))
    for tried in found.values():
        tried.sort(key=lambda attempt: attempt.number)
    return found


def deliveries(connection: Connection, wanted: Filter, after: int, limit: int) -> list[Event]:
    """Read up to `limit` deliveries that a filter means behind a position, in the order in which they were accepted.

    Its state is one of `STATES`. Each state is read by itself, along the index, however many there are.
    """
    states = _SHOWN if wanted.state is None else STATES[wanted.state]
    listed: list[list[Event]] = []
    for one in states:
        for query in selected(connection, wanted, one):
            page = query.where(DOSSIER_EVENTS.c.position > after).order_by(DOSSIER_EVENTS.c.position).limit(limit)
            listed.append([Event(*row) for row in connection.execute(page)])
    return list(heapq.merge(*listed, key=_position))[:limit]


def _position(event: Event) -> int:
    return event.position
