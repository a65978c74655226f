"""Verifying that what a database keeps twice, in a table and in its indexes, is the same.

A statement reads one of the two, whichever is nearer: a byte that was changed in the file, past SQL, may stand where
verification does not read and a search does. SQLite has a check of its own for that. PostgreSQL has one in an extension
(`amcheck`), which is its administrator's to run.
"""

import re
import sqlite3
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, literal_column, select

from security.audit.tables import ENTRIES, OPENINGS, SUBJECTS, tables_of_log
from storage.errors import StorageUnavailable

# Those with the number of an entry in a column, and the order in which SQLite counts their rows.
_ROWID: Final[ColumnElement[Any]] = literal_column("rowid")
_COUNTED: Final[dict[Table, tuple[ColumnElement[Any], ...]]] = {
    ENTRIES: (_ROWID,),
    OPENINGS: (_ROWID,),
    SUBJECTS: (SUBJECTS.c.tag, SUBJECTS.c.idx),
}
_ROW: Final = re.compile(r"row (\d+) missing from index ")
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# Messages of one table that are told; the first of them says what is wrong.
_TOLD: Final = 10


def stored_twice(connection: Connection) -> list[tuple[int | None, str]]:
    """What SQLite's own check of the tables of the log finds, with the entry that the row is of, where it is known."""
    found: list[tuple[int | None, str]] = []
    if connection.dialect.name != "sqlite":
        return found
    present = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table in tables_of_log():
        if table.name not in present:
            continue
        checked = connection.exec_driver_sql(f"PRAGMA integrity_check({table.name})")
        for (said,) in checked.fetchmany(_TOLD):
            if said != "ok":
                what = f"{table.name} and its indexes differ: {said.splitlines()[-1]}"
                found.append((_entry_of(connection, table, said), what))
        checked.close()
    return found


def is_damage(failure: StorageUnavailable) -> bool:
    """Tell whether bytes of the database file were changed so that it cannot be read: no passing trouble."""
    cause = getattr(failure.__cause__, "orig", failure.__cause__)
    return isinstance(cause, sqlite3.DatabaseError) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def _entry_of(connection: Connection, table: Table, said: str) -> int | None:
    """The number of the entry whose row is counted in what SQLite said."""
    counted, order = _ROW.match(said), _COUNTED.get(table)
    if counted is None or order is None:
        return None
    query = select(table.c.idx).order_by(*order)
    index = connection.execute(query.limit(1).offset(int(counted[1]) - 1)).scalar()
    return index if type(index) is int else None
