"""Statements of every commit at the driver's speed: SQLAlchemy renders each once, values go past its type layer.

The values, given and read, are what the driver takes and gives (int, str, bytes, None): no column type converts them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Select, Table, Update, insert


def insert_rows(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows whose values stand in the order of `names`."""
    if rows:
        connection.exec_driver_sql(_insert(connection.dialect, table, names), list(rows))


def run_rendered(
    connection: Connection,
    statement: Select[Any] | Update,
    names: tuple[str, ...] = (),
    values: tuple[object, ...] = (),
) -> CursorResult[Any]:
    """Run a statement whose parameters, in the order of `names`, are all it takes; its other values are literals."""
    return connection.exec_driver_sql(_rendered(connection.dialect, statement, names), values)


@cache
def _insert(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    compiled = insert(table).compile(dialect=dialect, column_keys=list(names))
    # The driver counts placeholders in the order of the table, which must be that of the rows.
    if tuple(compiled.positiontup or ()) != names:
        raise ValueError(f"{table.name}: name the columns in the order of the table")
    return str(compiled)


@cache
def _rendered(dialect: Dialect, statement: Select[Any] | Update, names: tuple[str, ...]) -> str:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    if tuple(compiled.positiontup or ()) != names:
        raise ValueError(f"{statement}: name the parameters in their order")
    return str(compiled)
