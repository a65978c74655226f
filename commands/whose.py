"""Whether a database holds the log of these keys at all, before its entries are blamed.

Heavy to import: commands import it inside their functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from security.audit.checkpoint import CheckpointRejected, VerifierKey, taken_apart
from security.audit.reading_rows import as_number, rows_of
from security.audit.tables import CHECKPOINTS

_PAGE = 1000


def is_of_others(connection: Connection, keys: Iterable[VerifierKey]) -> bool:
    """Whether there are checkpoints and none of them names any of these keys, be its signature right or wrong."""
    known, last, others = {(key.name, key.key_id) for key in keys}, 0, False
    while True:
        columns = (CHECKPOINTS.c.size, CHECKPOINTS.c.note)
        page = select(*columns).where(CHECKPOINTS.c.size > last).order_by(CHECKPOINTS.c.size).limit(_PAGE)
        rows = rows_of(connection, page)
        for _, note in rows:
            try:
                _, _, lines = taken_apart(note if type(note) is str else "")
            except (CheckpointRejected, UnicodeEncodeError):
                continue
            if any((line.name, line.blob[:4]) in known for line in lines):
                return False
            others = True
        if len(rows) < _PAGE or (last := as_number(rows[-1][0])) < 0:
            return others
