"""What the tests of the audit trail share: a log on a given database, and evidence to put into it."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit.checkpoint import Along, Signer
from security.audit.entries import Caller, Evidence, Outcome, Subject
from security.audit.log import AuditLog
from security.audit.reading import AuditReader
from security.audit.sealing import Sealer
from security.audit.vault import Vault
from storage.engine import Storage
from storage.schema import open_storage, upgrade

ORIGIN = "lgsp.example/log"
LOG_KEY = bytes(range(32))
MASTER = {b"period-1": b"m" * 32}


@dataclass
class World:
    """A log and everything around it."""

    url: str
    storage: Storage
    signer: Signer
    sealer: Sealer
    log: AuditLog
    reader: AuditReader


def a_signer(name: str = ORIGIN, seed: bytes = LOG_KEY, along: Sequence[Along] = ()) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(seed), along)


@asynccontextmanager
async def a_world(url: str, vault: Path) -> AsyncIterator[World]:
    """Open the log on this database, creating the schema if need be."""
    await upgrade(url)
    storage = await open_storage(url)
    signer, sealer = a_signer(), Sealer(Vault(vault), MASTER)
    log = await AuditLog.open(storage, signer, sealer)
    try:
        yield World(url, storage, signer, sealer, log, AuditReader(storage, sealer))
    finally:
        await log.close()
        await storage.close()


def evidence(
    *persons: str,
    data: bytes | None = b'{"full_name":"x"}',
    at: datetime | None = None,
    id: str | None = None,  # noqa: A002 - the field is called so
    client: str = "ministry",
    officer: str | None = "nva",
    archive: bool = False,
) -> Evidence:
    """An exchange about these persons: the first was asked about, the others were disclosed."""
    return Evidence(
        id=id or str(uuid.uuid4()),
        kind="exchange",
        at=at or datetime.now(UTC),
        caller=Caller(client, "000.00.00.G15", "secret:1"),
        database="population",
        operation="person",
        purpose="birth-registration",
        dossier="000.00.00.G15-261122-0001",
        officer=officer,
        request_id=str(uuid.uuid4()),
        outcome=Outcome("ok", 200),
        fields=("full_name",),
        duration_ms=12,
        endpoint="population",
        attempts=1,
        question=b'{"personal_number":"%s"}' % (persons[0].encode() if persons else b""),
        data=data,
        request_messages=[b"<Envelope>ask</Envelope>"],
        answer_messages=[b"<Envelope>answer</Envelope>"],
        subjects=[
            Subject("asked" if place == 0 else "disclosed", "personal-number", value)
            for place, value in enumerate(persons)
        ],
        archive=archive,
    )
