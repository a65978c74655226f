"""Where the index of subjects keeps its rows: the tags of `SPAN` entries side by side, not all over the table.

A tag is a keyed hash, so a table in the order of bare tags would have one page rewritten for each tag, the more of them
the larger it is. Behind the number of its entry's span (4 bytes) a tag is written near those of its neighbours; who
looks for a subject asks every span once. Rows with a bare tag are of an older release.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from security.audit.sealing import TAG_SIZE
from security.audit.tables import HEAD, SUBJECTS

SPAN = 512
_ASKED_AT_ONCE = 500


def placed(tag: bytes, index: int) -> bytes:
    """What stands in the index for a tag of entry `index`."""
    return (index // SPAN).to_bytes(4, "big") + tag


def taken_back(row: bytes, index: int) -> bytes:
    """The tag of a row of entry `index`; the row itself where it is not what `placed` makes."""
    tag = row[-TAG_SIZE:]
    return tag if row in (tag, placed(tag, index)) else row


def indexes(connection: Connection, tags: Sequence[bytes], *, after: int, limit: int) -> list[int]:
    """The first `limit` entries behind `after` that have one of these tags, in order."""
    found: set[int] = set()

    def ask(wanted: Sequence[bytes]) -> None:
        rows = select(SUBJECTS.c.idx).where(SUBJECTS.c.tag.in_(wanted), SUBJECTS.c.idx > after)
        found.update(connection.execute(rows).scalars())

    ask(tags)
    spans = -(-(connection.execute(select(HEAD.c.size)).scalar() or 0) // SPAN)
    step = max(_ASKED_AT_ONCE // max(len(tags), 1), 1)
    for first in range((after + 1) // SPAN, spans, step):
        begin, end = first * SPAN, min(first + step, spans) * SPAN
        ask([placed(tag, index) for index in range(begin, end, SPAN) for tag in tags])
        if sum(index < end for index in found) >= limit:
            break
    return sorted(found)[:limit]
