"""Which entries open for longer than they may, by record class, and making those unopenable (thời hạn lưu giữ).

The log loses no entry by that: what ends are personal values, by redactions that stand in it like any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, literal_column, or_, select

from config.retention import Retention
from security.audit.entries import Evidence, instant
from security.audit.log import BATCH, AuditLog
from security.audit.reading import NoEntry
from security.audit.redaction import finish, redact_together
from security.audit.sealing import Sealer
from security.audit.tables import ENTRIES, OPENINGS
from storage.engine import Storage

READINGS, OTHER = "readings", "other"
"""Classes of entries whatever their database: of those who read the log, and of what is about no database."""

# Literals: PostgreSQL takes two parameters for two expressions, whatever their values, and then groups by another one.
_CLASS: ColumnElement[str] = case(
    (ENTRIES.c.kind == literal_column("'reading'"), literal_column(f"'{READINGS}'")),
    else_=func.coalesce(ENTRIES.c.database, literal_column(f"'{OTHER}'")),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A record class: its `days` (None without end) and how many entries of it still open.

    `oldest` is the lowest number among them and `since` the earliest time; `beyond` are older than `days`, `held` of
    those belong to dossiers on hold.
    """

    name: str
    days: int | None
    open: int = 0
    oldest: int | None = None
    since: datetime | None = None
    beyond: int = 0
    held: int = 0

    @property
    def due(self) -> int:
        """How many entries are to be made unopenable."""
        return self.beyond - self.held


class Term:
    """What a configuration demands at one time; periods whose keys were destroyed open no more and are left alone."""

    def __init__(self, rule: Retention, now: datetime, sealer: Sealer) -> None:
        self._rule = rule
        self._now = now
        self._live = sealer.live_periods()

    def kept(self, connection: Connection) -> list[Kept]:
        """Every class that is configured or has entries that open, in the order of their names."""
        found = {name: Kept(name, days) for name, days in self._rule.days.items()}
        numbers = (func.count(), func.min(ENTRIES.c.idx), func.min(ENTRIES.c.at))
        rows = select(_CLASS, *numbers).select_from(_OPENINGS).where(*self._opens()).group_by(_CLASS)
        beyond: dict[str, list[int]] = {}
        held = case((self._held(), 1), else_=0)
        late = select(_CLASS, func.count(), func.sum(held)).select_from(_OPENINGS).where(*self._opens(), self._late())
        for name, *counts in connection.execute(late.group_by(_CLASS)):
            beyond[name] = [int(each) for each in counts]
        for name, opens, oldest, since in connection.execute(rows):
            past = beyond.get(name, [0, 0])
            found[name] = Kept(name, self._rule.of(name), opens, oldest, datetime.fromisoformat(since), *past)
        return [found[name] for name in sorted(found)]

    def due(self, connection: Connection, after: int, most: int) -> list[tuple[int, str]]:
        """The first entries behind `after` that are to be made unopenable, with their classes."""
        query = select(ENTRIES.c.idx, _CLASS).select_from(_OPENINGS).where(OPENINGS.c.idx > after, *self._opens())
        query = query.where(self._late(), ~self._held()).order_by(OPENINGS.c.idx).limit(most)
        return [(index, name) for index, name in connection.execute(query)]

    def unknown_holds(self, connection: Connection) -> list[str]:
        """The dossiers on hold that no entry is about: a slip in one would let go what it was to keep."""
        there = select(ENTRIES.c.dossier).where(ENTRIES.c.dossier.in_(self._rule.hold)).distinct()
        known = set(connection.execute(there).scalars()) if self._rule.hold else set()
        return [each for each in self._rule.hold if each not in known]

    def _opens(self) -> Sequence[ColumnElement[bool]]:
        return (OPENINGS.c.redacted_by.is_(None), OPENINGS.c.period.in_(self._live))

    def _late(self) -> ColumnElement[bool]:
        named = self._rule.days
        cases = [and_(_CLASS.in_([name]), self._before(days)) for name, days in named.items()]
        return or_(and_(_CLASS.not_in(list(named)), self._before(self._rule.default)), *cases)

    def _before(self, days: int | None) -> ColumnElement[bool]:
        return false() if days is None else ENTRIES.c.at < instant(self._now - timedelta(days=days))

    def _held(self) -> ColumnElement[bool]:
        return func.coalesce(ENTRIES.c.dossier, "").in_(self._rule.hold)


_OPENINGS = OPENINGS.join(ENTRIES, OPENINGS.c.idx == ENTRIES.c.idx)


async def applied(
    storage: Storage, log: AuditLog, sealer: Sealer, term: Term, reason: str, act: Callable[[str], Evidence]
) -> AsyncIterator[dict[int, int]]:
    """Make unopenable what is due, at most `BATCH` entries at once; yields which, each with the entry that records it.

    `act` gives the evidence of one of a class. What was begun and not finished, here or by an earlier call, is finished
    first; a call that was interrupted is gone on with by the next one. Raises EvidenceUnavailable, StorageUnavailable.
    """
    await finish(storage, sealer)
    after = -1
    while found := await storage.read(lambda connection: term.due(connection, after, BATCH)):  # noqa: B023
        acts = {index: act(name) for index, name in found}
        done: dict[int, int] = {}
        for index, result in zip(acts, await redact_together(storage, log, sealer, acts, reason=reason), strict=True):
            if isinstance(result, NoEntry):
                # Somebody else was faster.
                continue
            if isinstance(result, BaseException):
                raise result
            done[index] = result.index
        yield done
        after = found[-1][0]
