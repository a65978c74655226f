"""Filed dossiers in the database: stored once, shown until they are acknowledged (hồ sơ nộp tại Cổng).

Whoever calls holds the write lock where something is written. Times are POSIX milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, or_, select, text, update

from schemas.inbox import plain_agency
from security.audit.canonical import JSON
from security.audit.sealing import Sealed
from storage.bulk import insert_rows, rows_among
from sync.callbacks import Told, tell
from sync.inbox_tables import INBOX_DOSSIERS, INBOX_PORTALS, NEW

_NAMES: Final = tuple(column.name for column in INBOX_DOSSIERS.columns)


class ReaderReplaced(Exception):
    """Another process reads this portal by now: nothing of this page may be written."""


class Stored(Exception):
    """It stands already, as it is."""


@dataclass(slots=True, eq=False)
class Arrival:
    """One element of the portal's list, ready to be stored; `agency` and `code` are None where it cannot be read."""

    event_id: str
    code: str | None
    agency: str | None
    filed_at: int | None
    reason: str | None
    content: bytes
    body_tag: bytes
    sealed: Sealed | None = None


@dataclass(frozen=True, slots=True)
class Filed:
    """A row of `inbox_dossiers` as far as it is shown."""

    position: int
    event_id: str
    portal: str
    code: str
    version: int
    agency: str
    filed_at: int | None
    received_at: int
    state: str
    reason: str | None
    acknowledged_at: int | None
    acknowledged_by: str | None
    acknowledgement: int | None
    adopted: int | None
    body_tag: bytes
    period: str
    slot: int
    sealed: bytes | None


_FILED_COLUMNS: Final = tuple(INBOX_DOSSIERS.c[each.name] for each in fields(Filed))


class Arriving:
    """The write of one page (`GroupWrite`): what is new of it, and the cursor behind it, in one commit."""

    def __init__(
        self, portal: str, owner: str, arrivals: Sequence[Arrival], cursor: str | None, now: int, until: int
    ) -> None:
        self._portal = portal
        self._owner = owner
        self._arrivals = arrivals
        self._cursor = cursor
        self._now = now
        self._until = until

    def __call__(self, connection: Connection, index: int, asked: Sequence[int]) -> list[Exception | None]:
        """Write it; `index` is that of the first entry."""
        if not still_reads(connection, self._portal, self._owner):
            return [ReaderReplaced() for _ in asked]
        arrivals = [self._arrivals[place] for place in asked]
        newest = _newest(connection, [each.code for each in arrivals if each.code is not None and not each.reason])
        unread = _unreadable(connection, [each.body_tag for each in arrivals if each.reason])
        rows: list[tuple[object, ...]] = []
        replaced: list[str] = []
        told: list[Told] = []
        said: list[Exception | None] = []
        for each in arrivals:
            version, tag = newest.get(each.code or "", (0, None))
            if tag == each.body_tag or each.body_tag in unread:
                said.append(Stored())
                continue
            if each.reason or each.code is None or each.agency is None:
                unread.add(each.body_tag)
                rows.append(self._row(each, index, 0, "unreadable"))
            else:
                newest[each.code] = version + 1, each.body_tag
                replaced.append(each.code)
                rows.append(self._row(each, index, version + 1, "new"))
                told.append(Told("dossier.filed", each.agency, _pointer(each.code, version + 1)))
            said.append(None)
            index += 1
        _supersede(connection, replaced)
        insert_rows(connection, INBOX_DOSSIERS, _NAMES, _last_stands(rows))
        tell(connection, told, self._now)
        go_on(connection, self._portal, self._cursor, self._until)
        return said

    def _row(self, each: Arrival, index: int, version: int, state: str) -> tuple[object, ...]:
        sealed, none = each.sealed, None
        if sealed is None:
            raise TypeError("a dossier is sealed before it is stored")
        return (
            index, each.event_id, self._portal, each.code, version, each.agency, each.filed_at, self._now, state,
            each.reason, 0, none, none, none, none, each.body_tag, sealed.period, sealed.slot, sealed.sealed,
        )  # fmt: skip


def _pointer(code: str, version: int) -> dict[str, JSON]:
    """What a call-back says of it: what it is about lies behind the link, for those who may see it."""
    return {"code": code, "version": version, "link": f"/v1/inbox/dossiers/{code}"}


def _last_stands(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Of several versions that came in one page only the last is new."""
    last = {row[_CODE]: row[0] for row in rows if row[_STATE] == "new"}
    return [
        (*row[:_STATE], "superseded", *row[_STATE + 1 :])
        if row[_STATE] == "new" and last[row[_CODE]] != row[0]
        else row
        for row in rows
    ]


_CODE: Final = _NAMES.index("code")
_STATE: Final = _NAMES.index("state")


def _newest(connection: Connection, codes: Sequence[str]) -> dict[str, tuple[int, bytes]]:
    columns = tuple(INBOX_DOSSIERS.c[name] for name in ("code", "version", "body_tag"))
    newest: dict[str, tuple[int, bytes]] = {}
    for code, version, tag in rows_among(connection, columns, INBOX_DOSSIERS.c.code, codes):
        if version > newest.get(code, (0, b""))[0]:
            newest[code] = version, bytes(tag)
    return newest


def _unreadable(connection: Connection, tags: Sequence[bytes]) -> set[bytes]:
    columns = (INBOX_DOSSIERS.c.body_tag,)
    fixed = ((INBOX_DOSSIERS.c.state, "unreadable"),)
    return {bytes(row[0]) for row in rows_among(connection, columns, INBOX_DOSSIERS.c.body_tag, tags, fixed)}


def _supersede(connection: Connection, codes: Sequence[str]) -> None:
    if codes:
        connection.execute(
            update(INBOX_DOSSIERS)
            .where(INBOX_DOSSIERS.c.code.in_(codes), INBOX_DOSSIERS.c.state.in_(("new", "unreadable")))
            .values(state="superseded")
        )


def still_reads(connection: Connection, portal: str, owner: str) -> bool:
    """Tell whether a process is still the one that reads a portal."""
    query = select(INBOX_PORTALS.c.lease_owner).where(INBOX_PORTALS.c.name == portal)
    return connection.execute(query).scalar() == owner


def go_on(connection: Connection, portal: str, cursor: str | None, until: int) -> None:
    """Keep the cursor behind what was read, where the portal gave one, and hold the portal until then."""
    values = {"lease_until": until} | ({} if cursor is None else {"cursor": cursor})
    connection.execute(update(INBOX_PORTALS).where(INBOX_PORTALS.c.name == portal).values(**values))


def visible(agency: str) -> ColumnElement[bool]:
    """The condition for what an agency sees: what it or a unit below it is to handle.

    Owners of registered dossiers are matched exactly; a dossier that nobody has taken over yet names the unit that is
    to handle it, and most units have no system of their own. Whoever acknowledges it becomes its owner.
    """
    own = plain_agency(agency)
    return or_(INBOX_DOSSIERS.c.agency == own, INBOX_DOSSIERS.c.agency.startswith(f"{own}.", autoescape=True))


def is_within(handling_agency: str | None, agency: str) -> bool:
    """Whether what `handling_agency` is to handle is `agency`'s to take over, as `visible` has it; nobody's is."""
    own = plain_agency(agency)
    return handling_agency is None or handling_agency == own or handling_agency.startswith(f"{own}.")


def handling(connection: Connection, codes: Sequence[str]) -> dict[str, str]:
    """Read which agency is to handle each of these dossiers, as the newest readable version that was filed says."""
    columns = (INBOX_DOSSIERS.c.version, INBOX_DOSSIERS.c.code, INBOX_DOSSIERS.c.agency)
    found = sorted(tuple(row) for row in rows_among(connection, columns, INBOX_DOSSIERS.c.code, codes) if row[2])
    return {code: agency for version, code, agency in found if version > 0}


def waiting(connection: Connection, agency: str, after: int, limit: int) -> list[Filed]:
    """Read up to `limit` dossiers that an agency has not acknowledged, behind a position, in order of arrival."""
    query = (
        select(*_FILED_COLUMNS)
        .where(text(NEW), INBOX_DOSSIERS.c.position > after, visible(agency))
        .order_by(INBOX_DOSSIERS.c.position)
        .limit(limit)
    )
    return [Filed(*row) for row in connection.execute(query)]


def versions(connection: Connection, code: str, agency: str) -> list[Filed]:
    """Read every readable version of a filed dossier that this agency may see, the newest first."""
    query = (
        select(*_FILED_COLUMNS)
        .where(INBOX_DOSSIERS.c.code == code, INBOX_DOSSIERS.c.version > 0, visible(agency))
        .order_by(INBOX_DOSSIERS.c.version.desc())
    )
    return [Filed(*row) for row in connection.execute(query)]


def newest_shown(connection: Connection, code: str) -> int:
    """The newest version of a filed dossier that was ever shown; 0 for none."""
    query = select(func.max(INBOX_DOSSIERS.c.version)).where(INBOX_DOSSIERS.c.code == code, INBOX_DOSSIERS.c.shown == 1)
    return connection.execute(query).scalar() or 0


def show(connection: Connection, positions: Sequence[int]) -> None:
    """Keep that these were shown."""
    connection.execute(
        update(INBOX_DOSSIERS)
        .where(INBOX_DOSSIERS.c.position.in_(positions), INBOX_DOSSIERS.c.shown == 0)
        .values(shown=1)
    )


def acknowledge(connection: Connection, filed: Filed, by: str, now: int, entry: int, *, adopted: bool) -> bool:
    """Keep who acknowledged a version, and when; False where somebody did before."""
    first = update(INBOX_DOSSIERS).where(
        INBOX_DOSSIERS.c.position == filed.position, INBOX_DOSSIERS.c.acknowledgement.is_(None)
    )
    kept = {"state": "acknowledged", "acknowledged_at": now, "acknowledged_by": by, "acknowledgement": entry}
    return bool(connection.execute(first.values(**kept, adopted=int(adopted))).rowcount)


def counts(connection: Connection) -> dict[str, int]:
    """How many filed dossiers there are in each state."""
    query = select(INBOX_DOSSIERS.c.state, func.count()).group_by(INBOX_DOSSIERS.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def unreadable(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Read which filed dossiers were kept aside, the newest first, and why."""
    names = ("event_id", "portal", "code", "received_at", "reason")
    query = (
        select(*(INBOX_DOSSIERS.c[name] for name in names))
        .where(INBOX_DOSSIERS.c.state == "unreadable")
        .order_by(INBOX_DOSSIERS.c.position.desc())
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def portals(connection: Connection) -> list[dict[str, Any]]:
    """Read how far each portal was read, and what came in between."""
    names = ("name", "read_at", "due_at", "failures", "trouble")
    query = select(*(INBOX_PORTALS.c[name] for name in names)).order_by(INBOX_PORTALS.c.name)
    return [dict(row) for row in connection.execute(query).mappings()]
