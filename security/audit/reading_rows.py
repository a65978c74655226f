"""Rows as the driver gives them, for verification: no row objects, and texts even where altered bytes are no text."""

import gc
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Connection, Select, Table, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from storage.bulk import driver_of
from storage.metadata import BIGINT

# Of statements that are made once and run for page after page: one costs more to make than to run.
BEGIN, END = bindparam("begin", type_=BIGINT), bindparam("end", type_=BIGINT)


def rows_of(connection: Connection, query: Select[Any], **given: object) -> Sequence[tuple[Any, ...]]:
    """All rows of a query with these values for its parameters, values as they are stored; raises DBAPIError."""
    try:
        return _fetched(connection, query, given)
    except sqlite3.Error as failure:
        if "decode" not in str(failure):
            raise DBAPIError.instance(str(query), None, failure, sqlite3.Error, hide_parameters=True) from failure
    # SQLite keeps bytes that are no UTF-8 as text, which its driver refuses.
    driver = driver_of(connection)
    driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        return _fetched(connection, query, given)
    finally:
        driver.text_factory = str


def _fetched(connection: Connection, query: Select[Any], given: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
    result = connection.execute(query, given)
    try:
        return cast("Sequence[tuple[Any, ...]]", cast("Any", result).cursor.fetchall())
    finally:
        result.close()


@contextmanager
def uncollected() -> Iterator[None]:
    """Let nobody look for cycles meanwhile: in pages of rows there are none, and looking costs a third of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def as_bytes(value: object) -> bytes:
    """The value where it is of its column's type; nothing genuine is empty (SQLite keeps any type in any column)."""
    return value if type(value) is bytes else b""


def as_number(value: object) -> int:
    """The value where it is a number, else -1, which nothing genuine is."""
    return value if type(value) is int else -1


def as_json(body: bytes) -> Any:
    """Parse what a row holds; raises ValueError, also for what is nested deeper than can be read."""
    try:
        return json.loads(body)
    except RecursionError as failure:
        raise ValueError("nested too deep") from failure


def total(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
