"""Which dossiers a day concerns: those of which something was accepted or delivered on it, by the audit trail (ngày).

The trail says when everything was, and its entries stand in an order that a page can be continued from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from security.audit.entries import instant
from security.audit.tables import ENTRIES
from storage.bulk import rows_among
from sync.figures import begins
from sync.tables import DOSSIER_EVENTS, DOSSIERS

PAGE: Final = 2_000
"""Entries of the audit trail that are looked through in one go."""
_ABOUT_DOSSIERS: Final = ("intake", "delivery")


def agencies_of(connection: Connection, day: date) -> list[str]:
    """Name the agencies whose dossiers had an event on a day."""
    found: set[str] = set()
    after, last = span(connection, day)
    while after is not None and last is not None:
        codes, after = page(connection, day, after, last)
        rows = rows_among(connection, (DOSSIERS.c.agency,), DOSSIERS.c.code, codes)
        found |= {row[0] for row in rows if row[0] is not None}
    return sorted(found)


def span(connection: Connection, day: date) -> tuple[int | None, int | None]:
    """The entry before the first one of a day, and the last."""
    start, end = _instants(day)
    first, last = connection.execute(
        select(func.min(ENTRIES.c.idx), func.max(ENTRIES.c.idx)).where(ENTRIES.c.at >= start, ENTRIES.c.at < end)
    ).one()
    return None if first is None else first - 1, last


def page(connection: Connection, day: date, after: int, last: int) -> tuple[list[str], int | None]:
    """The dossiers of the next entries of a day, and the entry to go on behind, None where these were the last."""
    start, end = _instants(day)
    upto = min(after + PAGE, last)
    query = select(ENTRIES.c.dossier).where(
        ENTRIES.c.idx > after,
        ENTRIES.c.idx <= upto,
        ENTRIES.c.kind.in_(_ABOUT_DOSSIERS),
        ENTRIES.c.dossier.is_not(None),
        ENTRIES.c.at >= start,
        ENTRIES.c.at < end,
    )
    codes = list(dict.fromkeys(connection.execute(query.order_by(ENTRIES.c.idx)).scalars()))
    return codes, upto if upto < last else None


def _instants(day: date) -> tuple[str, str]:
    return _instant(begins(day)), _instant(begins(day + timedelta(days=1)))


def _instant(moment: int) -> str:
    return instant(datetime.fromtimestamp(moment / 1000, UTC))


def of_agency(connection: Connection, codes: Sequence[str], agency: str) -> list[str]:
    """Those whose owner is an agency, and those without one yet of which it handed in an event."""
    owners = {
        row[0]: row[1] for row in rows_among(connection, (DOSSIERS.c.code, DOSSIERS.c.agency), DOSSIERS.c.code, codes)
    }
    unowned = [code for code in codes if owners.get(code) is None]
    fixed = ((DOSSIER_EVENTS.c.agency, agency),)
    theirs = {row[0] for row in rows_among(connection, (DOSSIER_EVENTS.c.code,), DOSSIER_EVENTS.c.code, unowned, fixed)}
    return [code for code in codes if owners.get(code) == agency or code in theirs]
