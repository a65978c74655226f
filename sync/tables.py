"""The tables of dossiers and of what is to be delivered about them. No personal value stands in them in plain text.

Codes, numbers, times and states are columns; whatever else a dossier or an event holds is in `sealed`: AES-256-GCM
under a key of the vault (`period`, `slot`) that can be destroyed, bound to `event_id`. Times are POSIX milliseconds.
`position` is the number of the audit entry of the acceptance: order of acceptance over all processes and nodes.
"""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, text

from storage.metadata import BIGINT, METADATA

# A row exists from the first event on, registered or not. `next_due` is when its queue has to be looked at: its head
# may be sent, a lease or what is waited for runs out; NULL while there is nothing to do.
DOSSIERS = Table(
    "dossiers",
    METADATA,
    Column("code", String(64), primary_key=True),
    # unknown (nobody registered it yet) | registered | adopted (the portal held it already).
    Column("standing", String(12), nullable=False),
    # Who registered it, and that client's agency: the owner.
    Column("client_id", String(64)),
    Column("agency", String(64)),
    Column("procedure", String(64)),
    Column("version", Integer, nullable=False),
    Column("created_at", BIGINT, nullable=False),
    Column("changed_at", BIGINT, nullable=False),
    # National status once everything that was released is sent; then that of the last delivered event.
    Column("status", String(2)),
    Column("delivered_status", String(2)),
    Column("delivered_position", BIGINT),
    Column("destination", String(64), nullable=False),
    Column("next_due", BIGINT),
    # Who delivers an event of it at present, and until when that is believed: one in flight for each dossier.
    Column("lease_owner", String(64)),
    Column("lease_until", BIGINT),
    sqlite_with_rowid=False,
)
Index(
    "ix_dossiers_due",
    DOSSIERS.c.destination,
    DOSSIERS.c.next_due,
    sqlite_where=DOSSIERS.c.next_due.is_not(None),
    postgresql_where=DOSSIERS.c.next_due.is_not(None),
)

Index(
    "ix_dossiers_leased",
    DOSSIERS.c.lease_owner,
    sqlite_where=DOSSIERS.c.lease_owner.is_not(None),
    postgresql_where=DOSSIERS.c.lease_owner.is_not(None),
)

# What `schemas.dossiers.ordering.Track` says of one dossier from one source; `held` is how many events it holds back.
DOSSIER_TRACKS = Table(
    "dossier_tracks",
    METADATA,
    Column("code", String(64), primary_key=True),
    Column("client_id", String(64), primary_key=True),
    Column("through", BIGINT, nullable=False),
    Column("highest", BIGINT, nullable=False),
    Column("furthest_sequence", BIGINT, nullable=False),
    Column("furthest_behind", Integer, nullable=False),
    Column("furthest_accepted", BIGINT, nullable=False),
    Column("held", Integer, nullable=False),
    sqlite_with_rowid=False,
)

DOSSIER_VERSIONS = Table(
    "dossier_versions",
    METADATA,
    Column("code", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", BIGINT, nullable=False, unique=True),
    Column("event_id", String(36), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("accepted_at", BIGINT, nullable=False),
    # 0: `"deliver": false`, nothing is sent for this version.
    Column("deliver", Integer, nullable=False),
    # Keyed digest of the body: the same body again is no new version.
    Column("body_tag", LargeBinary, nullable=False),
    Column("period", String(16), nullable=False),
    Column("slot", BIGINT, nullable=False),
    Column("sealed", LargeBinary),
    sqlite_with_rowid=False,
)

# The outbox: an event and its delivery are one row. `state`: waiting (`reason`: unregistered, gap, behind-gap) |
# queued | sending | delivered | late | quarantined | dead | discarded.
DOSSIER_EVENTS = Table(
    "dossier_events",
    METADATA,
    Column("position", BIGINT, primary_key=True, autoincrement=False),
    Column("event_id", String(36), nullable=False, unique=True),
    Column("code", String(64), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("agency", String(64), nullable=False),
    Column("kind", String(12), nullable=False),  # registration | status
    # Of a registration: which version of the dossier is sent.
    Column("version", Integer),
    Column("sequence", BIGINT),
    # Its `schemas.dossiers.ordering.Place`, whose third member is the position where `behind` is 1, else 0.
    Column("ordinal", BIGINT, nullable=False),
    Column("behind", Integer, nullable=False),
    # 1: part of `Track.held`, either waiting or in quarantine and filling its place.
    Column("held", Integer, nullable=False),
    Column("at", BIGINT, nullable=False),
    Column("accepted_at", BIGINT, nullable=False),
    Column("vocabulary", String(40)),
    # As the source said it, where the vocabulary has it or it has the shape of a code; anything else only in `sealed`.
    Column("source_status", String(100)),
    Column("national", String(2)),
    Column("state", String(12), nullable=False),
    Column("reason", String(48)),
    # Words with a space between them, for example `gap` or `returned-while-unresolved`.
    Column("flags", String(160), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    # When it may be sent (at once, after a back-off); NULL while it waits for something else and at its end.
    Column("due_at", BIGINT),
    Column("delivered_at", BIGINT),
    # Keyed digest of the body: the same sequence with another body is another event.
    Column("body_tag", LargeBinary, nullable=False),
    Column("period", String(16), nullable=False),
    Column("slot", BIGINT, nullable=False),
    Column("sealed", LargeBinary),
    # The queue of a dossier, its timeline, and whether a sequence was there before.
    Index("ix_dossier_events_code", "code", "ordinal", "behind", "position"),
    Index("ix_dossier_events_listed", "agency", "state", "position"),
)
# The next of each source for a dossier, however many are behind it and were before it. A query that is to use it says
# the condition in the same words.
OPEN = "state IN ('sending', 'queued', 'dead')"
Index(
    "ix_dossier_events_open",
    DOSSIER_EVENTS.c.code,
    DOSSIER_EVENTS.c.client_id,
    DOSSIER_EVENTS.c.ordinal,
    DOSSIER_EVENTS.c.behind,
    DOSSIER_EVENTS.c.position,
    sqlite_where=text(OPEN),
    postgresql_where=text(OPEN),
)

# Every try to deliver an event: `number` from 1, `outcome` ok | refused | failed | unknown, `code` that of the error,
# `entry` the number of the audit entry that holds the outcome.
DELIVERY_ATTEMPTS = Table(
    "delivery_attempts",
    METADATA,
    Column("position", BIGINT, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("started_at", BIGINT, nullable=False),
    Column("duration_ms", Integer),
    Column("outcome", String(12), nullable=False),
    Column("code", String(64)),
    Column("reason", String(64)),
    Column("entry", BIGINT),
    sqlite_with_rowid=False,
)

# What was answered to an `Idempotency-Key`; key and body only as keyed digests, that of the key with its client in it.
# The receipt is that of `position`.
IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("key_tag", LargeBinary, primary_key=True),
    Column("client_id", String(64), nullable=False),
    Column("body_tag", LargeBinary, nullable=False),
    Column("position", BIGINT, nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("status", Integer, nullable=False),
    Column("result", String(12), nullable=False),
    Column("reason", String(48)),
    Column("created_at", BIGINT, nullable=False),
    Column("expires_at", BIGINT, nullable=False),
    Index("ix_idempotency_expires", "expires_at"),
    sqlite_with_rowid=False,
)

# What is known of a destination beside its breaker: held by the operator, and since when nothing gets through.
DESTINATIONS = Table(
    "destinations",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("paused_at", BIGINT),
    Column("paused_by", String(64)),
    Column("pause_reason", String(256)),
    Column("down_since", BIGINT),
    Column("failures", Integer, nullable=False),
    # Before this time nothing is sent (back-off, Retry-After).
    Column("due_at", BIGINT),
)
