"""Moving the contents of one database into another, table by table, in one transaction on each side."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, insert, inspect, select, text, tuple_

from storage.engine import Run
from storage.errors import CopyDiffers, NotEmpty, SchemaUnknown
from storage.metadata import METADATA, STATE

CHUNK = 500

# Says what a database proves about itself, for example the root of the log; equal on both sides after a copy.
Root = Callable[[Connection], bytes]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was moved: rows per table, and the root that both sides have."""

    rows: dict[str, int]
    root: bytes


async def transfer(source: Run, target: Run, root: Root) -> Copied:
    """Copy every table. Raises `NotEmpty`, `SchemaUnknown` (a table nobody declared) or `CopyDiffers`.

    Both transactions stay open: the caller commits the target only if this returns.
    """
    tables = await source(_tables)
    for table in tables:
        if await target(lambda connection, table=table: _count(connection, table)):  # type: ignore[misc]
            raise NotEmpty(f"the target has rows in {table.name}: copy into an empty database")
    rows: dict[str, int] = {}
    for table in tables:
        rows[table.name] = await _move(source, target, table)
        counted = await target(lambda connection, table=table: _count(connection, table))  # type: ignore[misc]
        expected = await source(lambda connection, table=table: _count(connection, table))  # type: ignore[misc]
        if not rows[table.name] == counted == expected:
            raise CopyDiffers(f"{table.name}: {expected} rows in the source, {counted} in the target")
    before, after = await source(root), await target(root)
    if before != after:
        raise CopyDiffers("the root of the log differs between source and target")
    return Copied(rows, after)


def _tables(connection: Connection) -> list[Table]:
    present = set(inspect(connection).get_table_names())
    unknown = present - set(METADATA.tables)
    if unknown:
        raise SchemaUnknown(f"this release does not know the tables {', '.join(sorted(unknown))}")
    return [table for table in METADATA.sorted_tables if table is not STATE]


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


async def _move(source: Run, target: Run, table: Table) -> int:
    """Copy one table in the order of its primary key, a chunk at a time: memory stays bounded."""
    key = list(table.primary_key.columns)
    moved, last = 0, None
    while True:

        def take(connection: Connection, last: tuple[object, ...] | None = last) -> list[dict[str, object]]:
            query = select(table).order_by(*key).limit(CHUNK)
            if last is not None:
                query = query.where(tuple_(*key) > tuple_(*last))
            return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - the public name of it

        rows = await source(take)
        if not rows:
            break

        def put(connection: Connection, rows: list[dict[str, object]] = rows) -> None:
            connection.execute(insert(table), rows)

        await target(put)
        moved += len(rows)
        last = tuple(rows[-1][column.name] for column in key)
    await target(lambda connection: _continue_sequences(connection, table))
    return moved


def _continue_sequences(connection: Connection, table: Table) -> None:
    """Copied rows bring their numbers along; PostgreSQL's sequence has to go on behind them."""
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
    ).scalar()
    if sequence is not None:
        highest = connection.execute(select(func.max(column))).scalar()
        if highest is not None:
            connection.execute(
                text("SELECT setval(CAST(:name AS regclass), :value)"), {"name": sequence, "value": highest}
            )
