"""What differs between a dossier here and at the portal (đối chiếu). Pure rules.

The portal is asked between two looks at our rows. Only what both looks agree about is compared, so that what is being
delivered at that moment is no difference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from schemas.dossiers.moments import moment
from schemas.dossiers.statuses import NATIONAL
from schemas.portal import Mark, mark_of
from sync.rows import Dossier, Event

Kind = Literal[
    "missing-dossier",
    "missing-step",
    "applied-twice",
    "applied-not-delivered",
    "foreign-step",
    "status-differs",
    "still-waiting",
    "in-quarantine",
    "dead",
    "portal-unavailable",
]
KINDS: Final[tuple[Kind, ...]] = Kind.__args__  # type: ignore[attr-defined]

_WAITING: Final = ("waiting", "queued", "sending")
_TOLD: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(_WAITING, "still-waiting"),
    "quarantined": "in-quarantine",
    "dead": "dead",
}
_LONGEST: Final = 64
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: what we hold for right, what the portal says, what was done about it."""

    kind: Kind
    code: str
    event_id: str | None = None
    expected: str | None = None
    found: str | None = None
    repair: Literal["queued", "not-repairable"] | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A dossier and all its events at one moment, whoever handed them in, in the order of acceptance."""

    dossier: Dossier
    events: tuple[Event, ...]

    @property
    def shown(self) -> list[Event]:
        """The events that its owner may be told of."""
        return [event for event in self.events if self.dossier.agency in (None, event.agency)]

    @property
    def delivered(self) -> dict[int, int | None]:
        """When each event that was delivered was."""
        return {event.position: event.delivered_at for event in self.events if event.state == "delivered"}

    @property
    def is_told(self) -> bool:
        """Whether the portal should hold the dossier."""
        registered = any(event.kind == "registration" and event.state == "delivered" for event in self.events)
        return registered or self.dossier.standing == "adopted"


def unsettled(before: Snapshot, after: Snapshot) -> list[Finding]:
    """What has not reached the portal: it was so both times."""
    states = {event.position: event.state for event in before.events}
    return [
        Finding(_TOLD[event.state], event.code, event.event_id, "delivered", _why(event))
        for event in after.shown
        if event.state in _TOLD and _TOLD.get(states.get(event.position, "")) == _TOLD[event.state]
    ]


def _why(event: Event) -> str:
    return f"{event.state}: {event.reason}"[:_LONGEST] if event.reason else event.state


def compared(before: Snapshot, after: Snapshot, held: Mapping[str, Any] | None) -> list[Finding]:
    """Say what differs; `held` is what the portal told of the dossier in between, None where it has none."""
    code = after.dossier.code
    if held is None:
        if not (before.is_told and after.is_told):
            return []
        return [Finding("missing-dossier", code, expected=after.dossier.delivered_status, found=None)]
    steps: Sequence[Mapping[str, Any]] = held.get("steps") or ()
    marks = Counter(mark.event for step in steps if (mark := mark_of(step.get("note"))) is not None and mark.event)
    found: list[Finding] = []
    settled = before.delivered
    for event in after.shown:
        times = marks[event.event_id]
        if event.kind != "status":
            continue
        if event.state == "delivered" and event.position in settled and not times:
            found.append(Finding("missing-step", code, event.event_id, event.national, None))
        elif times > 1:
            found.append(Finding("applied-twice", code, event.event_id, "1", str(times)))
        elif times and event.state in ("dead", "discarded", "late", "quarantined"):
            found.append(Finding("applied-not-delivered", code, event.event_id, event.state, event.national))
    known = {event.event_id for event in after.events}
    for step in steps:
        mark = mark_of(step.get("note"))
        if (mark is None or mark.event not in known) and not _older(step, after.dossier):
            found.append(Finding("foreign-step", code, _id(mark), None, _known(step.get("status"))))
    return [*found, *_status(before, after, held)]


def _older(step: Mapping[str, Any], dossier: Dossier) -> bool:
    """Whether a step may stem from before a dossier was adopted."""
    at = step.get("at")
    return dossier.standing == "adopted" and (at is None or moment(at).timestamp() * 1000 <= dossier.created_at)


def _status(before: Snapshot, after: Snapshot, held: Mapping[str, Any]) -> list[Finding]:
    expected, found = after.dossier.delivered_status, held.get("status")
    busy = any(event.state == "sending" for event in (*before.events, *after.events))
    if busy or before.delivered != after.delivered or expected is None or found == expected:
        return []
    return [Finding("status-differs", after.dossier.code, None, expected, _known(found))]


def _known(status: str | None) -> str | None:
    """A status as the portal says it; what is none of the ten could be anything, and is not repeated."""
    return status if status is None or status in NATIONAL else "unknown"


def _id(mark: Mark | None) -> str | None:
    """The id in a mark that is not of our events, where it has the shape of one."""
    return mark.event if mark is not None and mark.event and _UUID.fullmatch(mark.event) else None


def repaired(findings: Sequence[Finding], queued: Mapping[str | None, bool]) -> list[Finding]:
    """Say of what may be repaired whether it was: by the id of the event, a dossier by None."""
    said: list[Finding] = []
    for each in findings:
        mendable = each.kind == "missing-dossier" or each.kind == "missing-step"
        if mendable and each.event_id in queued:
            each = replace(each, repair="queued" if queued[each.event_id] else "not-repairable")
        said.append(each)
    return said
