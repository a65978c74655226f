"""What a worker writes of its attempts: that one begins, and how it ended, each in one commit with its evidence.

An attempt stands as `unknown` before anything is sent. Whatever happens to the process afterwards, whoever finds it so
asks the portal before sending again. Times are POSIX milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from config.sync import Sync
from storage.bulk import insert_rows, rows_among, update_rows
from sync.callbacks import tell
from sync.heads import due
from sync.leases import HOLD, Claim, sendable
from sync.queue import Queues
from sync.tables import DELIVERY_ATTEMPTS, DESTINATIONS, DOSSIER_EVENTS, DOSSIERS
from sync.tellings import ended
from sync.verdicts import Verdict, pause

_FRESH_MS: Final = 5_000
"""A lease that was taken so lately is long enough: an exchange ends long before it does."""
_ATTEMPT = tuple(column.name for column in DELIVERY_ATTEMPTS.columns)


class LeaseLost(Exception):
    """Another worker holds the dossier by now: nothing of it may be sent or written."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the attempts of a claim ended for now; `due_at` is when to try again, where it is to be tried again."""

    claim: Claim
    verdict: Verdict
    due_at: int | None = None


class Beginning:
    """The write of an intent: attempts begin; raises LeaseLost in the transaction.

    Leases taken a while ago last from now on.
    """

    def __init__(self, claims: Sequence[Claim], owner: str, now: int, settings: Sync) -> None:
        self._claims = claims
        self._owner = owner
        self._now = now
        self._until = now + round(settings.lease * 1000)

    def __call__(self, connection: Connection, index: int) -> None:
        """Write it; `index` is that of the entry of the intent."""
        codes = [claim.event.code for claim in self._claims]
        held = rows_among(connection, _HELD, DOSSIERS.c.code, codes)
        if any(owner != self._owner for _, owner, _ in held):
            raise LeaseLost
        events, now, none = [each.event for each in self._claims], self._now, None
        rows = [(event.position, event.attempts, now, none, "unknown", none, none, none) for event in events]
        insert_rows(connection, DELIVERY_ATTEMPTS, _ATTEMPT, rows)
        aged = [code for code, _, end in held if not self._is_fresh(end)]
        longer = [(self._until, self._until, code) for code in aged]
        update_rows(connection, DOSSIERS, ("lease_until", "next_due"), ("code",), longer)

    def _is_fresh(self, end: int | None) -> bool:
        """Tell whether a lease was taken lately; one that ends later than it may is of a clock that was set back."""
        return end is not None and self._until - _FRESH_MS <= end <= self._until


class Ending:
    """The write of outcomes (`GroupWrite`): events, attempts, queues and the destination; one that was lost is left."""

    def __init__(self, ends: Sequence[Ended], destination: str, owner: str, now: int, settings: Sync) -> None:
        self._ends = ends
        self._destination = destination
        self._owner = owner
        self._now = now
        self._settings = settings

    def __call__(self, connection: Connection, index: int, asked: Sequence[int]) -> list[Exception | None]:
        """Write them; `index` is that of the first entry, `asked` which of the ends are to be written."""
        ends = [self._ends[place] for place in asked]
        codes = [end.claim.event.code for end in ends]
        queues = Queues.load(connection, codes, self._now, self._settings)
        said: list[Exception | None] = []
        written: list[Ended] = []
        attempts: list[tuple[object, ...]] = []
        for end in ends:
            if queues.dossiers[end.claim.event.code].lease_owner != self._owner:
                said.append(LeaseLost())
                continue
            attempts += _attempts(end, index + len(written))
            written.append(end)
            said.append(None)
        if not written:
            return said
        again = self._weigh(connection, written)
        update_rows(connection, DOSSIER_EVENTS, _ENDED, ("position",), [self._changed(end, again) for end in written])
        update_rows(connection, DELIVERY_ATTEMPTS, _TRIED, ("position", "number"), attempts)
        self._settle(queues, written)
        tell(connection, ended(written), self._now)
        return said

    def _settle(self, queues: Queues, written: Sequence[Ended]) -> None:
        """Say of each dossier where it stands at the portal and when to look at it again."""
        delivered = [end.claim.event for end in written if end.verdict.ending == "delivered"]
        amended = [
            {"the_code": event.code, "the_version": event.version}
            for event in delivered
            if event.kind == "registration"
        ]
        if amended:
            queues.connection.execute(_AMENDED, amended)
        going = sendable(queues, [end.claim.event.code for end in written])
        rows: list[tuple[object, ...]] = []
        for end in written:
            event, dossier = end.claim.event, queues.dossiers[end.claim.event.code]
            status, position = dossier.delivered_status, dossier.delivered_position
            if end.verdict.ending == "delivered":
                status, position = end.claim.national or status, event.position
            rows.append((status, position, None, None, due(queues, event.code, going.get(event.code, ())), event.code))
        update_rows(queues.connection, DOSSIERS, _SETTLED, ("code",), rows)

    def _changed(self, end: Ended, again: int | None) -> tuple[object, ...]:
        """The values of `_ENDED` for an event, and its position."""
        event, verdict = end.claim.event, end.verdict
        if verdict.ending == "delivered":
            return "delivered", None, None, self._now, event.attempts, event.position
        why = (verdict.reason or verdict.code or "")[:48] or None
        if verdict.ending == "dead":
            return "dead", why, None, None, event.attempts, event.position
        return "queued", why, max(end.due_at or self._now, again or 0), None, event.attempts, event.position

    def _weigh(self, connection: Connection, ends: Sequence[Ended]) -> int | None:
        """Keep what was learnt of the destination; return when it may be tried again, None for at once."""
        spoke = any(not end.verdict.of_destination for end in ends)
        row = connection.execute(select(DESTINATIONS).where(DESTINATIONS.c.name == self._destination)).first()
        if spoke:
            if row is not None and (row.failures or row.down_since is not None):
                self._keep(connection, failures=0, due_at=None, down_since=None)
            return None
        if row is None:
            connection.execute(insert(DESTINATIONS).values(name=self._destination, failures=0))
        failures = (row.failures if row is not None else 0) + 1
        asked = max((end.verdict.retry_after or 0.0 for end in ends), default=0.0)
        wait = pause(failures, self._settings.pause, self._settings.longest_pause, asked)
        due = self._now + round(wait * 1000)
        since = self._now if row is None or row.down_since is None else row.down_since
        self._keep(connection, failures=failures, due_at=due, down_since=since)
        return due

    def _keep(self, connection: Connection, **values: int | None) -> None:
        connection.execute(update(DESTINATIONS).where(DESTINATIONS.c.name == self._destination).values(values))


def _attempts(end: Ended, entry: int) -> list[tuple[object, ...]]:
    """The values of `_TRIED` for each attempt, and what it is found by."""
    return [
        (
            each.duration_ms,
            each.verdict.outcome,
            each.verdict.code,
            None if each.verdict.reason is None else each.verdict.reason[:64],
            entry,
            end.claim.event.position,
            each.number,
        )
        for each in end.claim.tries
    ]


_HELD = (DOSSIERS.c.code, DOSSIERS.c.lease_owner, DOSSIERS.c.lease_until)
_SETTLED = ("delivered_status", "delivered_position", *HOLD)
_ENDED = ("state", "reason", "due_at", "delivered_at", "attempts")
_TRIED = ("duration_ms", "outcome", "code", "reason", "entry")
# Registrations that were refused before the dossier was amended.
_AMENDED = (
    update(DOSSIER_EVENTS)
    .where(
        DOSSIER_EVENTS.c.code == bindparam("the_code"),
        DOSSIER_EVENTS.c.kind == "registration",
        DOSSIER_EVENTS.c.state == "dead",
        DOSSIER_EVENTS.c.version < bindparam("the_version"),
    )
    .values(state="discarded", reason="amended", due_at=None)
)
