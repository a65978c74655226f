"""Where dossiers are sent: how much waits, since when, whether it is up; pausing and resuming (điểm đến)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from sync.tables import DESTINATIONS, DOSSIER_EVENTS

_RECENT_MS = 300_000
_OPEN = ("waiting", "queued", "sending")


@dataclass(frozen=True, slots=True)
class Condition:
    """How a destination is; times are POSIX milliseconds. `drain_s` is how long the rest takes at the recent pace."""

    name: str
    state: str
    since: int | None
    reason: str | None
    failures: int
    next_try: int | None
    waiting: int
    oldest: int | None
    dead: int
    quarantined: int
    drain_s: int | None


def condition(connection: Connection, name: str, now: int, agency: str | None = None) -> Condition:
    """Read how a destination is, and what of an agency (None: of all) waits for it."""
    row = connection.execute(select(DESTINATIONS).where(DESTINATIONS.c.name == name)).first()
    columns = DOSSIER_EVENTS.c
    mine = [columns.destination == name, *([] if agency is None else [columns.agency == agency])]
    counted = connection.execute(
        select(columns.state, func.count(), func.min(columns.accepted_at))
        .where(*mine, columns.state.in_((*_OPEN, "dead", "quarantined")))
        .group_by(columns.state)
    )
    counts = {state: (many, first) for state, many, first in counted}
    waiting = sum(counts[state][0] for state in _OPEN if state in counts)
    oldest = min((counts[state][1] for state in _OPEN if state in counts), default=None)
    recent = connection.execute(
        select(func.count()).where(*mine, columns.state == "delivered", columns.delivered_at > now - _RECENT_MS)
    ).scalar_one()
    paused = row is not None and row.paused_at is not None
    down = row is not None and row.down_since is not None
    state = "paused" if paused else "down" if down else "up"
    pace = recent / (_RECENT_MS / 1000)
    return Condition(
        name,
        state,
        None if row is None else row.paused_at if paused else row.down_since,
        row.pause_reason if row is not None and paused else None,
        0 if row is None else row.failures,
        None if row is None else row.due_at,
        waiting,
        oldest,
        counts.get("dead", (0, None))[0],
        counts.get("quarantined", (0, None))[0],
        0 if not waiting else None if state != "up" or not pace else round(waiting / pace),
    )


def paused(name: str, by: str, reason: str, now: int) -> Callable[[Connection, int], None]:
    """Return the write that holds a destination: what is under way ends, nothing more is sent."""

    def write(connection: Connection, index: int) -> None:
        _keep(connection, name, paused_at=now, paused_by=by[:64], pause_reason=reason[:256])

    return write


def resumed(name: str) -> Callable[[Connection, int], None]:
    """Return the write that lets a destination go on, at once whatever it was like before."""

    def write(connection: Connection, index: int) -> None:
        _keep(connection, name, paused_at=None, paused_by=None, pause_reason=None, due_at=None)

    return write


def _keep(connection: Connection, name: str, **values: object) -> None:
    if connection.execute(update(DESTINATIONS).where(DESTINATIONS.c.name == name).values(values)).rowcount == 0:
        connection.execute(insert(DESTINATIONS).values(name=name, failures=0, **values))
