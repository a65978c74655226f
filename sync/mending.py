"""What a reconciliation may repair, and the write of it (xử lý chênh lệch): steps and dossiers that the portal lost.

A step is queued again in its old place only if the portal applied nothing behind it; a dossier is registered again with
its current version, then its steps follow. Nothing else is ever changed, and nothing at the portal but by delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, update

from config.sync import Sync
from schemas.dossiers.ordering import FIRST
from schemas.dossiers.statuses import NATIONAL
from schemas.portal import mark_of
from security.audit.canonical import JSON
from storage.bulk import rows_among
from sync.comparison import Snapshot
from sync.heads import settle
from sync.leases import sendable
from sync.queue import Queues
from sync.reading import events_of
from sync.rows import DOSSIER_COLUMNS, Dossier, Event
from sync.tables import DOSSIER_EVENTS, DOSSIERS

REASON: Final = "reconciled"
"""Of an event that is sent again because the portal does not have it any more."""


class Moved(Exception):
    """The dossier is not as it was when it was compared: nothing was done, it has to be compared again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be queued again: events in their old places, and a registration in the first."""

    code: str
    steps: tuple[Event, ...] = ()
    registration: Event | None = None
    standing: str | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """All of them."""
        return self.steps if self.registration is None else (self.registration, *self.steps)

    @property
    def details(self) -> dict[str, JSON]:
        """What it does, for the audit trail."""
        before: list[JSON] = [{"event": event.event_id, "state": event.state} for event in self.events]
        after: list[JSON] = [{"event": event.event_id, "state": "queued"} for event in self.events]
        return {"before": before, "after": after}


def snapshots(connection: Connection, codes: Sequence[str]) -> dict[str, Snapshot]:
    """Read these dossiers with their events."""
    dossiers = (Dossier(*row) for row in rows_among(connection, DOSSIER_COLUMNS, DOSSIERS.c.code, codes))
    return {each.code: Snapshot(each, tuple(events_of(connection, each.code))) for each in dossiers}


def dossier_again(after: Snapshot) -> Plan | None:
    """The plan for a dossier that the portal does not have; None where it may not be repaired.

    One that was adopted is the portal's own, and a version that is under way or was refused is no matter of repair.
    """
    registrations = [event for event in after.events if event.kind == "registration"]
    newest = max(registrations, key=lambda event: event.version or 0, default=None)
    if newest is None or newest.state != "delivered" or newest.version != after.dossier.version:
        return None
    steps = tuple(event for event in after.events if event.kind == "status" and event.state == "delivered")
    return Plan(after.dossier.code, steps, newest)


def steps_again(after: Snapshot, missing: Sequence[str | None], held: Mapping[str, Any]) -> Plan:
    """The plan for the steps that the portal does not have: of those, the ones behind which it applied nothing."""
    marks = {mark.event for step in held.get("steps") or () if (mark := mark_of(step.get("note"))) is not None}
    applied = [event for event in after.events if event.event_id in marks]
    again = [
        event
        for event in after.events
        if event.event_id in missing and not any(_stands_behind(other, event) for other in applied)
    ]
    status = held.get("status")
    return Plan(after.dossier.code, tuple(again), standing=status if status in NATIONAL else None)


def _stands_behind(other: Event, event: Event) -> bool:
    """Whether an event goes, or went, after another; those of other sources by when they were delivered."""
    if other.client_id == event.client_id:
        return other.place > event.place
    return (other.delivered_at or 0) >= (event.delivered_at or 0)


class Mending:
    """The write of a plan (`security.audit.batch.Write`); `beside` is written in the same commit.

    Raises Moved where a worker has the dossier, or anything of it has changed since `compared`.
    """

    def __init__(
        self, plan: Plan, compared: Snapshot, now: int, settings: Sync, beside: Callable[[Connection], None]
    ) -> None:
        self._plan = plan
        self._compared = compared
        self._now = now
        self._settings = settings
        self._beside = beside

    def __call__(self, connection: Connection, index: int) -> None:
        """Write it."""
        code = self._plan.code
        found = snapshots(connection, [code])[code]
        if found.dossier.lease_owner is not None or _essence(found) != _essence(self._compared):
            raise Moved
        queues = Queues.load(connection, [code], self._now, self._settings)
        dossier = queues.dossiers[code]
        dossier.delivered_status = self._plan.standing
        queues.touch(code)
        queues.save()
        first = self._plan.registration
        rows = [(event, FIRST if event is first else event.place) for event in self._plan.events]
        connection.execute(
            _AGAIN,
            [
                {
                    "the_position": event.position,
                    "the_ordinal": place.sequence,
                    "the_behind": place.behind,
                    "the_due": self._now,
                }
                for event, place in rows
            ],
        )
        # Its queue as it is now says when to look at it.
        queues = Queues.load(connection, [code], self._now, self._settings)
        settle(queues, code, sendable(queues, [code]).get(code, ()))
        queues.save()
        self._beside(connection)


def _essence(found: Snapshot) -> list[tuple[int, str, int, int | None]]:
    return [(event.position, event.state, event.attempts, event.delivered_at) for event in found.events]


_AGAIN = (
    update(DOSSIER_EVENTS)
    .where(DOSSIER_EVENTS.c.position == bindparam("the_position"))
    .values(
        state="queued",
        reason=REASON,
        due_at=bindparam("the_due"),
        delivered_at=None,
        ordinal=bindparam("the_ordinal"),
        behind=bindparam("the_behind"),
    )
)
