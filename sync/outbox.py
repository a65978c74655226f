"""What a worker writes of its attempts: that one begins, and how it ended, each in one commit with its evidence.

An attempt stands as `unknown` before anything is sent. Whatever happens to the process afterwards, whoever finds it so
asks the portal before sending again. Times are POSIX milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from config.sync import Sync
from storage.bulk import insert_rows, rows_among
from sync.callbacks import tell
from sync.heads import settle
from sync.leases import Claim, sendable
from sync.queue import Queues
from sync.tables import DELIVERY_ATTEMPTS, DESTINATIONS, DOSSIER_EVENTS, DOSSIERS
from sync.tellings import ended
from sync.verdicts import Verdict, pause

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
    """The write of an intent: attempts begin, leases last from now on; raises LeaseLost in the transaction."""

    def __init__(self, claims: Sequence[Claim], owner: str, now: int, settings: Sync) -> None:
        self._claims = claims
        self._owner = owner
        self._now = now
        self._until = now + round(settings.lease * 1000)

    def __call__(self, connection: Connection, index: int) -> None:
        """Write it; `index` is that of the entry of the intent."""
        codes = [claim.event.code for claim in self._claims]
        held = rows_among(connection, (DOSSIERS.c.code, DOSSIERS.c.lease_owner), DOSSIERS.c.code, codes)
        if any(owner != self._owner for _, owner in held):
            raise LeaseLost
        begun, now, none = [(each.event, each.event.attempts) for each in self._claims], self._now, None
        rows = [(event.position, number, now, none, "unknown", none, none, none) for event, number in begun]
        insert_rows(connection, DELIVERY_ATTEMPTS, _ATTEMPT, rows)
        connection.execute(_BEGUN, [{"the_position": event.position, "the_number": number} for event, number in begun])
        connection.execute(_HELD, [{"the_code": code, "the_end": self._until} for code in codes])


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
        attempts: list[dict[str, object]] = []
        for end in ends:
            if queues.dossiers[end.claim.event.code].lease_owner != self._owner:
                said.append(LeaseLost())
                continue
            attempts += _attempts(end, index + len(written))
            written.append(end)
            said.append(None)
        if not written:
            return said
        due = self._weigh(connection, written)
        connection.execute(_ENDED, [self._changed(end, due) for end in written])
        if attempts:
            connection.execute(_TRIED, attempts)
        self._settle(queues, written)
        tell(connection, ended(written), self._now)
        return said

    def _settle(self, queues: Queues, written: Sequence[Ended]) -> None:
        """Say of each dossier where it stands at the portal and when to look at it again."""
        amended: list[dict[str, object]] = []
        for end in written:
            event = end.claim.event
            if end.verdict.ending == "delivered":
                dossier = queues.dossiers[event.code]
                dossier.delivered_position = event.position
                dossier.delivered_status = end.claim.national or dossier.delivered_status
                if event.kind == "registration":
                    amended.append({"the_code": event.code, "the_version": event.version})
        if amended:
            queues.connection.execute(_AMENDED, amended)
        codes = [end.claim.event.code for end in written]
        going = sendable(queues, codes)
        for code in codes:
            settle(queues, code, going.get(code, ()))
        queues.save()

    def _changed(self, end: Ended, due: int | None) -> dict[str, object]:
        event, verdict = end.claim.event, end.verdict
        change: dict[str, object] = {"the_position": event.position, "the_due": None, "the_delivered": None}
        if verdict.ending == "delivered":
            return change | {"the_state": "delivered", "the_reason": None, "the_delivered": self._now}
        why = verdict.reason or verdict.code
        if verdict.ending == "dead":
            return change | {"the_state": "dead", "the_reason": (why or "")[:48] or None}
        again = max(end.due_at or self._now, due or 0)
        return change | {"the_state": "queued", "the_reason": (why or "")[:48] or None, "the_due": again}

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


def _attempts(end: Ended, entry: int) -> list[dict[str, object]]:
    return [
        {
            "the_position": end.claim.event.position,
            "the_number": each.number,
            "the_duration": each.duration_ms,
            "the_outcome": each.verdict.outcome,
            "the_code": each.verdict.code,
            "the_reason": None if each.verdict.reason is None else each.verdict.reason[:64],
            "the_entry": entry,
        }
        for each in end.claim.tries
    ]


_BEGUN = (
    update(DOSSIER_EVENTS)
    .where(DOSSIER_EVENTS.c.position == bindparam("the_position"))
    .values(attempts=bindparam("the_number"))
)
_HELD = (
    update(DOSSIERS)
    .where(DOSSIERS.c.code == bindparam("the_code"))
    .values(lease_until=bindparam("the_end"), next_due=bindparam("the_end"))
)
_ENDED = (
    update(DOSSIER_EVENTS)
    .where(DOSSIER_EVENTS.c.position == bindparam("the_position"))
    .values(
        state=bindparam("the_state"),
        reason=bindparam("the_reason"),
        due_at=bindparam("the_due"),
        delivered_at=bindparam("the_delivered"),
    )
)
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
_TRIED = (
    update(DELIVERY_ATTEMPTS)
    .where(
        DELIVERY_ATTEMPTS.c.position == bindparam("the_position"),
        DELIVERY_ATTEMPTS.c.number == bindparam("the_number"),
    )
    .values(
        duration_ms=bindparam("the_duration"),
        outcome=bindparam("the_outcome"),
        code=bindparam("the_code"),
        reason=bindparam("the_reason"),
        entry=bindparam("the_entry"),
    )
)
