"""Claims with leases: which worker sends what of which dossier, one event of each at a time (quyền gửi có thời hạn).

Every function works inside one transaction that holds the write lock of the storage (on PostgreSQL the state row, FOR
UPDATE), so no two workers ever see the same event free. Due dossiers are found along an index over those that have
something to do: what it costs does not grow with how many wait. Times are POSIX milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from config.sync import Sync
from schemas.dossiers import ordering
from storage.bulk import rows_among, update_rows
from sync.heads import foremost, settle
from sync.liveness import is_gone
from sync.queue import Queues
from sync.rows import EVENT_COLUMNS, Event
from sync.tables import DELIVERY_ATTEMPTS, DESTINATIONS, DOSSIER_EVENTS, DOSSIERS
from sync.verdicts import Verdict
from sync.watch import Lease

_UNREGISTERED: Final = "no-such-dossier"
HOLD: Final = ("lease_owner", "lease_until", "next_due")
"""What a lease is, in the row of its dossier."""


@dataclass(slots=True)
class Try:
    """One attempt of a claim: its number, how long it took, what came of it."""

    number: int
    duration_ms: int | None
    verdict: Verdict


@dataclass(slots=True)
class Claim:
    """An event that a worker may send. `in_doubt`: it may be at the portal already, so look there first.

    `updating` tells whether the portal should hold the dossier; `standing` is the national status it has there.
    `national` is the status that the event leaves it with, once that is known.
    """

    event: Event
    updating: bool
    standing: str | None
    in_doubt: bool
    tries: list[Try] = field(default_factory=list)
    national: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether anything may be sent to a destination: `paused` by the operator, not before `due_at` after `failures`."""

    paused: bool = False
    failures: int = 0
    due_at: int = 0


def gate(connection: Connection, destination: str) -> Gate:
    """Read whether anything may be sent."""
    columns = (DESTINATIONS.c.paused_at, DESTINATIONS.c.failures, DESTINATIONS.c.due_at)
    row = connection.execute(select(*columns).where(DESTINATIONS.c.name == destination)).first()
    return Gate() if row is None else Gate(row.paused_at is not None, row.failures, row.due_at or 0)


def next_due(connection: Connection, destination: str) -> int | None:
    """When a dossier has to be looked at first; None while nothing is to be sent."""
    first = (
        select(DOSSIERS.c.next_due)
        .where(DOSSIERS.c.destination == destination, DOSSIERS.c.next_due.is_not(None), _FREE_NOW)
        .order_by(DOSSIERS.c.next_due)
        .limit(1)
    )
    allowed = gate(connection, destination)
    due: int | None = None if allowed.paused else connection.execute(first).scalar()
    return None if due is None else max(due, allowed.due_at)


def sendable(queues: Queues, codes: Sequence[str]) -> dict[str, list[Event]]:
    """Read what of these dossiers may go next, at most one of each: nothing behind a dead letter.

    A registration that the portal refused waits for an amendment, which says the whole anew and goes in its place; so
    does a status of a dossier that the portal does not have.
    """
    found = foremost(queues, codes)
    going: dict[str, list[Event]] = {}
    for code, events in found.items():
        head = events[0]
        going[code] = [head] if head.state != "dead" else []
        if head.state == "dead" and (head.kind == "registration" or head.reason == _UNREGISTERED):
            going[code] = _amendment(queues.connection, code)
    return going


def _amendment(connection: Connection, code: str) -> list[Event]:
    newest = (
        select(*EVENT_COLUMNS)
        .where(
            DOSSIER_EVENTS.c.code == code,
            DOSSIER_EVENTS.c.kind == "registration",
            DOSSIER_EVENTS.c.state.in_(("queued", "sending")),
        )
        .order_by(DOSSIER_EVENTS.c.position.desc())
        .limit(1)
    )
    return [Event(*row) for row in connection.execute(newest)]


def claim(connection: Connection, destination: str, owner: str, now: int, limit: int, settings: Sync) -> list[Claim]:
    """Take up to `limit` events that are due, each the next of its dossier, and hold them for `settings.lease`.

    After a failure of the destination only one is taken, by one worker: it shows whether the others may follow. Nothing
    else is sent until its outcome is kept, or for the longest pause where that never comes.
    """
    allowed = gate(connection, destination)
    if allowed.paused or allowed.due_at > now:
        return []
    due = (
        select(DOSSIERS.c.code)
        .where(DOSSIERS.c.destination == destination, DOSSIERS.c.next_due <= now, _FREE_NOW)
        .order_by(DOSSIERS.c.next_due)
        .limit(1 if allowed.failures else limit)
    )
    codes = list(connection.execute(due).scalars())
    if not codes:
        return []
    queues = _ripened(connection, codes, now, settings)
    going = sendable(queues, codes)
    until = now + round(settings.lease * 1000)
    claims: list[Claim] = []
    held: list[tuple[object, ...]] = []
    for code in codes:
        left = going.get(code, [])
        if not left or (left[0].due_at or 0) > now:
            settle(queues, code, left)
            continue
        event, dossier = left[0], queues.dossiers[code]
        # What stands for a registration that the portal never took overtakes nothing.
        overtakes = event.kind != "registration" or dossier.delivered_position is not None
        if overtakes and (track := queues.tracks.get(code, {}).get(event.client_id)):
            queues.move(code, event.client_id, ordering.sent(track, event.place))
        held.append((owner, until, until, code))
        adopted = dossier.standing == "adopted"
        standing = dossier.delivered_status or (dossier.status if adopted else None)
        # A version of a dossier that the portal never took creates it there.
        held_there = adopted or ((event.version or 1) > 1 and dossier.delivered_position is not None)
        claims.append(Claim(event, held_there, standing, in_doubt=False))
    queues.save()
    update_rows(connection, DOSSIERS, HOLD, ("code",), held)
    _doubted(connection, claims)
    sending = [("sending", each.event.position) for each in claims if each.event.state != "sending"]
    update_rows(connection, DOSSIER_EVENTS, ("state",), ("position",), sending)
    if claims and allowed.failures:
        alone = now + round(settings.longest_pause * 1000)
        connection.execute(update(DESTINATIONS).where(DESTINATIONS.c.name == destination).values(due_at=alone))
    return claims


def _ripened(connection: Connection, codes: Sequence[str], now: int, settings: Sync) -> Queues:
    queues = Queues.load(connection, codes, now, settings)
    ripe = [code for code in codes if (moment := queues.ripe_at(code)) is not None and moment <= now]
    if not ripe:
        return queues
    for code in ripe:
        queues.ripen(code)
    queues.save()
    return Queues.load(connection, codes, now, settings)


def _doubted(connection: Connection, claims: Sequence[Claim]) -> None:
    """Find those of which an earlier attempt has no known end: the event then does not count it yet."""
    tried = {each.event.position: each for each in claims if each.event.attempts or each.event.state == "sending"}
    fixed = ((DELIVERY_ATTEMPTS.c.outcome, "unknown"),)
    rows = rows_among(connection, _TRIED, DELIVERY_ATTEMPTS.c.position, list(tried), fixed)
    for position, number, duration_ms, code, reason in rows:
        found = tried[position]
        found.in_doubt = True
        found.event.attempts = max(found.event.attempts, number)
        found.tries.append(Try(number, duration_ms, Verdict("again", "unknown", code or "interrupted", reason)))


def gone(connection: Connection) -> list[str]:
    """Name the workers that hold leases and whose process has ended on this machine."""
    owners = select(DOSSIERS.c.lease_owner).where(DOSSIERS.c.lease_owner.is_not(None)).distinct()
    return [name for name in connection.execute(owners).scalars() if is_gone(name)]


def held_by_others(connection: Connection, owner: str) -> list[Lease]:
    """Read the leases of all other workers."""
    columns = (DOSSIERS.c.code, DOSSIERS.c.lease_owner, DOSSIERS.c.lease_until)
    held = select(*columns).where(DOSSIERS.c.lease_owner.is_not(None), DOSSIERS.c.lease_owner != owner)
    return [Lease(*row) for row in connection.execute(held)]


def release(connection: Connection, owner: str, due_at: int) -> int:
    """Give up what a worker holds; tell how many dossiers.

    What it was sending is left alone until `due_at`: the portal may still be at work on it.
    """
    held = list(connection.execute(select(DOSSIERS.c.code).where(DOSSIERS.c.lease_owner == owner)).scalars())
    release_some(connection, owner, held, due_at)
    return len(held)


def release_some(connection: Connection, owner: str, codes: Sequence[str], due_at: int) -> None:
    """Give up what a worker holds of these dossiers, as `release` does."""
    if not codes:
        return
    times = [{"the_code": code, "the_owner": owner, "the_time": due_at} for code in codes]
    connection.execute(_LATER, times)
    connection.execute(_FREE, times)


_TRIED = tuple(DELIVERY_ATTEMPTS.c[name] for name in ("position", "number", "duration_ms", "code", "reason"))
_FREE_NOW = DOSSIERS.c.lease_owner.is_(None)
"""Whoever holds a lease gives it up, or another sees that it is over (`sync.watch`)."""
_LATER = (
    update(DOSSIER_EVENTS)
    .where(
        DOSSIER_EVENTS.c.code == bindparam("the_code"),
        DOSSIER_EVENTS.c.state == "sending",
        select(DOSSIERS.c.code)
        .where(DOSSIERS.c.code == DOSSIER_EVENTS.c.code, DOSSIERS.c.lease_owner == bindparam("the_owner"))
        .exists(),
    )
    .values(due_at=bindparam("the_time"))
)
_FREE = (
    update(DOSSIERS)
    .where(DOSSIERS.c.code == bindparam("the_code"), DOSSIERS.c.lease_owner == bindparam("the_owner"))
    .values(lease_owner=None, lease_until=None, next_due=bindparam("the_time"))
)
