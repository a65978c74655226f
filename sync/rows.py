"""Rows of dossiers and their events as values: what a transaction reads, changes and writes back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Column, Table

from schemas.dossiers.ordering import Place, Track
from sync.tables import DOSSIER_EVENTS, DOSSIER_TRACKS, DOSSIERS


@dataclass(slots=True)
class Dossier:
    """A row of `dossiers`."""

    code: str
    standing: str
    client_id: str | None
    agency: str | None
    procedure: str | None
    version: int
    created_at: int
    changed_at: int
    status: str | None
    delivered_status: str | None
    delivered_position: int | None
    destination: str
    next_due: int | None
    lease_owner: str | None
    lease_until: int | None

    @property
    def registered(self) -> bool:
        """Whether its statuses may be sent: the portal holds it, or will once what comes first is sent."""
        return self.standing != "unknown"


@dataclass(slots=True)
class Event:
    """A row of `dossier_events`."""

    position: int
    event_id: str
    code: str
    client_id: str
    agency: str
    kind: str
    version: int | None
    sequence: int | None
    ordinal: int
    behind: int
    held: int
    at: int
    accepted_at: int
    vocabulary: str | None
    source_status: str | None
    national: str | None
    state: str
    reason: str | None
    flags: str
    destination: str
    attempts: int
    due_at: int | None
    delivered_at: int | None
    body_tag: bytes
    period: str
    slot: int
    sealed: bytes | None

    @property
    def place(self) -> Place:
        """Where it stands among the events of its source."""
        return place_of(self)

    def stand(self, place: Place) -> None:
        """Put it at this place."""
        self.ordinal, self.behind = place.sequence, place.behind


class Held(NamedTuple):
    """What of an event that was held back in an earlier transaction is needed to release it."""

    position: int
    code: str
    client_id: str
    agency: str
    ordinal: int
    behind: int
    accepted_at: int
    national: str | None
    state: str
    # Since when it waits, where that is not `accepted_at`.
    due_at: int | None = None


def place_of(row: Event | Held) -> Place:
    """Where an event stands among those of its source."""
    return Place(row.ordinal, row.behind, row.position if row.behind else 0)


def _columns(table: Table, names: Iterable[str]) -> tuple[Column[Any], ...]:
    return tuple(table.c[name] for name in names)


DOSSIER_NAMES = tuple(each.name for each in fields(Dossier))
EVENT_NAMES = tuple(each.name for each in fields(Event))
TRACK_NAMES = tuple(column.name for column in DOSSIER_TRACKS.columns)
DOSSIER_COLUMNS = _columns(DOSSIERS, DOSSIER_NAMES)
EVENT_COLUMNS = _columns(DOSSIER_EVENTS, EVENT_NAMES)
TRACK_COLUMNS = _columns(DOSSIER_TRACKS, TRACK_NAMES)
HELD_COLUMNS = _columns(DOSSIER_EVENTS, Held._fields)

dossier_values = attrgetter(*DOSSIER_NAMES)
event_values = attrgetter(*EVENT_NAMES)


def track_values(code: str, client_id: str, track: Track) -> tuple[object, ...]:
    """The row of a track."""
    return (code, client_id, track.through, track.highest, *track.furthest, len(track.held))
