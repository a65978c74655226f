"""What the contract says becomes of each push, as plain lists that are searched from end to end (mô hình đối chiếu).

It knows nothing of the code it judges. A `Line` is everything that one source handed in for one dossier, in the order
in which it has to reach the portal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

GAP_S = 60.0
REGISTRATION_S = 72 * 3600.0
AHEAD_S = 300.0

State = Literal["live", "late", "quarantined", "discarded"]
"""`live`: it is delivered or on its way there."""


class Source(NamedTuple):
    client: str
    agency: str


class Told(NamedTuple):
    """What a source is told: a word of the contract or the code of an error, and why; `replayed`: it was told before.

    `event` is None where nothing was kept.
    """

    result: str
    reason: str | None = None
    replayed: bool = False


@dataclass(eq=False)
class Event:
    """What was accepted. `since` is when, POSIX milliseconds; `taken` that a worker took it, `sent` that what comes
    later and stands before it is late."""

    source: Source
    code: str
    body: str
    since: int
    sequence: int | None = None
    national: str | None = None
    registration: bool = False
    state: State = "live"
    taken: bool = False
    sent: bool = False
    id: str = ""
    applied_before: int = 0


@dataclass
class Reference:
    """Everything that was accepted, and who owns which dossier."""

    events: list[Event] = field(default_factory=list)
    lines: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[str, Told]] = field(default_factory=dict)
    given_up: dict[tuple[str, str], int] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)

    def line(self, code: str, client: str) -> list[Event]:
        return self.lines.setdefault((code, client), [])

    def push(self, event: Event, key: str, now: int, ahead_s: float) -> Told:
        """Take a status."""
        known = self.keys.get((event.source.client, key))
        if known is not None:
            return known[1]._replace(replayed=True) if known[0] == event.body else Told("idempotency-key-reused")
        before = [
            one
            for one in self.events
            if (one.code, one.source, one.sequence) == (event.code, event.source, event.sequence)
        ]
        if event.sequence is not None and before:
            return (
                Told("duplicate", replayed=True)
                if before[0].body == event.body
                else Told("conflict", "sequence-reused")
            )
        told = self._placed(event, now, ahead_s)
        self.events.append(event)
        self.keys[event.source.client, key] = event.body, told
        return told

    def _placed(self, event: Event, now: int, ahead_s: float) -> Told:
        line = self.line(event.code, event.source.client)
        place = len(line)
        if event.sequence is not None:
            beyond = [at for at, one in enumerate(line) if one.sequence is not None and one.sequence > event.sequence]
            place = min(beyond, default=place)
        if any(one.sent for one in line[place:]):
            event.state = "late"
            return Told("late", "overtaken")
        line.insert(place, event)
        trouble = None
        if self.owners.get(event.code, event.source.agency) != event.source.agency:
            trouble = "other-agency"
        elif event.national is None:
            trouble = "unknown-status"
        elif ahead_s > AHEAD_S:
            trouble = "at-in-future"
        if trouble is not None:
            event.state = "quarantined"
            return Told("quarantined", trouble)
        if event.code not in self.owners:
            return Told("waiting", "unregistered")
        if not self.free(event, now):
            return Told("waiting", "behind-gap" if event.sequence is None else "gap")
        return Told("accepted")

    def put(self, event: Event, now: int, *, deliver: bool) -> Told:
        """Take a dossier."""
        owner = self.owners.get(event.code)
        if owner is not None and owner != event.source.agency:
            return Told("refused", "other-agency")
        versions = self.versions.setdefault(event.code, [])
        if versions and versions[-1] == event.body:
            return Told("duplicate", replayed=True)
        versions.append(event.body)
        if deliver:
            self.events.append(event)
            if owner is not None:
                self.line(event.code, event.source.client).append(event)
        if owner is None:
            self.owners[event.code] = event.source.agency
            for one in self.events:
                if one.code == event.code and one.state == "live" and one.source.agency != event.source.agency:
                    one.state = "quarantined"
        # An amendment stands where it was said.
        waits = deliver and owner is not None and not self.free(event, now)
        return Told("waiting", "behind-gap") if waits else Told("accepted")

    def free(self, event: Event, now: int) -> bool:
        """Whether every number before an event came, or was waited for long enough."""
        line = self.line(event.code, event.source.client)
        highest = max(one.sequence or 0 for one in line[: line.index(event) + 1])
        return all(self.there(line, number, now) for number in range(1, highest))

    def there(self, line: list[Event], number: int, now: int) -> bool:
        """Whether a number came or need not be waited for any longer."""
        if number <= self.given_up.get((line[0].code, line[0].source.client), 0):
            return True
        return any(one.sequence == number for one in line) or any(
            (one.sequence or 0) > number and one.since + GAP_S * 1000 <= now for one in line
        )

    def let_out(self, event: Event, national: str, now: int) -> str:
        """Let an event out of quarantine; say in which state it is then."""
        if self.owners.get(event.code, event.source.agency) != event.source.agency:
            return "untouched"
        line = self.line(event.code, event.source.client)
        event.national = national
        if any(one.sent for one in line[line.index(event) + 1 :]):
            event.state = "late"
            line.remove(event)
            return "late"
        event.state = "live"
        return "queued" if event.code in self.owners and self.free(event, now) else "waiting"

    def by_id(self) -> Mapping[str, Event]:
        return {event.id: event for event in self.events}
