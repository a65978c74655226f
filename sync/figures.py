"""The few facts of a dossier that statistics are made of, in plain columns: none of them says anything about a person.

Bodies are sealed, so intake keeps these beside them in the same commit. What the newest version of a dossier says of a
moment counts, else what its events say (`at`); events in quarantine and those that were given up say nothing. Times are
POSIX milliseconds. What counts as received, resolved and returned is ours where the law leaves it open:
docs/dossiers.md, section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta, timezone
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Column, Connection, Index, String, Table, select

from schemas.dossiers.models import DossierBody, first_status
from schemas.dossiers.moments import moment
from schemas.dossiers.statuses import RETURNED
from storage.bulk import rows_among, upsert_rows
from storage.metadata import BIGINT, METADATA
from sync.rows import DOSSIER_COLUMNS, Dossier
from sync.tables import DOSSIER_EVENTS, DOSSIERS

if TYPE_CHECKING:
    from sync.queue import Queues

VIETNAM: Final = timezone(timedelta(hours=7))
"""No daylight saving since 1975, so that the calendar of a day needs no table of zones."""

OPEN_END: Final = 1 << 62
"""Stands for the end of a dossier that is open, so that one range of an index has whatever was open since a day."""

ACCEPTED: Final = frozenset({"2", "4", "6", "8", "9", "10"})
"""National statuses that only an accepted dossier can have; a supplement (5) may be asked for before that."""
RESOLVED: Final = frozenset({"9", "10"})
CLOSED: Final = frozenset({"3", "7"})
"""Ended without a result: refused, withdrawn."""

# `said_*`: what the newest version says. The others are what counts; `ended_at` is never before one of them.
DOSSIER_FIGURES = Table(
    "dossier_figures",
    METADATA,
    Column("code", String(64), primary_key=True),
    Column("agency", String(64), nullable=False),
    Column("procedure", String(64), nullable=False),
    # counter | online | post; NULL where the body cannot be read any more.
    Column("channel", String(8)),
    Column("said_received", BIGINT),
    Column("said_resolved", BIGINT),
    Column("said_returned", BIGINT),
    Column("said_closed", BIGINT),
    # Of the newest version, so after every extension.
    Column("due_at", BIGINT),
    Column("received_at", BIGINT),
    Column("resolved_at", BIGINT),
    Column("returned_at", BIGINT),
    Column("ended_at", BIGINT, nullable=False),
    Column("status", String(2)),
    sqlite_with_rowid=False,
)
# Everything that is counted, so that counting reads one range of the index and nothing else: a look at the row of each
# of a million dossiers takes three times as long.
Index(
    "ix_dossier_figures_counted",
    *(
        DOSSIER_FIGURES.c[name]
        for name in (
            "agency", "ended_at", "procedure", "channel", "status", "received_at", "resolved_at", "returned_at",
            "due_at",
        )
    ),
)  # fmt: skip


class Said(NamedTuple):
    """What a version of a dossier says."""

    channel: str | None = None
    received: int | None = None
    resolved: int | None = None
    returned: int | None = None
    closed: int | None = None
    due: int | None = None


class Told(NamedTuple):
    """What an event says: the national status that was reached, and when."""

    national: str
    at: int


@dataclass(slots=True)
class Figure:
    """A row of `dossier_figures`."""

    code: str
    agency: str
    procedure: str
    channel: str | None
    said_received: int | None
    said_resolved: int | None
    said_returned: int | None
    said_closed: int | None
    due_at: int | None
    received_at: int | None
    resolved_at: int | None
    returned_at: int | None
    ended_at: int
    status: str | None


_NAMES = tuple(each.name for each in fields(Figure))
_COLUMNS: tuple[Column[Any], ...] = tuple(DOSSIER_FIGURES.c[name] for name in _NAMES)
_values = attrgetter(*_NAMES)
_EVENT_COLUMNS = tuple(DOSSIER_EVENTS.c[name] for name in ("code", "national", "at", "state"))
_SAYING_NOTHING = frozenset({"quarantined", "discarded"})


def begins(day: date) -> int:
    """When a day begins in Vietnam, POSIX milliseconds."""
    return round(datetime.combine(day, time(), VIETNAM).timestamp() * 1000)


def said_of(body: DossierBody) -> Said:
    """Return what a version says. One that has been accepted counts as received when handed in, if it says no more."""
    received = body.received_at or (body.submitted_at if first_status(body) in ACCEPTED else None)
    times = (received, body.finished_at or body.returned_at, body.returned_at, body.refused_at, body.due_at)
    return Said(body.channel, *(None if each is None else round(moment(each).timestamp() * 1000) for each in times))


def figure(dossier: Dossier, said: Said, told: Sequence[Told]) -> Figure:
    """Return the row of a registered dossier, from its newest version and what its events say."""
    received = said.received or _first(told, ACCEPTED)
    resolved: int | None = None
    returned: int | None = None
    ended: int | None = None
    if dossier.status in CLOSED:
        ended = said.closed or _first(told, CLOSED) or dossier.created_at
    else:
        returned = said.returned or _first(told, {RETURNED})
        resolved = said.resolved or _first(told, RESOLVED) or returned
        ended = returned or (dossier.created_at if dossier.status == RETURNED else None)
    return Figure(
        dossier.code,
        dossier.agency or "",
        dossier.procedure or "",
        said.channel,
        said.received,
        said.resolved,
        said.returned,
        said.closed,
        said.due,
        received,
        resolved,
        returned,
        OPEN_END if ended is None else max(ended, received or 0, resolved or 0),
        dossier.status,
    )


def _first(told: Iterable[Told], statuses: Iterable[str]) -> int | None:
    return min((each.at for each in told if each.national in statuses), default=None)


def follow(queues: Queues) -> None:
    """Write what changes of the figures with the queues of one transaction, whose other rows are written already."""
    told = queues.told
    codes = [code for code in queues.touched if queues.dossiers[code].registered]
    rows = _rows(queues.connection, codes)
    doubted = {code for code in codes if code in queues.unsettled or (code in told and code in queues.tracks)}
    for event in queues.fresh:
        row = rows.get(event.code)
        if row is not None and event.national is not None and event.state not in _SAYING_NOTHING:
            first = event.national in ACCEPTED and row.received_at is None
            if first or event.national in RESOLVED:
                doubted.add(event.code)
    for code, row in rows.items():
        status = queues.dossiers[code].status
        if status != row.status and (status in CLOSED or row.status in CLOSED):
            doubted.add(code)
    events = _events(queues.connection, [code for code in doubted if code in rows or code in told])
    changed: list[Figure] = []
    for code in codes:
        row, dossier = rows.get(code), queues.dossiers[code]
        said = told.get(code)
        if said is not None or (row is not None and code in doubted):
            changed.append(figure(dossier, said or _said(rows[code]), events.get(code, ())))
        elif row is not None and row.status != dossier.status:
            row.status = dossier.status
            changed.append(row)
    upsert_rows(queues.connection, DOSSIER_FIGURES, _NAMES, [_values(each) for each in changed])


def derive(connection: Connection, codes: Sequence[str], said: Mapping[str, Said] | None = None) -> None:
    """Make the figures of these dossiers anew; `said` is of those that may have none yet."""
    known = {**(said or {}), **{code: _said(row) for code, row in _rows(connection, codes).items()}}
    events = _events(connection, list(known))
    dossiers = (Dossier(*row) for row in rows_among(connection, DOSSIER_COLUMNS, DOSSIERS.c.code, list(known)))
    made = [figure(each, known[each.code], events.get(each.code, ())) for each in dossiers if each.registered]
    upsert_rows(connection, DOSSIER_FIGURES, _NAMES, [_values(each) for each in made])


def without(connection: Connection, after: str, limit: int) -> tuple[list[str], str | None]:
    """Look at `limit` dossiers behind a code; return those that were registered before there were figures.

    The second value is the last code that was looked at, None where there are no more.
    """
    page = select(DOSSIERS.c.code, DOSSIERS.c.standing).where(DOSSIERS.c.code > after)
    looked = connection.execute(page.order_by(DOSSIERS.c.code).limit(limit)).all()
    codes = [row.code for row in looked if row.standing != "unknown"]
    have = {row[0] for row in rows_among(connection, (DOSSIER_FIGURES.c.code,), DOSSIER_FIGURES.c.code, codes)}
    last = looked[-1].code if len(looked) == limit else None
    return [code for code in codes if code not in have], last


def _rows(connection: Connection, codes: Sequence[str]) -> dict[str, Figure]:
    return {row[0]: Figure(*row) for row in rows_among(connection, _COLUMNS, DOSSIER_FIGURES.c.code, codes)}


def _said(row: Figure) -> Said:
    return Said(row.channel, row.said_received, row.said_resolved, row.said_returned, row.said_closed, row.due_at)


def _events(connection: Connection, codes: Sequence[str]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for code, national, at, state in rows_among(connection, _EVENT_COLUMNS, DOSSIER_EVENTS.c.code, codes):
        if national is not None and state not in _SAYING_NOTHING:
            found.setdefault(code, []).append(Told(national, at))
    return found
