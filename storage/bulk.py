"""Statements of every commit at the driver's speed: SQLAlchemy renders each once, values go past its type layer.

The values, given and read, are what the driver takes and gives (int, str, bytes, None): no column type converts them.
On SQLite the driver is asked without SQLAlchemy in between, which would cost more than the statement itself.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Select, Table, Update, insert
from sqlalchemy.exc import DBAPIError

# Rows of one INSERT on SQLite: one step of the driver (which gives up the interpreter lock at each) instead of one for
# each row, and few enough different texts for its cache of 128 prepared statements.
ROWS = 16


def insert_rows(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows whose values stand in the order of `names`."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(_insert(connection.dialect, table, names), list(rows))
        return
    for first in range(0, len(rows), ROWS):
        some = rows[first : first + ROWS]
        statement = _insert(connection.dialect, table, names, len(some))
        run_plain(driver_of(connection), statement, [value for row in some for value in row])


def run_rendered(
    connection: Connection,
    statement: Select[Any] | Update,
    names: tuple[str, ...] = (),
    values: tuple[object, ...] = (),
) -> tuple[Any, ...] | None:
    """Run a statement whose parameters, in the order of `names`, are all it takes; its other values are literals.

    Returns the first row, if there is one.
    """
    rendered = _rendered(connection.dialect, statement, names)
    if connection.dialect.name == "sqlite":
        return run_plain(driver_of(connection), rendered, values)
    result = connection.exec_driver_sql(rendered, values)
    return cast("tuple[Any, ...] | None", result.first()) if result.returns_rows else None


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The SQLite connection below a connection of SQLAlchemy."""
    driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
    return driver


def run_plain(driver: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
    """Run a statement on SQLite and return its first row; raises what SQLAlchemy would raise, without the values."""
    try:
        first: tuple[Any, ...] | None = driver.execute(statement, values).fetchone()
    except sqlite3.Error as failure:
        raise cast(
            "DBAPIError", DBAPIError.instance(statement, None, failure, sqlite3.Error, hide_parameters=True)
        ) from failure
    return first


@cache
def _insert(dialect: Dialect, table: Table, names: tuple[str, ...], rows: int = 1) -> str:
    compiled = insert(table).compile(dialect=dialect, column_keys=list(names))
    # The driver counts placeholders in the order of the table, which must be that of the rows.
    if tuple(compiled.positiontup or ()) != names:
        raise ValueError(f"{table.name}: name the columns in the order of the table")
    return str(compiled) + f", ({', '.join('?' * len(names))})" * (rows - 1)


@cache
def _rendered(dialect: Dialect, statement: Select[Any] | Update, names: tuple[str, ...]) -> str:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    if tuple(compiled.positiontup or ()) != names:
        raise ValueError(f"{statement}: name the parameters in their order")
    return str(compiled)
