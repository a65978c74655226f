"""When dossiers and their steps are due, and whether that was kept (thời hạn giải quyết, quá hạn).

Sources say when something is due with the offset of their clock; the day is that in Vietnam. What ended counts by when
its source says that it did, what did not by the present.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from schemas.dossiers.moments import moment
from schemas.dossiers.statuses import NATIONAL, Degree
from sync.figures import VIETNAM
from sync.reading import Whole
from sync.rows import Event

_SAYS_NOTHING: Final = frozenset({"quarantined", "discarded"})


def deadlines(found: Whole, bodies: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Tell when the result of a dossier is due by its newest version, and each step that has a time of its own.

    A step lasts until the next status of the same dossier was reached.
    """
    newest = bodies.get(found.versions[-1].event_id) or {}
    reached = [event for event in found.events if event.kind == "status" and event.state not in _SAYS_NOTHING]
    steps = []
    for event in reached:
        due = (bodies.get(event.event_id) or {}).get("due_at")
        if due is not None:
            ended = _next(reached, event)
            if ended is None and event.national is not None and NATIONAL[event.national].final:
                ended = _instant(event)
            steps.append({"delivery": event.event_id, "status": event.national, **_deadline(due, ended, now)})
    return {**_deadline(newest.get("due_at"), _resolved(newest, reached), now), "steps": steps}


def _deadline(due: str | None, ended: datetime | None, now: datetime) -> dict[str, Any]:
    if due is None:
        return {"due_at": None, "due_on": None, "overdue": None}
    at = moment(due)
    return {"due_at": due, "due_on": f"{at.astimezone(VIETNAM):%Y-%m-%d}", "overdue": (ended or now) > at}


def _resolved(newest: Mapping[str, Any], reached: Sequence[Event]) -> datetime | None:
    """When the result was there, or the dossier ended without one; None while neither is so."""
    said = [moment(newest[name]) for name in ("finished_at", "refused_at", "returned_at") if newest.get(name)]
    said += [_instant(each) for each in reached if each.national and NATIONAL[each.national].degree >= Degree.RESOLVED]
    return min(said, default=None)


def _next(reached: Sequence[Event], event: Event) -> datetime | None:
    later = [_instant(each) for each in reached if each.place > event.place and each.client_id == event.client_id]
    return min(later, default=None)


def _instant(event: Event) -> datetime:
    return datetime.fromtimestamp(event.at / 1000, UTC)
