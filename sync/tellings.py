"""What call-backs say of deliveries: ids and codes, and where the agency finds the rest (nội dung gọi lại)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from config.inbox import CallbackEvent
from security.audit.canonical import JSON
from storage.bulk import rows_among
from sync.callbacks import Told
from sync.rows import EVENT_COLUMNS, Event
from sync.tables import DOSSIER_EVENTS

if TYPE_CHECKING:
    from sync.outbox import Ended


def ended(ends: Sequence[Ended]) -> Iterator[Told]:
    """What is told of attempts that ended: that an event is at the portal, or will not get there by itself."""
    for end in ends:
        if end.verdict.ending == "delivered":
            yield _told("dossier.delivered", end.claim.event, None)
        elif end.verdict.ending == "dead":
            yield _told("dossier.dead", end.claim.event, end.verdict.reason or end.verdict.code)


def set_aside(connection: Connection, fresh: Sequence[Event], positions: Sequence[int]) -> Iterator[Told]:
    """What is told of events that went into quarantine: those of `fresh`, and those that stand at these positions."""
    rows = rows_among(connection, EVENT_COLUMNS, DOSSIER_EVENTS.c.position, positions)
    for event in (*fresh, *(Event(*row) for row in rows)):
        if event.state == "quarantined":
            yield _told("dossier.quarantined", event, event.reason)


def _told(what: CallbackEvent, event: Event, reason: str | None) -> Told:
    data: dict[str, JSON] = {"code": event.code, "delivery": event.event_id, "kind": event.kind}
    more = {"sequence": event.sequence, "status": event.national, "reason": reason}
    data |= {name: value for name, value in more.items() if value is not None}
    return Told(what, event.agency, data | {"link": f"/v1/dossiers/{event.code}"})
