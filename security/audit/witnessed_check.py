"""Verifying time-stamps that are kept (dấu thời gian): each is over the note that it stands beside, and signed.

Whether the authority is one to be believed is for who has its roots (`lgsp audit verify --against`). Times are not
compared: clocks are set, ours and theirs. The notes themselves are verified with the tree (`security.audit.signed`).
"""

from typing import Any, Final

from sqlalchemy import Connection, select

from security.audit.checkpoint import CheckpointRejected, taken_apart
from security.audit.findings import Findings
from security.audit.reading_rows import as_number, rows_of
from security.audit.witnessed import WITNESSED

# Rows of one page, each of a few kilobytes.
_PAGE: Final = 256
_STAMPED: Final = (
    select(WITNESSED.c.size, WITNESSED.c.witness, WITNESSED.c.note, WITNESSED.c.token)
    .where(WITNESSED.c.token.is_not(None))
    .order_by(WITNESSED.c.size, WITNESSED.c.witness)
)


def stamps_hold(connection: Connection, findings: Findings) -> None:
    """Add each time-stamp that is not over its note, or not signed; a note that is none was found before."""
    last: Any = 0
    while rows := rows_of(connection, _STAMPED.where(WITNESSED.c.size > last).limit(_PAGE)):
        if len(rows) == _PAGE and rows[0][0] != rows[-1][0]:
            # Of the last checkpoint there may be more.
            rows = [row for row in rows if row[0] != rows[-1][0]]
        for size, witness, note, token in rows:
            if (why := _wrong(note, token)) is not None:
                at = min(max(as_number(size) - 1, 0), findings.entries)
                findings.add(at, at, f"the time-stamp of {witness} over {size} entries does not hold: {why}")
        last = rows[-1][0]


def _wrong(note: Any, token: Any) -> str | None:
    # Heavy to import: only deployments that ask an authority have any.
    from security.audit.timestamps import StampRejected, hold

    try:
        text = taken_apart(note if type(note) is str else "")[0].text
        hold(token if type(token) is bytes else b"", text)
    except CheckpointRejected:
        return None
    except StampRejected as failure:
        return str(failure)
    return None
