"""Inserting many rows at the driver's speed: SQLAlchemy renders the statement once, the rows go past its type layer."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Connection, Dialect, Table, insert


def insert_rows(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows whose values stand in the order of `names`.

    The values must be what the driver takes (int, str, bytes, None): no column type converts them on the way.
    """
    if rows:
        connection.exec_driver_sql(_statement(connection.dialect, table, names), list(rows))


@cache
def _statement(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    compiled = insert(table).compile(dialect=dialect, column_keys=list(names))
    # The driver counts placeholders in the order of the table, which must be that of the rows.
    if tuple(compiled.positiontup or ()) != names:
        raise ValueError(f"{table.name}: name the columns in the order of the table")
    return str(compiled)
