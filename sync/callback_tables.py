"""The tables of call-backs: what receivers are to be told, and how each of them is. Codes and counts, nothing personal.

Times are POSIX milliseconds.
"""

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from storage.metadata import BIGINT, METADATA

# The outbox: one row for each receiver of an event, written in the commit of what it tells. `state`: waiting |
# delivered | expired (not taken within the days that are configured).
CALLBACKS = Table(
    "callbacks",
    METADATA,
    # The webhook-id: the same however often it is sent.
    Column("id", String(40), primary_key=True),
    Column("client_id", String(64), nullable=False),
    Column("type", String(40), nullable=False),
    # The member `data` of what is sent, canonical JSON.
    Column("data", Text, nullable=False),
    Column("created_at", BIGINT, nullable=False),
    Column("state", String(12), nullable=False),
    Column("due_at", BIGINT, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Of the last attempt: when, the HTTP status if there was an answer, else a word for what went wrong.
    Column("tried_at", BIGINT),
    Column("outcome", String(40)),
    sqlite_with_rowid=False,
)
WAITING = "state = 'waiting'"
Index(
    "ix_callbacks_waiting",
    CALLBACKS.c.client_id,
    CALLBACKS.c.due_at,
    sqlite_where=text(WAITING),
    postgresql_where=text(WAITING),
)
Index(
    "ix_callbacks_over",
    CALLBACKS.c.tried_at,
    sqlite_where=text("state <> 'waiting'"),
    postgresql_where=text("state <> 'waiting'"),
)

# Who is called back, as the configuration said it when a process last started: `events` with a space between them.
CALLBACK_RECEIVERS = Table(
    "callback_receivers",
    METADATA,
    Column("client_id", String(64), primary_key=True),
    Column("active", Integer, nullable=False),
    Column("events", Text, nullable=False),
    # It said that it is gone, or an operator did; nothing is sent until somebody enables it.
    Column("disabled_at", BIGINT),
    Column("disabled_why", String(40)),
    Column("failures", Integer, nullable=False),
    Column("due_at", BIGINT, nullable=False),
    Column("delivered_at", BIGINT),
    # Which process calls it at present, and until when that is believed.
    Column("lease_owner", String(64)),
    Column("lease_until", BIGINT),
)
