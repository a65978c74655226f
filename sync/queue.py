"""The queues of dossiers inside one transaction: what an event becomes, what is released, when to look again.

The rules are those of `schemas.dossiers.ordering` and `.transitions`; here they are put to the rows. Whoever calls
holds the write lock of the storage, so nothing else changes meanwhile. Many dossiers are read and written at once:
intake works on hundreds of events in one commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, update

from config.sync import DESTINATION, Sync
from schemas.dossiers import ordering
from schemas.dossiers.ordering import FIRST, Decision, Earlier, Place, Track, Waits
from schemas.dossiers.transitions import judge
from storage.bulk import rows_among
from storage.together import Rows
from sync import figures
from sync.callbacks import tell
from sync.rows import (
    DOSSIER_COLUMNS,
    DOSSIER_NAMES,
    EVENT_NAMES,
    HELD_COLUMNS,
    TRACK_COLUMNS,
    TRACK_NAMES,
    Dossier,
    Event,
    Held,
    dossier_values,
    event_values,
    place_of,
    track_values,
)
from sync.tables import DOSSIER_EVENTS, DOSSIER_TRACKS, DOSSIERS
from sync.tellings import set_aside

_CHANGED = ("state", "reason", "flags", "held", "due_at")
_CHANGE = (
    update(DOSSIER_EVENTS)
    .where(DOSSIER_EVENTS.c.position == bindparam("the_position"))
    .values({name: bindparam(f"the_{name}") for name in _CHANGED})
)
_ELSEWHERE = (
    update(DOSSIER_EVENTS)
    .where(DOSSIER_EVENTS.c.code == bindparam("the_code"))
    .values(destination=bindparam("the_destination"))
)
_NATIONAL = (
    update(DOSSIER_EVENTS)
    .where(DOSSIER_EVENTS.c.position == bindparam("the_position"))
    .values(national=bindparam("the_national"))
)
_PASS = update(DOSSIER_EVENTS).where(DOSSIER_EVENTS.c.position == bindparam("the_position")).values(held=0)


@dataclass(slots=True)
class Queues:
    """The queues of some dossiers, loaded for one transaction; `save` writes what has changed. `now` is POSIX ms."""

    connection: Connection
    now: int
    settings: Sync
    waits: Waits
    dossiers: dict[str, Dossier] = field(default_factory=dict)
    # By code, then by source.
    tracks: dict[str, dict[str, Track]] = field(default_factory=dict)
    fresh: list[Event] = field(default_factory=list)
    _held: dict[tuple[str, str, Place], Event | Held] = field(default_factory=dict)
    _changes: list[dict[str, Any]] = field(default_factory=list)
    _passed: list[dict[str, Any]] = field(default_factory=list)
    _touched: dict[str, None] = field(default_factory=dict)
    _moved: dict[tuple[str, str], None] = field(default_factory=dict)
    _due: set[str] = field(default_factory=set)
    _national: list[dict[str, Any]] = field(default_factory=list)
    # Positions of events that people have decided about.
    _forced: set[int] = field(default_factory=set)
    # Positions of events from earlier transactions that went into quarantine in this one.
    _aside: list[int] = field(default_factory=list)
    # What versions that are new say, by code; dossiers of which an event went into quarantine or came out of it.
    told: dict[str, figures.Said] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, connection: Connection, codes: Sequence[str], now: int, settings: Sync) -> Queues:
        """Read the queues of these dossiers; one that nobody has spoken of yet has none."""
        waits = Waits(settings.gap_wait, settings.registration_wait, settings.ahead)
        queues = cls(connection, now, settings, waits)
        for row in rows_among(connection, DOSSIER_COLUMNS, DOSSIERS.c.code, codes):
            dossier = Dossier(*row)
            queues.dossiers[dossier.code] = dossier
        holding: dict[str, None] = {}
        for row in rows_among(connection, TRACK_COLUMNS, DOSSIER_TRACKS.c.code, codes):
            code, client_id, through, highest, sequence, behind, accepted, held = row
            registered = queues.dossiers[code].registered
            track = Track(registered, through, highest, Place(sequence, behind, accepted))
            queues.tracks.setdefault(code, {})[client_id] = track
            if held:
                holding[code] = None
        queues._load_held(list(holding))
        return queues

    def _load_held(self, codes: Sequence[str]) -> None:
        found: dict[tuple[str, str], list[ordering.Held]] = {}
        only_held = ((DOSSIER_EVENTS.c.held, 1),)
        for row in rows_among(self.connection, HELD_COLUMNS, DOSSIER_EVENTS.c.code, codes, only_held):
            held = Held(*row)
            place = place_of(held)
            self._held[held.code, held.client_id, place] = held
            since = held.accepted_at if held.due_at is None else held.due_at
            stands = ordering.Held(place, since / 1000, held.state == "waiting")
            found.setdefault((held.code, held.client_id), []).append(stands)
        for (code, client_id), all_held in found.items():
            tracks = self.tracks[code]
            tracks[client_id] = replace(tracks[client_id], held=tuple(sorted(all_held, key=lambda one: one.place)))

    def dossier(self, code: str, destination: str = DESTINATION) -> Dossier:
        """Return a dossier, which comes into being unregistered with the first event about it, bound for there."""
        found = self.dossiers.get(code)
        if found is None:
            now, none = self.now, None
            found = self.dossiers[code] = Dossier(
                code, "unknown", none, none, none, 0, now, now, none, none, none, destination, none, none, none
            )
        return found

    def registered(self, code: str) -> bool:
        """Whether somebody has registered the dossier."""
        found = self.dossiers.get(code)
        return found is not None and found.registered

    def highest(self, code: str, client_id: str) -> int:
        """The highest sequence that this source has given for a dossier: up to it, an event may be a repetition."""
        found = self.tracks.get(code, {}).get(client_id)
        return 0 if found is None else found.highest

    def accept(self, event: Event, *, earlier: Earlier | None = None, trouble: str | None = None) -> Decision:
        """Take an event: decide what becomes of it, and release what need not wait any longer.

        `trouble` is why it may not be sent as it is (no national meaning, another agency's dossier). One that is a
        duplicate or refused is not kept.
        """
        dossier = self.dossier(event.code)
        tracks = self.tracks.setdefault(event.code, {})
        track = tracks.get(event.client_id) or Track(dossier.registered)
        now = self.now / 1000
        decision = ordering.decide(
            track,
            event.sequence,
            event.position,
            event.at / 1000,
            now,
            earlier=earlier,
            understood=trouble is None,
            waits=self.waits,
        )
        if decision.place is None:
            return decision
        event.stand(decision.place)
        self.fresh.append(event)
        self._touched[event.code] = None
        if decision.result == "late":
            event.state, event.reason = "late", decision.reason
            return decision
        if decision.result == "quarantined":
            event.state, event.reason = "quarantined", trouble or decision.reason
        else:
            event.state, event.reason = "waiting", decision.reason
        event.held = 1
        self._held[event.code, event.client_id, decision.place] = event
        self.move(event.code, event.client_id, ordering.kept(track, decision, now))
        self._release(dossier, event.client_id)
        return decision

    def send_to(self, dossier: Dossier, destination: str) -> None:
        """Have a dossier and everything that was handed in for it sent there."""
        if dossier.destination == destination:
            return
        dossier.destination = destination
        self.connection.execute(_ELSEWHERE, {"the_code": dossier.code, "the_destination": destination})
        for event in self.fresh:
            if event.code == dossier.code:
                event.destination = destination

    def register(self, dossier: Dossier, event: Event | None) -> None:
        """Let the statuses go that waited for a dossier, registered now; `event` is what tells the portal, if any."""
        if event is not None:
            event.stand(FIRST)
            event.state, event.due_at = "queued", self.now
            self.fresh.append(event)
            self._due.add(dossier.code)
        self._touched[dossier.code] = None
        for client_id, track in list(self.tracks.get(dossier.code, {}).items()):
            held = self._own(dossier, client_id, track)
            self.move(dossier.code, client_id, replace(track, registered=True, held=held))
            self._release(dossier, client_id)

    def ripen(self, code: str) -> None:
        """Give up what was waited for too long: gaps are passed over, what nobody registered goes to quarantine."""
        self._touched[code] = None
        for client_id, track in list(self.tracks.get(code, {}).items()):
            after, over = ordering.expired(track, self.now / 1000, self.waits)
            for place in over:
                self._change(self._held[code, client_id, place], "quarantined", "unregistered", held=1)
            self.move(code, client_id, after)
            self._release(self.dossiers[code], client_id)

    def readmit(self, event: Event, national: str) -> str:
        """Let an event out of quarantine to its old place, whatever the rules of transitions say; return its state.

        It is late where something behind it was sent meanwhile, and waits where what it needs is still missing.
        """
        code, client_id = event.code, event.client_id
        track = self.tracks.get(code, {}).get(client_id) or Track(self.dossiers[code].registered)
        after, decision = ordering.readmitted(track, event.place, self.now / 1000)
        self._national.append({"the_position": event.position, "the_national": national})
        row = Held(
            event.position, code, client_id, event.agency, event.ordinal, event.behind, event.accepted_at, national,
            "waiting", event.due_at,
        )  # fmt: skip
        self.tracks.setdefault(code, {})
        self.move(code, client_id, after)
        self.touch(code)
        self.unsettled.add(code)
        if decision.result == "late":
            self._change(row, "late", decision.reason)
            return "late"
        self._forced.add(event.position)
        self._held[code, client_id, event.place] = row
        self._change(row, "waiting", "unregistered" if not track.registered else "gap", held=1)
        self._release(self.dossiers[code], client_id)
        return "waiting" if (code, client_id, event.place) in self._held else "queued"

    def ripe_at(self, code: str) -> int | None:
        """When `ripen` has something to do for a dossier, POSIX ms."""
        moments = []
        for track in self.tracks.get(code, {}).values():
            moment = ordering.next_release(track, self.waits)
            if not track.registered:
                waiting = [held.since for held in track.held if held.goes]
                moment = min(waiting) + self.waits.registration if waiting else None
            if moment is not None:
                moments.append(round(moment * 1000))
        return min(moments, default=None)

    def touch(self, code: str) -> None:
        """Have `save` write the row of a dossier."""
        self._touched[code] = None

    def save(self, beside: Rows | None = None) -> None:
        """Write everything that was changed, and what is gathered in `beside`."""
        connection = self.connection
        rows = Rows(connection) if beside is None else beside
        rows.insert(DOSSIER_EVENTS, EVENT_NAMES, [event_values(event) for event in self.fresh])
        if self._changes:
            connection.execute(_CHANGE, self._changes)
        if self._passed:
            connection.execute(_PASS, self._passed)
        if self._national:
            connection.execute(_NATIONAL, self._national)
        moved = [track_values(code, client, self.tracks[code][client]) for code, client in self._moved]
        rows.upsert(DOSSIER_TRACKS, TRACK_NAMES, moved)
        for code in self._touched:
            self._set_due(self.dossiers[code])
        touched = [dossier_values(self.dossiers[code]) for code in self._touched]
        rows.upsert(DOSSIERS, DOSSIER_NAMES, touched)
        rows.write()
        if self._aside or any(event.state == "quarantined" for event in self.fresh):
            tell(connection, set_aside(connection, self.fresh, self._aside), self.now)
        if self.fresh or self._changes or self.told:
            figures.follow(self)

    @property
    def touched(self) -> Sequence[str]:
        """The codes of the dossiers whose rows `save` writes."""
        return tuple(self._touched)

    def _set_due(self, dossier: Dossier) -> None:
        """Say when to look at a dossier, early rather than late; one that is being sent is left to whoever sends."""
        if dossier.lease_until is not None:
            return
        queued = self.now if dossier.code in self._due else None
        moments = (dossier.next_due, queued, self.ripe_at(dossier.code))
        dossier.next_due = min((moment for moment in moments if moment is not None), default=None)

    def _own(self, dossier: Dossier, client_id: str, track: Track) -> tuple[ordering.Held, ...]:
        """What was held back of a source, all that is not of the owner's agency in quarantine."""
        left: list[ordering.Held] = []
        for held in track.held:
            row = self._held[dossier.code, client_id, held.place]
            foreign = held.goes and row.agency != dossier.agency
            if foreign:
                self._change(row, "quarantined", "other-agency", held=1)
            left.append(replace(held, goes=False) if foreign else held)
        return tuple(left)

    def _release(self, dossier: Dossier, client_id: str) -> None:
        code = dossier.code
        before = self.tracks[code][client_id]
        after, released = ordering.release(before, self.now / 1000, self.waits)
        gone = before.held[: len(before.held) - len(after.held)]
        if not gone:
            return
        lost = {each.place: each.lost for each in released}
        for held in gone:
            row = self._held.pop((code, client_id, held.place))
            if held.place in lost:
                fills = held.place.behind == 0 and held.place.sequence <= before.through
                self._let_go(dossier, client_id, row, lost=lost[held.place], fills=fills)
            elif isinstance(row, Event):
                row.held = 0
            else:
                self._passed.append({"the_position": row.position})
        self.move(code, client_id, after)

    def _let_go(self, dossier: Dossier, client_id: str, row: Event | Held, *, lost: bool, fills: bool) -> None:
        """Queue what is released, unless its status may not follow what is queued before it.

        What fills a gap that was given up goes before the statuses that were judged meanwhile: it is sent, and flagged.
        An amendment says nothing of the status.
        """
        flags: tuple[str, ...] = (*(("gap",) if lost else ()), *(("gap-filled",) if fills else ()))
        if row.national is not None and not fills:
            mode = "off" if row.position in self._forced else self.settings.mode(client_id)
            outcome = judge(dossier.status, row.national, mode, lost=lost)
            flags = (*flags, *outcome.flags)
            if outcome.action == "quarantine":
                self._change(row, "quarantined", outcome.reason, flags=flags)
                return
            dossier.status = row.national
        self._change(row, "queued", None, flags=flags, due_at=self.now)
        self._due.add(dossier.code)

    def _change(
        self,
        row: Event | Held,
        state: str,
        reason: str | None,
        *,
        flags: tuple[str, ...] = (),
        due_at: int | None = None,
        held: int = 0,
    ) -> None:
        if isinstance(row, Event):
            row.state, row.reason, row.flags, row.due_at, row.held = state, reason, " ".join(flags), due_at, held
            return
        if state == "quarantined":
            self._aside.append(row.position)
            self.unsettled.add(row.code)
        values = (state, reason, " ".join(flags), held, row.due_at if held else due_at)
        change = dict(zip([f"the_{name}" for name in _CHANGED], values, strict=True))
        self._changes.append({"the_position": row.position, **change})

    def move(self, code: str, client_id: str, track: Track) -> None:
        """Put another track in the place of one."""
        self.tracks[code][client_id] = track
        self._moved[code, client_id] = None
