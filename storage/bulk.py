"""Statements of every commit at the driver's speed: SQLAlchemy renders each once, values go past its type layer.

The values, given and read, are what the driver takes and gives (int, str, bytes, None): no column type converts them.
On SQLite the driver is asked without SQLAlchemy in between, which would cost more than the statement itself.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Column, Connection, Dialect, Select, Table, Update, insert
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
    _put(connection, rows, lambda many: _insert(connection.dialect, table, names, many))


def upsert_rows(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows, or give those whose primary key stands already these values; otherwise as `insert_rows`."""
    if not rows:
        return
    tail = overwriting(table, names)
    _put(connection, rows, lambda many: _insert(connection.dialect, table, names, many) + tail)


def update_rows(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    keys: tuple[str, ...],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Give the columns `names` of rows found by `keys` new values; each of `rows` has those of both, in this order."""
    if not rows:
        return
    statement = _update(connection.dialect.name, table, names, keys)
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(statement, list(rows))
        return
    try:
        driver_of(connection).executemany(statement, rows)
    except sqlite3.Error as failure:
        raise _told(statement, failure) from failure


def rows_among(
    connection: Connection,
    columns: tuple[Column[Any], ...],
    among: Column[Any],
    values: Sequence[object],
    fixed: tuple[tuple[Column[Any], object], ...] = (),
) -> Sequence[Sequence[Any]]:
    """Read these columns of the rows where `among` has one of the values and each of `fixed` its value."""
    if not values:
        return ()
    where = tuple(column for column, _ in fixed)
    if connection.dialect.name != "sqlite":
        statement = _among(columns, among, where, "postgresql", 1)
        return connection.exec_driver_sql(statement, (*(value for _, value in fixed), list(values))).all()
    # Few different texts, as for the rows of an INSERT: the last value is asked for once more instead.
    padded = [*values, *[values[-1]] * (-len(values) % ROWS)]
    statement = _among(columns, among, where, "sqlite", len(padded))
    return fetch_plain(driver_of(connection), statement, [*(value for _, value in fixed), *padded])


def _put(connection: Connection, rows: Sequence[tuple[object, ...]], statement: Callable[[int], str]) -> None:
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(statement(1), list(rows))
        return
    for first in range(0, len(rows), ROWS):
        some = rows[first : first + ROWS]
        run_plain(driver_of(connection), statement(len(some)), [value for row in some for value in row])


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
        raise _told(statement, failure) from failure
    return first


def fetch_plain(driver: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Run a statement on SQLite and return all its rows; raises as `run_plain`."""
    try:
        return driver.execute(statement, values).fetchall()
    except sqlite3.Error as failure:
        raise _told(statement, failure) from failure


def _told(statement: str, failure: sqlite3.Error) -> DBAPIError:
    return cast("DBAPIError", DBAPIError.instance(statement, None, failure, sqlite3.Error, hide_parameters=True))


@cache
def _insert(dialect: Dialect, table: Table, names: tuple[str, ...], rows: int = 1) -> str:
    compiled = insert(table).compile(dialect=dialect, column_keys=list(names))
    # The driver counts placeholders in the order of the table, which must be that of the rows.
    if tuple(compiled.positiontup or ()) != names:
        raise ValueError(f"{table.name}: name the columns in the order of the table")
    return str(compiled) + f", ({', '.join('?' * len(names))})" * (rows - 1)


@cache
def _update(dialect: str, table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    mark = ["?" if dialect == "sqlite" else f"${place}" for place in range(1, len(names) + len(keys) + 1)]
    change = ", ".join(f'"{name}" = {mark[place]}' for place, name in enumerate(names))
    found = " AND ".join(f'"{name}" = {mark[place]}' for place, name in enumerate(keys, len(names)))
    return f'UPDATE "{table.name}" SET {change} WHERE {found}'  # noqa: S608 - names of ours


@cache
def overwriting(table: Table, names: tuple[str, ...]) -> str:
    """The end of an INSERT that gives rows whose primary key stands already the new values."""
    key = [column.name for column in table.primary_key]
    taken = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in key)
    return f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {taken}"


@cache
def _among(
    columns: tuple[Column[Any], ...], among: Column[Any], where: tuple[Column[Any], ...], dialect: str, many: int
) -> str:
    mark = ["?" if dialect == "sqlite" else f"${place}" for place in range(1, len(where) + 2)]
    fixed = "".join(f'"{column.name}" = {mark[place]} AND ' for place, column in enumerate(where))
    chosen = f"IN ({', '.join('?' * many)})" if dialect == "sqlite" else f"= ANY({mark[-1]})"
    listed = ", ".join(f'"{column.name}"' for column in columns)
    return f'SELECT {listed} FROM "{among.table.name}" WHERE {fixed}"{among.name}" {chosen}'  # noqa: S608 - names of ours


@cache
def _rendered(dialect: Dialect, statement: Select[Any] | Update, names: tuple[str, ...]) -> str:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    if tuple(compiled.positiontup or ()) != names:
        raise ValueError(f"{statement}: name the parameters in their order")
    return str(compiled)
