"""What people do about deliveries that did not end well: send again, let out of quarantine, give up (xử lý lại).

Each act is one commit with its evidence. Nobody acts on a group without having said how many it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from sqlalchemy import Connection, Select, bindparam, func, select, update

from config.sync import Sync
from schemas.dossiers.vocabularies import Meaning, Vocabulary, meaning
from storage.bulk import rows_among
from sync import figures
from sync.heads import settle
from sync.leases import sendable
from sync.queue import Queues
from sync.rows import EVENT_COLUMNS, Event
from sync.tables import DOSSIER_EVENTS

MOST: Final = 10_000
"""How many deliveries one act changes; the oldest first, where more are meant."""
Act = Literal["retry", "discard"]
_STATES: Final[Mapping[Act, tuple[str, ...]]] = {
    "retry": ("dead", "quarantined"),
    "discard": ("dead", "quarantined", "waiting", "queued", "late"),
}
MENDED: Final = _STATES["retry"]
"""States in which something needs somebody."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries are meant: all that agree with everything that is said. `agency` None: of any agency."""

    agency: str | None
    state: str | None = None
    code: str | None = None
    client: str | None = None
    reason: str | None = None
    fingerprint: str | None = None
    status: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one delivery: its state now, or `untouched` where it may not be acted upon as it is.

    `reason` is why it was where it was.
    """

    event_id: str
    code: str
    state: str
    reason: str | None


def fingerprint(event: Event) -> str:
    """The same for all deliveries that failed for the same reason with the same kind of contents."""
    return _print(event.destination, event.kind, event.national, event.state, event.reason)


def _print(destination: str, kind: str, national: str | None, state: str, reason: str | None) -> str:
    said = "\0".join((destination, kind, national or "", state, reason or ""))
    return sha256(said.encode()).hexdigest()[:12]


def selected(connection: Connection, wanted: Filter, state: str) -> list[Select[Any]]:
    """Make what reads the events in this state of the table that a filter means, whatever state that names.

    A fingerprint is none of a column: which kinds of failures have it is looked up.
    """
    columns = DOSSIER_EVENTS.c
    asked = [columns.state == state]
    for column, value in (
        (columns.agency, wanted.agency),
        (columns.code, wanted.code),
        (columns.client_id, wanted.client),
        (columns.reason, wanted.reason),
        (columns.national, wanted.status),
        (columns.event_id, wanted.event_id),
    ):
        if value is not None:
            asked.append(column == value)
    query = select(*EVENT_COLUMNS).where(*asked)
    if wanted.fingerprint is None:
        return [query]
    alike = (columns.destination, columns.kind, columns.national, columns.reason)
    kinds = connection.execute(select(*alike).where(*asked).distinct()) if state in MENDED else ()
    return [
        query.where(*(column.is_not_distinct_from(value) for column, value in zip(alike, kind, strict=True)))
        for kind in kinds
        if _print(kind[0], kind[1], kind[2], state, kind[3]) == wanted.fingerprint
    ]


def matching(connection: Connection, wanted: Filter, act: Act) -> list[Event]:
    """Read what a filter means, of what this act can be done to, in the order of acceptance; at most `MOST`."""
    found: list[Event] = []
    for state in _STATES[act]:
        if wanted.state in (None, state):
            for query in selected(connection, wanted, state):
                page = query.order_by(DOSSIER_EVENTS.c.position).limit(MOST)
                found += [Event(*row) for row in connection.execute(page)]
    return sorted(found, key=lambda event: event.position)[:MOST]


def count(connection: Connection, wanted: Filter, act: Act) -> int:
    """Count what a filter means, of what this act can be done to, however many they are."""
    return sum(
        connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        for state in _STATES[act]
        if wanted.state in (None, state)
        for query in selected(connection, wanted, state)
    )


class Repair:
    """The write of one act (`security.audit.batch.Write`); `done` says afterwards what became of each delivery."""

    def __init__(
        self,
        act: Act,
        events: Sequence[Event],
        now: int,
        settings: Sync,
        meanings: Mapping[str, str] = {},
    ) -> None:
        self._act = act
        self._positions = [event.position for event in events]
        self._now = now
        self._settings = settings
        self._meanings = meanings
        self.done: list[Done] = []

    def __call__(self, connection: Connection, index: int) -> None:
        """Write it; what is no longer as it was found is left untouched."""
        self.done = []
        found = rows_among(connection, EVENT_COLUMNS, DOSSIER_EVENTS.c.position, self._positions)
        events = sorted((Event(*row) for row in found), key=lambda event: event.position)
        codes = list(dict.fromkeys(event.code for event in events))
        queues = Queues.load(connection, codes, self._now, self._settings)
        changes: list[dict[str, Any]] = []
        for event in events:
            reason = event.reason
            self.done.append(Done(event.event_id, event.code, self._one(queues, event, changes), reason))
        queues.save()
        if changes:
            connection.execute(_CHANGE, changes)
            figures.derive(connection, codes)
        # Their queues as they are now say when to look at them.
        queues = Queues.load(connection, codes, self._now, self._settings)
        going = sendable(queues, codes)
        for code in codes:
            if queues.dossiers[code].lease_until is None:
                settle(queues, code, going.get(code, ()))
        queues.save()

    def _one(self, queues: Queues, event: Event, changes: list[dict[str, Any]]) -> str:
        if event.state not in _STATES[self._act]:
            return "untouched"
        if self._act == "discard":
            # What fills a place goes on filling it since when it did.
            changes.append(_changed(event, "discarded", "given-up", event.due_at if event.held else None))
            return "discarded"
        if event.state == "dead":
            changes.append(_changed(event, "queued", None, self._now))
            return "queued"
        dossier = queues.dossiers[event.code]
        if dossier.registered and dossier.agency != event.agency:
            # Whoever handed it in may not decide about it; who might is the owner, who does not see it.
            return "untouched"
        national = self._meanings.get(event.event_id) or event.national
        return "untouched" if national is None else queues.readmit(event, national)


def understood(
    events: Sequence[Event], bodies: Mapping[str, Any], vocabularies: Mapping[str, Vocabulary]
) -> dict[str, str]:
    """What the statuses of these quarantined events mean by the vocabularies as they are now, by the id of the event.

    `bodies` are what the sources said; what still means nothing is left out.
    """
    found: dict[str, str] = {}
    for event in events:
        said = bodies.get(event.event_id)
        if event.kind != "status" or not isinstance(said, dict):
            continue
        means = meaning(vocabularies, str(said.get("vocabulary")), str(said.get("status")))
        if isinstance(means, Meaning):
            found[event.event_id] = means.national
    return found


def _changed(event: Event, state: str, reason: str | None, due_at: int | None) -> dict[str, Any]:
    return {"the_position": event.position, "the_state": state, "the_reason": reason, "the_due": due_at}


_CHANGE = (
    update(DOSSIER_EVENTS)
    .where(DOSSIER_EVENTS.c.position == bindparam("the_position"))
    .values(state=bindparam("the_state"), reason=bindparam("the_reason"), due_at=bindparam("the_due"))
)
