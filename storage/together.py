"""Rows of several tables written in one statement on PostgreSQL: the write lock is held for one journey, not for each.

On SQLite, where a statement is no journey, they are written one table after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from sqlalchemy import Column, Connection, Table

from storage.bulk import insert_rows, overwriting, upsert_rows

_Part = tuple[Table, tuple[str, ...], bool]
_TYPES: Final[dict[type, str]] = {int: "bigint", str: "text", bytes: "bytea"}


class Rows:
    """Gathers rows; `write` puts them all. Values and their order are as for `storage.bulk.insert_rows`.

    Each table may be named once between two calls of `write`: the parts of a statement do not see each other.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parts: dict[_Part, Sequence[tuple[object, ...]]] = {}

    def insert(self, table: Table, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
        """Have rows inserted."""
        self._add((table, names, False), rows)

    def upsert(self, table: Table, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
        """Have rows inserted, or those whose primary key stands already overwritten."""
        self._add((table, names, True), rows)

    def write(self) -> None:
        """Write what was gathered; raises IntegrityError as each statement by itself would."""
        parts, self._parts = self._parts, {}
        if not parts:
            return
        if self._connection.dialect.name == "sqlite":
            for (table, names, over), rows in parts.items():
                (upsert_rows if over else insert_rows)(self._connection, table, names, rows)
            return
        columns = tuple(list(column) for rows in parts.values() for column in zip(*rows, strict=True))
        self._connection.exec_driver_sql(_statement(tuple(parts)), columns)

    def _add(self, part: _Part, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        if any(table is part[0] for table, _, _ in self._parts):
            raise ValueError(f"{part[0].name}: rows of it wait already")
        self._parts[part] = rows


@cache
def _statement(parts: tuple[_Part, ...]) -> str:
    place, texts = 1, []
    for number, (table, names, over) in enumerate(parts):
        values = ", ".join(f"${place + at}::{_type(table.c[name])}[]" for at, name in enumerate(names))
        place += len(names)
        listed = ", ".join(f'"{name}"' for name in names)
        tail = overwriting(table, names) if over else ""
        texts.append(f'p{number} AS (INSERT INTO "{table.name}" ({listed}) SELECT * FROM unnest({values}){tail})')  # noqa: S608 - names of ours
    return f"WITH {', '.join(texts)} SELECT 1"


def _type(column: Column[object]) -> str:
    # Without its length: a cast to that would cut what is too long, an assignment refuses it.
    return _TYPES[column.type.python_type]
