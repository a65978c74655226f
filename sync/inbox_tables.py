"""The tables of dossiers that were filed at the national portal. No personal value stands in them in plain text.

What a dossier says is in `sealed`, as for `sync.tables`; times are POSIX milliseconds.
"""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, text

from storage.metadata import BIGINT, METADATA

# One row for each version as it came. `position` is the number of the audit entry of its arrival: order of arrival.
# `state`: new | acknowledged | superseded (a newer version came before it was acknowledged) | unreadable (kept aside).
INBOX_DOSSIERS = Table(
    "inbox_dossiers",
    METADATA,
    Column("position", BIGINT, primary_key=True, autoincrement=False),
    Column("event_id", String(36), nullable=False, unique=True),
    Column("portal", String(64), nullable=False),
    # NULL where an unreadable one does not say it.
    Column("code", String(64)),
    Column("version", Integer, nullable=False),
    # The agency that is to handle it, in the new form of its code.
    Column("agency", String(64)),
    Column("filed_at", BIGINT),
    Column("received_at", BIGINT, nullable=False),
    Column("state", String(12), nullable=False),
    # Why it cannot be read: names of members, no values.
    Column("reason", String(200)),
    # 1 once a page that was answered had it.
    Column("shown", Integer, nullable=False),
    Column("acknowledged_at", BIGINT),
    Column("acknowledged_by", String(64)),
    # The number of the audit entry of the acknowledgement.
    Column("acknowledgement", BIGINT),
    # Whether the gateway took it over as a dossier that the portal holds, at that acknowledgement.
    Column("adopted", Integer),
    # Keyed digest of what came: the same again is no new version.
    Column("body_tag", LargeBinary, nullable=False),
    Column("period", String(16), nullable=False),
    Column("slot", BIGINT, nullable=False),
    Column("sealed", LargeBinary),
    Index("ix_inbox_dossiers_code", "code", "version"),
    Index("ix_inbox_dossiers_tag", "body_tag"),
)
NEW = "state = 'new'"
Index(
    "ix_inbox_dossiers_new",
    INBOX_DOSSIERS.c.position,
    INBOX_DOSSIERS.c.agency,
    sqlite_where=text(NEW),
    postgresql_where=text(NEW),
)

# How far each portal has been read, and who reads it at present: one at a time over all processes and nodes.
INBOX_PORTALS = Table(
    "inbox_portals",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("cursor", String(512)),
    Column("due_at", BIGINT, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", BIGINT),
    Column("failures", Integer, nullable=False),
    Column("read_at", BIGINT),
    # The code of the error that the last reading ended with.
    Column("trouble", String(64)),
)
