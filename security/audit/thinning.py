"""Thinning what witnesses said of this log: old days keep their first word of each witness (tinh giản lời nhân chứng).

Kept are all words of the last `RECENT_DAYS`; of each earlier day in Vietnam the first of each witness, with what the
others said of that same checkpoint, so that no set of cosignatures is torn apart; the newest of each witness; and for
good every word on a checkpoint that is not the log's own as it stands: that is what shows a fork, or that the log was
cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Connection, delete, exists, select

from schemas.periods import VIETNAM
from security.audit.tables import CHECKPOINTS
from security.audit.witnessed import WITNESSED
from storage.bulk import rows_among

RECENT_DAYS = 90
STEP = 500
"""Rows that one step looks at."""
_DAY_MS = 86_400_000
_VIETNAM_MS = round(VIETNAM.utcoffset(None).total_seconds() * 1000)


class Walk:
    """Goes through the kept words in the order of their checkpoints, a step at a time, and then from the beginning."""

    def __init__(self) -> None:
        self._after = -1
        # The day of the last word of each witness before that.
        self._days: dict[str, int] = {}

    def superfluous(self, connection: Connection, now: int) -> list[int]:
        """Take a step; return the sizes of checkpoints of which what was said can go. `now` is POSIX milliseconds."""
        columns = (WITNESSED.c.size, WITNESSED.c.witness, WITNESSED.c.at)
        query = select(*columns).where(WITNESSED.c.size > self._after).order_by(WITNESSED.c.size, WITNESSED.c.witness)
        rows = connection.execute(query.limit(STEP)).all()
        if len(rows) == STEP:
            # The last checkpoint may have more words than were read.
            rows = [row for row in rows if row.size < rows[-1].size]
        recent = now - RECENT_DAYS * _DAY_MS
        spare: dict[int, list[str]] = {}
        for size, words in groupby(rows, key=lambda row: row.size):
            said = [(row.witness, row.at) for row in words]
            days = {witness: (at + _VIETNAM_MS) // _DAY_MS for witness, at in said}
            first = any(self._days.get(witness) != day for witness, day in days.items())
            self._days |= days
            if not first and all(at < recent for _, at in said):
                spare[size] = list(days)
        if all(row.at >= recent for row in rows):
            self._after, self._days = -1, {}
        else:
            self._after = rows[-1].size
        agreed = _agreed(connection, list(spare))
        return [size for size in spare if size in agreed and not _is_newest(connection, size, spare[size])]


def drop(connection: Connection, sizes: Sequence[int], now: int) -> None:
    """Forget what was said of these checkpoints, but for what was said of them lately."""
    old = WITNESSED.c.at < now - RECENT_DAYS * _DAY_MS
    connection.execute(delete(WITNESSED).where(WITNESSED.c.size.in_(sizes), old))


def _agreed(connection: Connection, sizes: Sequence[int]) -> set[int]:
    """Those of the checkpoints that are the log's own in every note on them."""
    signed = rows_among(connection, (CHECKPOINTS.c.size, CHECKPOINTS.c.note), CHECKPOINTS.c.size, sizes)
    own = {size: _text(note) for size, note in signed}
    said = rows_among(connection, (WITNESSED.c.size, WITNESSED.c.note), WITNESSED.c.size, sizes)
    return own.keys() - {size for size, note in said if _text(note) != own.get(size)}


def _text(note: str) -> str:
    return note.partition("\n\n")[0]


def _is_newest(connection: Connection, size: int, witnesses: Sequence[str]) -> bool:
    """Whether one of these said nothing of any larger checkpoint."""
    later = (exists().where(WITNESSED.c.size > size, WITNESSED.c.witness == witness) for witness in witnesses)
    return not all(connection.execute(select(each)).scalar() for each in later)
