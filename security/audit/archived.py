"""Which entries lie in files instead of the database (bản ghi đã lưu trữ): what every reader of the log has to know.

Archiving empties the bodies of the oldest entries. Numbers, leaf hashes, the columns for filters, openings and index
rows stay: proofs, searches, redactions and openings go on as before, only the entry itself is in the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from security.audit.reading_rows import as_number, rows_of
from security.audit.tables import ARCHIVED


class NoEntry(LookupError):
    """The log has no entry of this number, or no opening for it."""


class InArchive(NoEntry):
    """The entry lies in an archive; `file` is its name, `damaged` says that it is at hand and of no use."""

    def __init__(self, index: int, part: Part) -> None:
        super().__init__(f"entry {index} was archived: it is in {part.file}{', which is damaged' * part.damaged}")
        self.index = index
        self.file = part.file
        self.damaged = part.damaged


@dataclass(frozen=True, slots=True)
class Part:
    """Entries from `first` to before `last` lie in `file`, as the entry `act` records.

    Of an entry that was looked for there, `damaged` says that the file is at hand and that the entry is not in it.
    """

    first: int
    last: int
    file: str
    sha256: str
    act: int
    damaged: bool = False


def archived(connection: Connection) -> int:
    """How many entries from the first on lie in archives."""
    ((last,),) = rows_of(connection, select(func.max(ARCHIVED.c.last)))
    return max(as_number(last), 0)


def parts(connection: Connection) -> list[Part]:
    """Every archive in order."""
    return [Part(*row) for row in rows_of(connection, select(ARCHIVED).order_by(ARCHIVED.c.first))]
