"""Clients and grants as a file (TOML or JSON): what `lgsp clients apply FILE` reads and makes true.

For each client in the file, name, agency, rights and grants become exactly what the file says; certificates, keys and
X-Road clients do too where the file lists them. Secrets are never in the file: `secret = true` makes one where there is
none. Clients that the file does not name stay as they are. Applying a file again changes nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate, load_pem_x509_certificate
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from schemas.exchange import Database, Grant
from security.administration import Change, ChangeRefused, add, update
from security.clients import Client, StoredCredential
from security.credentials import certificate_credential, key_credential, subject_credential, xroad_credential
from security.policy import field_paths


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GrantPart(_Part):
    """One grant; defaults are those of `schemas.exchange.Grant`."""

    database: str
    operation: str
    purposes: list[str]
    fields: list[str]
    dossier_required: bool = False
    officer_required: bool = False
    signature_required: bool = False
    rate: float = 50.0
    burst: int = 100
    deadline_ms: int = 20_000
    expires_at: AwareDatetime | None = None
    archive: bool = False
    provable: bool = False

    def grant(self, databases: Iterable[Database]) -> Grant:
        """The grant with its paths checked; raises ValueError."""
        fields = field_paths(databases, self.database, self.operation, self.fields)
        return Grant(**self.model_dump() | {"purposes": frozenset(self.purposes), "fields": fields})


class SubjectPart(_Part):
    """A certificate known by its subject (RFC 4514) and the CA that issues it (PEM file)."""

    subject: str
    issuer: Path


class ClientPart(_Part):
    """One client; file names are relative to the file that holds them."""

    id: str
    name: str
    agency: str
    rights: list[str] = Field(default_factory=list)
    secret: bool = False
    certificates: list[Path | SubjectPart] | None = None
    signing_certificates: list[Path] | None = None
    keys: list[dict[str, Any]] | None = None
    xroad: list[str] | None = None
    grants: list[GrantPart] = Field(default_factory=list)


class ClientsPart(_Part):
    """The whole file."""

    clients: list[ClientPart]


def read(path: Path) -> ClientsPart:
    """Read a file of clients, JSON where the name ends so and else TOML; raises ChangeRefused naming what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        part = ClientsPart.model_validate(content)
    except ValidationError as failure:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in failure.errors())
        raise ChangeRefused(f"{path}: {wrong}") from None
    except (OSError, ValueError, RecursionError) as failure:
        raise ChangeRefused(f"{path}: {failure}") from failure
    seen: set[str] = set()
    for client in part.clients:
        if client.id in seen:
            raise ChangeRefused(f"{path}: client {client.id} stands there twice")
        seen.add(client.id)
    return part


def apply(
    path: Path,
    current: Mapping[str, Client],
    databases: Iterable[Database],
    *,
    by: str,
    at: datetime | None = None,
) -> list[Change]:
    """Give the changes that make a file true, one per client that differs; nothing is written.

    `current` are the clients as they stand. Raises ChangeRefused before the first change when anything is wrong.
    """
    now = at or datetime.now(UTC)
    declared = tuple(databases)
    changes = []
    for part in read(path).clients:
        try:
            change = _applied(part, current.get(part.id), declared, path.parent, by, now)
        except (ValueError, OSError) as failure:
            raise ChangeRefused(f"{path}: client {part.id}: {failure}") from failure
        if change.differences:
            changes.append(change)
    return changes


def _applied(
    part: ClientPart, client: Client | None, databases: tuple[Database, ...], folder: Path, by: str, now: datetime
) -> Change:
    grants = tuple(item.grant(databases) for item in part.grants)
    if client is None:
        made = add(part.id, name=part.name, agency=part.agency, rights=part.rights, secret=part.secret, by=by, at=now)
        after = replace(made.client, grants=grants, credentials=_credentials(part, made.client, folder, now))
        return update(None, after, by=by, at=now, secret=made.secret)
    after = replace(
        client,
        name=part.name,
        agency=part.agency,
        rights=frozenset(part.rights),
        grants=grants,
        credentials=_credentials(part, client, folder, now),
    )
    return update(client, after, by=by, at=now, wants_secret=part.secret)


def _credentials(part: ClientPart, client: Client, folder: Path, now: datetime) -> tuple[StoredCredential, ...]:
    """Give the credentials as the file wants them: missing ones added, those it no longer lists revoked."""
    listed: dict[str, list[StoredCredential]] = {}
    if part.certificates is not None:
        listed["mtls"] = [
            certificate_credential(_certificate(folder / item), now)
            if isinstance(item, Path)
            else subject_credential(item.subject, _certificate(folder / item.issuer), now)
            for item in part.certificates
        ]
    if part.signing_certificates is not None:
        listed["signature"] = [
            certificate_credential(_certificate(folder / item), now, signs=True) for item in part.signing_certificates
        ]
    if part.keys is not None:
        listed["private-key-jwt"] = [key_credential(item, now) for item in part.keys]
    if part.xroad is not None:
        listed["xroad"] = [xroad_credential(item, now) for item in part.xroad]
    wanted = {item.id: item for items in listed.values() for item in items}
    kept = []
    for item in client.credentials:
        if item.id in wanted and item.revoked_at is not None:
            if item.kind != "xroad":
                raise ChangeRefused(f"credential {item.id} was revoked for good: make a new one")
            # Listed again, it counts again: an X-Road client has no other name to come back under.
            continue
        ends = item.kind in listed and item.id not in wanted and item.revoked_at is None
        kept.append(replace(item, revoked_at=now) if ends else item)
    held = {item.id for item in kept}
    return (*kept, *(item for name, item in wanted.items() if name not in held))


def _certificate(path: Path) -> Certificate:
    return load_pem_x509_certificate(path.read_bytes())
