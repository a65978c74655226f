"""Figures of a year up to a day, for one agency (số liệu lũy kế từ đầu năm).

The figures that the rules on online public services ask of each service are those of `online` and `received` of
`total`; early, on time, late and within the deadline are the words of bulletins. How each is counted is ours where they
do not say it: docs/dossiers.md, section 5. One range of an index has every row that may count: what was open since the
year began.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, case, func, select
from sqlalchemy.sql.elements import ColumnElement

from schemas.dossiers.statuses import NATIONAL
from security.audit.entries import instant
from security.audit.tables import ENTRIES
from sync.figures import CLOSED, DOSSIER_FIGURES, VIETNAM
from sync.reading import STATES
from sync.tables import DOSSIER_EVENTS

_DAY_MS: Final = 86_400_000
_EAST_MS: Final = 7 * 3_600_000
_ROW = DOSSIER_FIGURES.c
_EVENT = DOSSIER_EVENTS.c


@dataclass(slots=True)
class Count:
    """How many dossiers; what each means is in docs/dossiers.md."""

    received: int = 0
    resolved: int = 0
    early: int = 0
    on_time: int = 0
    late: int = 0
    returned_without_deadline: int = 0
    within_deadline: int = 0
    overdue: int = 0
    open_without_deadline: int = 0
    closed_without_result: int = 0

    def add(self, other: Count) -> None:
        """Add what was counted elsewhere."""
        for each in fields(Count):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def on_time_rate(self) -> str | None:
        """What part of the results with a deadline was handed over by it, a decimal; None where there was none."""
        timed = self.early + self.on_time + self.late
        return f"{(self.early + self.on_time) / timed:.4f}" if timed else None


@dataclass(slots=True)
class Counts:
    """Of those that came online, and of all."""

    online: Count = field(default_factory=Count)
    total: Count = field(default_factory=Count)

    def add(self, count: Count, *, online: bool) -> None:
        """Add what was counted of one channel."""
        self.total.add(count)
        if online:
            self.online.add(count)


@dataclass(slots=True)
class Statistics:
    """Figures of an agency, and by procedure; `statuses` are of what was received, as they are now.

    `deliveries` are the events accepted meanwhile by state, None where one procedure was asked for.
    """

    counts: Counts
    procedures: dict[str, Counts]
    statuses: dict[str, int]
    deliveries: dict[str, int] | None


def statistics(connection: Connection, agency: str, start: int, end: int, procedure: str | None = None) -> Statistics:
    """Count the dossiers of an agency from `start` to before `end` (POSIX milliseconds)."""
    found = Statistics(Counts(), {}, dict.fromkeys([*_GROUPS, "other"], 0), None)
    received, resolved = (_within(column, start, end) for column in (_ROW.received_at, _ROW.resolved_at))
    kinds = (_ROW.procedure, _ROW.channel, _ROW.status, received, resolved, _ending(start, end))
    query = select(*kinds, func.count()).where(_ROW.agency == agency, _ROW.ended_at >= start)
    if procedure is not None:
        query = query.where(_ROW.procedure == procedure)
    for name, channel, status, was_received, was_resolved, ending, many in connection.execute(query.group_by(*kinds)):
        count = Count(received=many * was_received, resolved=many * was_resolved)
        if ending is not None:
            setattr(count, ending, many)
        elif not (was_received or was_resolved):
            # It only came later.
            continue
        found.counts.add(count, online=channel == "online")
        found.procedures.setdefault(name, Counts()).add(count, online=channel == "online")
        if was_received:
            group = NATIONAL[status].group if status in NATIONAL else None
            found.statuses[group or "other"] += many
    if procedure is None:
        found.deliveries = _deliveries(connection, agency, start, end)
    return found


_GROUPS: Final = ("done", "in-progress", "paused")


def _within(column: ColumnElement[int], start: int, end: int) -> ColumnElement[int]:
    return case((and_(column >= start, column < end), 1), else_=0)


def _ending(start: int, end: int) -> ColumnElement[str | None]:
    """Which member of `Count` tells how a dossier stood to its deadline: returned meanwhile, or open in the end."""
    due = _ROW.due_at
    returned = case(
        (due.is_(None), "returned_without_deadline"),
        (_ROW.returned_at > due, "late"),
        # By day: one that is handed over on the day on which it is due is on time.
        (_day(_ROW.returned_at) < _day(due), "early"),
        else_="on_time",
    )
    still_open = case((due.is_(None), "open_without_deadline"), (due >= end, "within_deadline"), else_="overdue")
    return case(
        (and_(_ROW.returned_at >= start, _ROW.returned_at < end), returned),
        (_ROW.received_at.is_(None), None),
        (and_(_ROW.received_at < end, _ROW.ended_at >= end), still_open),
        (and_(_ROW.status.in_(sorted(CLOSED)), _ROW.ended_at < end), "closed_without_result"),
        else_=None,
    )


def _day(column: ColumnElement[int]) -> ColumnElement[int]:
    """The number of a day in Vietnam."""
    return (column + _EAST_MS) // _DAY_MS


def _deliveries(connection: Connection, agency: str, start: int, end: int) -> dict[str, int]:
    first, behind = entry_at(connection, start), entry_at(connection, end)
    found: dict[str, int] = {}
    for shown, states in STATES.items():
        within = (_EVENT.agency == agency, _EVENT.state.in_(states))
        query = select(func.count()).where(*within)
        if first is None:
            found[shown] = 0
            continue
        query = query.where(_EVENT.position >= first)
        if behind is not None:
            query = query.where(_EVENT.position < behind)
        found[shown] = connection.execute(query).scalar_one()
    return found


def entry_at(connection: Connection, moment: int) -> int | None:
    """The number of the first entry of the audit trail at or after a moment (POSIX milliseconds), None where none is.

    Events are numbered alike. Processes that accept at once may be a few milliseconds out of order.
    """
    at = instant(datetime.fromtimestamp(moment / 1000, VIETNAM))
    query = select(ENTRIES.c.idx).where(ENTRIES.c.at >= at).order_by(ENTRIES.c.at, ENTRIES.c.idx).limit(1)
    found: int | None = connection.execute(query).scalar()
    return found
