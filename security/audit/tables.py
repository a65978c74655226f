"""The tables of the audit trail. Nothing in them is a personal value in plain text."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, and_

from storage.metadata import BIGINT, METADATA


def tables_of_log() -> list[Table]:
    """Every table of the audit trail that was declared, those of other modules too, in the order of their names."""
    return [table for name, table in sorted(METADATA.tables.items()) if name.startswith("audit_")]


# One row; locked by whoever appends.
HEAD = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BIGINT, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

# `body` is the truth; the columns behind it repeat parts of it for filters, and `verify` compares them with it.
ENTRIES = Table(
    "audit_entries",
    METADATA,
    Column("idx", BIGINT, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("id", String(36), nullable=False, unique=True),
    Column("at", String(36), nullable=False),
    Column("kind", String(36), nullable=False),
    Column("client", Text),
    Column("database", Text),
    Column("operation", Text),
    Column("purpose", Text),
    Column("dossier", Text),
    Column("outcome", Text),
    Column("request_id", Text),
    Index("ix_audit_entries_at", "at"),
    Index("ix_audit_entries_client", "client", "idx"),
)

CHECKPOINTS = Table(
    "audit_checkpoints",
    METADATA,
    Column("size", BIGINT, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
)

# Complete tiles of 256 hashes (C2SP tlog-tiles); level 0 holds leaf hashes, level n the roots of tiles of level n-1.
TILES = Table(
    "audit_tiles",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BIGINT, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# `sealed` is NULL after redaction, and `redacted_by` the id of the entry that records it.
OPENINGS = Table(
    "audit_openings",
    METADATA,
    Column("idx", BIGINT, primary_key=True, autoincrement=False),
    Column("period", String(16), nullable=False),
    Column("slot", BIGINT, nullable=False),
    Column("sealed", LargeBinary),
    Column("redacted_by", String(36)),
)

# Redactions that are recorded but not complete: none but for moments, and every worker asks for them when it starts.
UNFINISHED = and_(OPENINGS.c.redacted_by.is_not(None), OPENINGS.c.sealed.is_not(None))
Index("ix_audit_openings_redacting", OPENINGS.c.idx, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)

# Who was asked about or disclosed: keyed tags, one key per period, in the form that `subjects.placed` gives them.
SUBJECTS = Table(
    "audit_subjects",
    METADATA,
    Column("tag", LargeBinary, primary_key=True),
    Column("idx", BIGINT, primary_key=True, autoincrement=False),
    Index("ix_audit_subjects_idx", "idx"),
    sqlite_with_rowid=False,
)

# Which entries lie in files: [first, last) one behind the other from 0 on. Their rows keep everything but `body`, which
# is empty; `sha256` (hexadecimal) is of the file, `act` the number of the entry that records it.
ARCHIVED = Table(
    "audit_archived",
    METADATA,
    Column("first", BIGINT, primary_key=True, autoincrement=False),
    Column("last", BIGINT, nullable=False),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("act", BIGINT, nullable=False),
)
