"""The tables of reconciliations with the portal (đối soát): codes, ids, states and times, nothing about persons."""

from sqlalchemy import Column, Index, Integer, String, Table, text

from storage.metadata import BIGINT, METADATA

# `position` is the number of the audit entry of its start: the order of the list. Times are POSIX milliseconds.
RECONCILIATIONS = Table(
    "reconciliations",
    METADATA,
    Column("position", BIGINT, primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False, unique=True),
    Column("agency", String(64), nullable=False),
    # A day in Vietnam, YYYY-MM-DD.
    Column("day", String(10), nullable=False),
    Column("repair", Integer, nullable=False),
    # Who asked for it: a client with its credential, or an operator.
    Column("client_id", String(64)),
    Column("credential", String(80)),
    Column("asked_by", String(200)),
    Column("state", String(12), nullable=False),  # running | done | incomplete
    Column("started_at", BIGINT, nullable=False),
    Column("ended_at", BIGINT),
    # The last audit entry of the day whose dossier was taken up; `collected` 1: there are no more.
    Column("collected_to", BIGINT),
    Column("collected", Integer, nullable=False),
    Column("dossiers", Integer, nullable=False),
    Column("checked", Integer, nullable=False),
    Column("findings", Integer, nullable=False),
    # When to go on, and how often in a row the portal could not be asked.
    Column("due_at", BIGINT, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", BIGINT),
    Index("ix_reconciliations_agency", "agency", "position"),
)
RUNNING = "state = 'running'"
Index(
    "ix_reconciliations_running",
    RECONCILIATIONS.c.due_at,
    sqlite_where=text(RUNNING),
    postgresql_where=text(RUNNING),
)

# What is still to be compared, deleted as it is done.
RECONCILIATION_DOSSIERS = Table(
    "reconciliation_dossiers",
    METADATA,
    Column("reconciliation", BIGINT, primary_key=True, autoincrement=False),
    Column("code", String(64), primary_key=True),
    Column("due_at", BIGINT, nullable=False),
    Index("ix_reconciliation_dossiers_due", "reconciliation", "due_at", "code"),
    sqlite_with_rowid=False,
)

RECONCILIATION_FINDINGS = Table(
    "reconciliation_findings",
    METADATA,
    Column("reconciliation", BIGINT, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("found_at", BIGINT, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("code", String(64), nullable=False),
    Column("event_id", String(40)),
    Column("expected", String(64)),
    Column("found", String(64)),
    Column("repair", String(16)),  # queued | not-repairable
    sqlite_with_rowid=False,
)
