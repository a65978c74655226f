"""Where dossiers are sent: how much waits, since when, whether it is up; pausing and resuming (điểm đến)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from sync.tables import DESTINATIONS, DOSSIER_EVENTS

_RECENT_MS = 300_000
_LAST = 500
_OPEN = ("waiting", "queued", "sending")
_EVENT = DOSSIER_EVENTS.c


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
    agencies = _agencies(connection) if agency is None else [agency]
    counts = dict.fromkeys((*_OPEN, "dead", "quarantined"), 0)
    oldest: int | None = None
    pace = 0.0
    for one in agencies:
        for state in counts:
            many, first = _waiting(connection, name, one, state)
            counts[state] += many
            if first is not None and state in _OPEN:
                oldest = first if oldest is None else min(oldest, first)
        pace += _pace(connection, name, one, now)
    paused = row is not None and row.paused_at is not None
    down = row is not None and row.down_since is not None
    state = "paused" if paused else "down" if down else "up"
    waiting = sum(counts[each] for each in _OPEN)
    return Condition(
        name,
        state,
        None if row is None else row.paused_at if paused else row.down_since,
        row.pause_reason if row is not None and paused else None,
        0 if row is None else row.failures,
        None if row is None else row.due_at,
        waiting,
        oldest,
        counts["dead"],
        counts["quarantined"],
        0 if not waiting else None if state != "up" or not pace else round(waiting / pace),
    )


def troubled(connection: Connection) -> list[tuple[str, str, int]]:
    """Name the destinations that are paused or down, and since when (POSIX ms)."""
    columns = DESTINATIONS.c
    query = select(columns.name, columns.paused_at, columns.down_since).order_by(columns.name)
    held = query.where(columns.paused_at.is_not(None) | columns.down_since.is_not(None))
    return [
        (
            row.name,
            "down" if row.paused_at is None else "paused",
            row.down_since if row.paused_at is None else row.paused_at,
        )
        for row in connection.execute(held)
    ]


def _agencies(connection: Connection) -> list[str]:
    """Every agency that handed something in, from one to the next along the index: they are few."""
    found: list[str] = []
    while True:
        further = select(func.min(_EVENT.agency))
        following = connection.execute(further.where(_EVENT.agency > found[-1]) if found else further).scalar()
        if following is None:
            return found
        found.append(following)


def _waiting(connection: Connection, name: str, agency: str, state: str) -> tuple[int, int | None]:
    """How many events of an agency are in a state, and when the first of them was accepted."""
    theirs = (_EVENT.agency == agency, _EVENT.state == state, _EVENT.destination == name)
    first = select(_EVENT.accepted_at).where(*theirs).order_by(_EVENT.position).limit(1)
    accepted_at = connection.execute(first).scalar()
    if accepted_at is None:
        return 0, None
    return connection.execute(select(func.count()).where(*theirs)).scalar_one(), accepted_at


def _pace(connection: Connection, name: str, agency: str, now: int) -> float:
    """How many events of an agency are delivered a second, by the last ones accepted; 0.0 where none was lately."""
    theirs = (_EVENT.agency == agency, _EVENT.state == "delivered", _EVENT.destination == name)
    last = select(_EVENT.delivered_at).where(*theirs).order_by(_EVENT.position.desc()).limit(_LAST)
    recent = [at for at in connection.execute(last).scalars() if at is not None and at > now - _RECENT_MS]
    return len(recent) * 1000 / max(now - min(recent), 1000) if recent else 0.0


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
