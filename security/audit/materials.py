"""Certificates and revocation evidence that verdicts rested on, kept under their SHA-256 (tài liệu xác thực chữ ký).

Entries name the certificate of who signed (`details.signer`); this table has its path, and what was known about
revocation then, so that a bundle can show it years later. Public material only; each piece stands there once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Column, Connection, Index, LargeBinary, Select, String, Table, select

from security.audit.reading_rows import rows_of
from security.trust_materials import COLLECTED, Collected, Material
from storage.bulk import insert_rows, rows_among
from storage.engine import Storage
from storage.errors import StorageError
from storage.metadata import BIGINT, METADATA

log = structlog.get_logger()

EVERY_S: Final = 2.0
LARGEST: Final = 4 << 20
"""Bytes of the largest list that is kept: one of 100,000 certificates."""
_SKEW_S: Final = 60
_LONGEST_PATH: Final = 8

MATERIALS = Table(
    "audit_materials",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    # SHA-256 of the subject of a certificate, else of the name of the issuer (DER).
    Column("name", String(64), nullable=False),
    # Of the certificate that an OCSP answer is about, hexadecimal.
    Column("serial", String(64)),
    # POSIX seconds.
    Column("since", BIGINT, nullable=False),
    Column("until", BIGINT, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_audit_materials_name", "name", "kind", "since"),
)
_KEPT: Final = (MATERIALS.c.sha256, MATERIALS.c.content)
_DAMAGED: Final = "damaged in the database, and left out: {}"
_COLUMNS: Final = ("sha256", "kind", "name", "serial", "since", "until", "content")


async def keep(storage: Storage, collected: Collected = COLLECTED) -> int:
    """Write what was collected; return how many pieces were new. Raises StorageError, and then all of it waits on."""
    waiting = collected.take()
    if not waiting:
        return 0
    try:
        rows = await asyncio.to_thread(lambda: {row[0]: row for row in map(_row, waiting) if len(row[-1]) <= LARGEST})
        there = await storage.read(lambda connection: _there(connection, list(rows)))
        if rows.keys() <= there:
            return 0

        def write(connection: Connection) -> int:
            # Under the lock once more: another process may have brought the same.
            new = [row for digest, row in rows.items() if digest not in _there(connection, list(rows))]
            insert_rows(connection, MATERIALS, _COLUMNS, new)
            return len(new)

        return await storage.write(write)
    except BaseException:
        collected.put_back(waiting)
        raise


async def keeping(storage: Storage, collected: Collected = COLLECTED) -> None:
    """Keep what comes in, until cancelled, and what came last then."""
    try:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await keep(storage, collected)
            except StorageError as failure:
                log.warning("signature-materials-not-kept", hint=str(failure))
    finally:
        with suppress(StorageError):
            await keep(storage, collected)


@dataclass(slots=True)
class Shown:
    """What a bundle has about the signers of an exchange: members by name, and why others are absent."""

    members: dict[str, bytes] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def about(connection: Connection, entry: Mapping[str, Any]) -> Shown:
    """Gather certificates and revocation evidence of who signed the answer, and the question, of an entry."""
    shown, details = Shown(), entry.get("details", {})
    signers = [details[name] for name in ("signer", "caller_signer") if isinstance(details.get(name), str)]
    if not signers:
        shown.absent["certificates.pem"] = "nobody signed, or the signature was not believed"
        return shown
    at = int(datetime.fromisoformat(str(entry["at"])).timestamp())
    path: list[x509.Certificate] = []
    damaged: list[str] = []
    for signer in signers:
        path += [each for each in _path(connection, signer.removeprefix("sha256:"), damaged) if each not in path]
    if path:
        pem = b"".join([each.public_bytes(Encoding.PEM) for each in path])
        shown.members["certificates.pem"] = pem
    elif damaged:
        shown.absent["certificates.pem"] = _DAMAGED.format(", ".join(damaged))
        damaged = []
    else:
        shown.absent["certificates.pem"] = (
            "not kept, or not yet: an older release, a process that ended before, an answer of the last seconds"
        )
    number = 0
    for certificate in path:
        for kind, content in _words(connection, certificate, at, damaged):
            number += 1
            name = f"revocation/{number:02}-{kind}.der"
            if content not in shown.members.values():
                shown.members[name] = content
    if damaged:
        shown.absent["revocation/damaged.der"] = _DAMAGED.format(", ".join(dict.fromkeys(damaged)))
    elif not number:
        shown.absent["revocation/list.der"] = "no list and no answer was kept that was current then"
    return shown


def is_intact(digest: object, content: object) -> bool:
    """Whether a row holds what it was kept as; both as the driver gives them."""
    return type(content) is bytes and sha256(content).hexdigest() == digest


def described(material: Material) -> tuple[str, str, str | None, int, int]:
    """What the row of a piece says of it: kind, name, serial, since, until. All of it follows from the piece."""
    return (
        material.kind,
        sha256(material.name.public_bytes()).hexdigest(),
        None if material.serial is None else f"{material.serial:x}",
        int(_aware(material.since).timestamp()),
        int(_aware(material.until).timestamp()),
    )


def _path(connection: Connection, digest: str, damaged: list[str]) -> list[x509.Certificate]:
    """The certificate with this SHA-256 and those above it, as far as they were kept and are intact."""
    found: list[x509.Certificate] = []
    row = next(_intact(connection, select(*_KEPT).where(MATERIALS.c.sha256 == digest), damaged), None)
    while row is not None and len(found) < _LONGEST_PATH:
        certificate = x509.load_der_x509_certificate(row)
        found.append(certificate)
        row = None if certificate.issuer == certificate.subject else _issuer_of(connection, certificate, damaged)
    return found


def _issuer_of(connection: Connection, certificate: x509.Certificate, damaged: list[str]) -> bytes | None:
    others: list[str] = []
    for content in _intact(connection, _of(certificate.issuer, "certificate"), others):
        with suppress(InvalidSignature, ValueError, TypeError):
            certificate.verify_directly_issued_by(x509.load_der_x509_certificate(content))
            return content
    # Any of these may have been the one.
    damaged += others
    return None


def _words(
    connection: Connection, certificate: x509.Certificate, at: int, damaged: list[str]
) -> list[tuple[str, bytes]]:
    """What authorities said of a certificate that was current at this time (POSIX seconds): the newest of each kind."""
    found = []
    current = (MATERIALS.c.since <= at + _SKEW_S, MATERIALS.c.until >= at)
    serial = (MATERIALS.c.serial == f"{certificate.serial_number:x}",)
    for kind, narrowed in (("ocsp", serial), ("crl", ())):
        if certificate.issuer == certificate.subject:
            continue
        query = _of(certificate.issuer, kind).where(*current, *narrowed).limit(1)
        found += [(kind, content) for content in _intact(connection, query, damaged)]
    return found


def _intact(connection: Connection, query: Select[Any], damaged: list[str]) -> Iterator[bytes]:
    """The contents that are what they were kept as; `damaged` gets the names of the others."""
    for digest, content in rows_of(connection, query):
        if is_intact(digest, content):
            yield content
        else:
            damaged.append("sha256:" + ascii(digest).strip("'"))


def _of(name: x509.Name, kind: str) -> Select[Any]:
    named = (MATERIALS.c.name == sha256(name.public_bytes()).hexdigest(), MATERIALS.c.kind == kind)
    return select(*_KEPT).where(*named).order_by(MATERIALS.c.since.desc())


def _there(connection: Connection, digests: Sequence[str]) -> set[str]:
    return {row[0] for row in rows_among(connection, (MATERIALS.c.sha256,), MATERIALS.c.sha256, digests)}


def _row(material: Material) -> tuple[Any, ...]:
    content = material.octets()
    return (sha256(content).hexdigest(), *described(material), content)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
