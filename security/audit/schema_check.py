"""Verifying that the tables of the log are plain tables: nothing beside them changes, drops or hides rows on their way.

Rows that a trigger or a rule changed are found where entries name them; rows that never came, or that a policy shows to
some and not to others, would be found by nobody. The gateway makes none of these.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, bindparam, text

from security.audit.findings import Findings
from storage.metadata import METADATA

_SQLITE: Final = text(
    "SELECT tbl_name, type, name FROM sqlite_schema WHERE type IN ('trigger', 'view') AND tbl_name IN :names"
).bindparams(bindparam("names", expanding=True))
# `to_regclass` names the table that a statement without a schema means.
_POSTGRESQL: Final = text(
    """
    SELECT name, c.relkind NOT IN ('r', 'p'), c.relrowsecurity,
           EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
           EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
    FROM unnest(CAST(:names AS text[])) AS name JOIN pg_class c ON c.oid = to_regclass(name)
    """
)
_KINDS: Final = ("is no table", "has row security", "has a rule", "has a trigger")


def plain_tables(connection: Connection, findings: Findings) -> None:
    """Add what stands on a table of the log, or in its place, and is no table; it bears on all entries."""
    names = sorted(name for name in METADATA.tables if name.startswith("audit_"))
    beside = _on_sqlite if connection.dialect.name == "sqlite" else _on_postgresql
    for what in beside(connection, names):
        findings.add(0, max(findings.entries - 1, 0), f"{what}: what was written or read there may not be all")


def _on_sqlite(connection: Connection, names: list[str]) -> Iterator[str]:
    for table, kind, name in connection.execute(_SQLITE, {"names": names}):
        yield f"{table} is no table but a view" if kind == "view" else f"{table} has a trigger ({name})"


def _on_postgresql(connection: Connection, names: list[str]) -> Iterator[str]:
    for table, *has in connection.execute(_POSTGRESQL, {"names": names}):
        yield from (f"{table} {what}" for what, there in zip(_KINDS, has, strict=True) if there)
