"""Verifying that the tables of the log are as the gateway makes them: nothing changes, drops or hides rows.

Rows that a trigger or a rule changed are found where entries name them; rows that never came, or that a policy shows to
some and not to others, would be found by nobody. Types and keys are what the statements of verification rest on.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, inspect, text
from sqlalchemy.types import NullType, TypeEngine

from security.audit.tables import tables_of_log

# SQLite keeps names as they were typed, and takes them in any case. The gateway makes no trigger on any table.
_SQLITE: Final = text(
    "SELECT lower(tbl_name), type, name, upper(sql) FROM sqlite_schema"
    " WHERE type = 'trigger' OR type IN ('table', 'view') AND lower(tbl_name) IN :names"
).bindparams(bindparam("names", expanding=True))
# What a declaration of ours has none of.
_FOREIGN: Final = re.compile(r"\b(?:CHECK|COLLATE|CONFLICT|GENERATED|REFERENCES)\b")
# `to_regclass` names the table that a statement without a schema means.
_POSTGRESQL: Final = text(
    """
    SELECT name, c.relkind NOT IN ('r', 'p'), c.relrowsecurity, c.relpersistence <> 'p',
           EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
           EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
           EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid)),
           EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = c.oid AND n.contype IN ('c', 'f', 'x'))
    FROM unnest(CAST(:names AS text[])) AS name JOIN pg_class c ON c.oid = to_regclass(name)
    """
)
_KINDS: Final = (
    "is none",
    "has row security",
    "is lost in a crash (unlogged)",
    "has a rule",
    "has a trigger",
    "inherits or is inherited from",
    "has further constraints",
)


def as_made(connection: Connection) -> list[str]:
    """What of the tables of the log is not as the gateway makes it, a sentence for each table; empty where all is."""
    tables = tables_of_log()
    beside = _on_sqlite if connection.dialect.name == "sqlite" else _on_postgresql
    found: dict[str, list[str]] = {}
    for table, what in (*beside(connection, [table.name for table in tables]), *_declared(connection, tables)):
        found.setdefault(table, []).append(what)
    return [f"{table} is not as the gateway makes it: it {', '.join(what)}" for table, what in found.items()]


def _on_sqlite(connection: Connection, names: list[str]) -> Iterator[tuple[str, str]]:
    for table, kind, name, declared in connection.execute(_SQLITE, {"names": names}):
        if kind == "view":
            yield table, "is a view"
        elif kind == "trigger":
            yield table, f"has a trigger ({name})"
        else:
            yield from ((table, f"was declared with {word}") for word in sorted({*_FOREIGN.findall(declared)}))


def _on_postgresql(connection: Connection, names: list[str]) -> Iterator[tuple[str, str]]:
    for table, *has in connection.execute(_POSTGRESQL, {"names": names}):
        yield from ((table, what) for what, there in zip(_KINDS, has, strict=True) if there)


def _declared(connection: Connection, tables: list[Table]) -> Iterator[tuple[str, str]]:
    inspected = inspect(connection)
    present = {*inspected.get_table_names()}
    for table in tables:
        # A view was told of; that a table is gone is for whoever reads it.
        if table.name not in present:
            continue
        there = {column["name"]: column for column in inspected.get_columns(table.name)}
        for column in table.columns:
            found = there.get(column.name)
            kind = (
                "missing" if found is None else "computed" if "computed" in found else _kind(connection, found["type"])
            )
            if kind != (wanted := _kind(connection, column.type)):
                yield table.name, f"has {column.name} {kind}, not {wanted}"
        key = inspected.get_pk_constraint(table.name)["constrained_columns"]
        if key != [column.name for column in table.primary_key.columns]:
            yield table.name, f"has the primary key ({', '.join(key)})"


def _kind(connection: Connection, kind: TypeEngine[Any]) -> str:
    return "of no type" if isinstance(kind, NullType) else kind.compile(connection.dialect)
