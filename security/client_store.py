"""The tables of registered applications: reading and writing whole clients.

`version` numbers changes over all clients, so that every process can ask for what changed since it last looked.
Instants are text in UTC, the same on SQLite and PostgreSQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    String,
    Table,
    Text,
    delete,
    false,
    func,
    insert,
    select,
)

from schemas.exchange import Grant
from security.clients import Client, StoredCredential
from storage.metadata import BIGINT, METADATA

CLIENTS = Table(
    "clients",
    METADATA,
    Column("client_id", String(64), primary_key=True),
    Column("version", BIGINT, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("rights", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
)

# `material` is what a proof is compared with, never the proof itself: a salted digest, a public key, a certificate.
CREDENTIALS = Table(
    "client_credentials",
    METADATA,
    Column("client_id", String(64), primary_key=True),
    Column("credential_id", String(96), primary_key=True, index=True),
    Column("kind", String(32), nullable=False),
    Column("material", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("not_after", String(32)),
    Column("revoked_at", String(32)),
)

GRANTS = Table(
    "client_grants",
    METADATA,
    Column("client_id", String(64), primary_key=True),
    Column("database", String(64), primary_key=True),
    Column("operation", String(64), primary_key=True),
    Column("purposes", String(512), primary_key=True),
    Column("fields", Text, nullable=False),
    Column("dossier_required", Boolean, nullable=False),
    Column("officer_required", Boolean, nullable=False),
    Column("signature_required", Boolean, nullable=False),
    Column("rate", Float, nullable=False),
    Column("burst", Integer, nullable=False),
    Column("deadline_ms", Integer, nullable=False),
    Column("expires_at", String(32)),
    Column("archive", Boolean, nullable=False),
    Column("provable", Boolean, nullable=False, server_default=false()),
)

# Tokens ended one by one before their time; whole credentials and clients end by their own `revoked_at`.
REVOKED_TOKENS = Table(
    "revoked_tokens",
    METADATA,
    Column("number", BIGINT, primary_key=True, autoincrement=False),
    Column("token_id", String(36), nullable=False, unique=True),
    Column("expires_at", BIGINT, nullable=False),
)


def load(connection: Connection, client_id: str) -> Client | None:
    """Read one client from the database."""
    return next(iter(_loaded(connection, CLIENTS.c.client_id == client_id, 1)), None)


def load_all(connection: Connection) -> list[Client]:
    """Read every client, by id; for commands, not for exchanges."""
    return sorted(changed_since(connection, 0, 1 << 31), key=lambda client: client.client_id)


def changed_since(connection: Connection, version: int, limit: int) -> list[Client]:
    """Read up to `limit` clients that changed after a version, in the order of their changes."""
    return _loaded(connection, CLIENTS.c.version > version, limit)


def _loaded(connection: Connection, condition: Any, limit: int) -> list[Client]:
    chosen = select(CLIENTS).where(condition).order_by(CLIENTS.c.version).limit(limit)
    rows = connection.execute(chosen).all()
    if not rows:
        # What every process finds every second, nearly always.
        return []
    ids = chosen.with_only_columns(CLIENTS.c.client_id).subquery()
    credentials: dict[str, list[StoredCredential]] = {}
    for row in connection.execute(
        select(CREDENTIALS)
        .where(CREDENTIALS.c.client_id.in_(select(ids)))
        .order_by(CREDENTIALS.c.created_at, CREDENTIALS.c.credential_id)
    ):
        credentials.setdefault(row.client_id, []).append(
            StoredCredential(
                row.kind,
                row.credential_id,
                json.loads(row.material),
                datetime.fromisoformat(row.created_at),
                _time(row.not_after),
                _time(row.revoked_at),
            )
        )
    grants: dict[str, list[Grant]] = {}
    for row in connection.execute(
        select(GRANTS)
        .where(GRANTS.c.client_id.in_(select(ids)))
        .order_by(GRANTS.c.database, GRANTS.c.operation, GRANTS.c.purposes)
    ):
        grants.setdefault(row.client_id, []).append(
            Grant(
                row.database,
                row.operation,
                _words(row.purposes),
                _words(row.fields),
                row.dossier_required,
                row.officer_required,
                row.signature_required,
                row.rate,
                row.burst,
                row.deadline_ms,
                _time(row.expires_at),
                row.archive,
                row.provable,
            )
        )
    return [
        Client(
            client_id=row.client_id,
            version=row.version,
            name=row.name,
            agency=row.agency,
            rights=_words(row.rights),
            created_at=datetime.fromisoformat(row.created_at),
            revoked_at=_time(row.revoked_at),
            credentials=tuple(credentials.get(row.client_id, ())),
            grants=tuple(grants.get(row.client_id, ())),
        )
        for row in rows
    ]


def last_ends(connection: Connection, kinds: Sequence[str], before: datetime) -> list[tuple[str, str, datetime]]:
    """Read client, kind and end where all credentials of that kind that a client has left end before a time."""
    end = func.max(CREDENTIALS.c.not_after)
    found = connection.execute(
        select(CREDENTIALS.c.client_id, CREDENTIALS.c.kind, end)
        .join(CLIENTS, CLIENTS.c.client_id == CREDENTIALS.c.client_id)
        .where(CLIENTS.c.revoked_at.is_(None), CREDENTIALS.c.revoked_at.is_(None), CREDENTIALS.c.kind.in_(kinds))
        .group_by(CREDENTIALS.c.client_id, CREDENTIALS.c.kind)
        .having(func.count(CREDENTIALS.c.not_after) == func.count(), end < _text(before))
        .order_by(CREDENTIALS.c.client_id, CREDENTIALS.c.kind)
    )
    return [(client, kind, datetime.fromisoformat(ends)) for client, kind, ends in found]


# Thousands of grants name the same few sets: one object for all of them.
@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Stale(Exception):
    """The client was changed by somebody else between reading and writing; nothing was written, do it again."""


class Taken(Exception):
    """A certificate or an X-Road identifier that another client is known by; nothing was written."""


def store(connection: Connection, client: Client) -> None:
    """Write a client as it should be from now on, under the next version; `client.version` is the one it was read at.

    Raises Stale when the database has another version of it (0: none), Taken when another client has a certificate of
    it or its X-Road identifier.
    """
    found = connection.execute(select(CLIENTS.c.version).where(CLIENTS.c.client_id == client.client_id)).scalar()
    if (found or 0) != client.version:
        raise Stale(f"client {client.client_id} was changed meanwhile: run the command again")
    _check_exclusive(connection, client)
    # Writers are serialised by the storage, so this cannot collide.
    version = (connection.execute(select(func.max(CLIENTS.c.version))).scalar() or 0) + 1
    for table in (CLIENTS, CREDENTIALS, GRANTS):
        connection.execute(delete(table).where(table.c.client_id == client.client_id))
    connection.execute(
        insert(CLIENTS).values(
            client_id=client.client_id,
            version=version,
            name=client.name,
            agency=client.agency,
            rights=" ".join(sorted(client.rights)),
            created_at=_text(client.created_at),
            revoked_at=_text(client.revoked_at),
        )
    )
    _insert(connection, CREDENTIALS, _credential_rows(client.client_id, client.credentials))
    _insert(connection, GRANTS, _grant_rows(client.client_id, client.grants))


def _check_exclusive(connection: Connection, client: Client) -> None:
    held = [item.id for item in client.credentials if item.exclusive and item.revoked_at is None]
    if not held or client.revoked_at is not None:
        return
    found = connection.execute(
        select(CREDENTIALS.c.client_id, CREDENTIALS.c.kind)
        .join(CLIENTS, CLIENTS.c.client_id == CREDENTIALS.c.client_id)
        .where(
            CREDENTIALS.c.credential_id.in_(held),
            CREDENTIALS.c.client_id != client.client_id,
            CREDENTIALS.c.revoked_at.is_(None),
            CLIENTS.c.revoked_at.is_(None),
        )
    ).first()
    if found is not None:
        what = "X-Road client" if found.kind == "xroad" else "certificate"
        raise Taken(f"the {what} is already registered for client {found.client_id}: revoke it there first")


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _credential_rows(client_id: str, credentials: Iterable[StoredCredential]) -> list[dict[str, Any]]:
    return [
        {
            "client_id": client_id,
            "credential_id": item.id,
            "kind": item.kind,
            "material": json.dumps(item.material, sort_keys=True),
            "created_at": _text(item.created_at),
            "not_after": _text(item.not_after),
            "revoked_at": _text(item.revoked_at),
        }
        for item in credentials
    ]


def _grant_rows(client_id: str, grants: Iterable[Grant]) -> list[dict[str, Any]]:
    return [
        {
            "client_id": client_id,
            "database": grant.database,
            "operation": grant.operation,
            "purposes": " ".join(sorted(grant.purposes)),
            "fields": " ".join(sorted(grant.fields)),
            "dossier_required": grant.dossier_required,
            "officer_required": grant.officer_required,
            "signature_required": grant.signature_required,
            "rate": grant.rate,
            "burst": grant.burst,
            "deadline_ms": grant.deadline_ms,
            "expires_at": _text(grant.expires_at),
            "archive": grant.archive,
            "provable": grant.provable,
        }
        for grant in grants
    ]


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def revoke_token(connection: Connection, token_id: str, expires_at: int, now: int) -> None:
    """End one token, once; times are POSIX seconds. Tokens that have expired by themselves are forgotten."""
    known = select(REVOKED_TOKENS.c.number).where(REVOKED_TOKENS.c.token_id == token_id)
    if connection.execute(known).first() is not None:
        return
    number = (connection.execute(select(func.max(REVOKED_TOKENS.c.number))).scalar() or 0) + 1
    connection.execute(insert(REVOKED_TOKENS).values(number=number, token_id=token_id, expires_at=expires_at))
    # The newest row stays whatever its time: numbers must never begin again.
    connection.execute(
        delete(REVOKED_TOKENS).where(REVOKED_TOKENS.c.expires_at < now, REVOKED_TOKENS.c.number < number)
    )


def revoked_since(connection: Connection, number: int) -> list[tuple[int, str, int]]:
    """Read number, id and expiry of the tokens that were ended after a number."""
    rows = connection.execute(
        select(REVOKED_TOKENS).where(REVOKED_TOKENS.c.number > number).order_by(REVOKED_TOKENS.c.number)
    )
    return [(row.number, row.token_id, row.expires_at) for row in rows]
