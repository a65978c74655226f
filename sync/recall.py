"""What was answered before: to a key of a request, to a repeated event; receipts of entries that stand in the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from security.audit.receipt import Receipt
from security.audit.tables import CHECKPOINTS, ENTRIES
from storage.bulk import rows_among
from sync.tables import DOSSIER_EVENTS, DOSSIER_VERSIONS, IDEMPOTENCY


class Known(NamedTuple):
    """A row of `idempotency` without its times; `status` is that of HTTP."""

    key_tag: bytes
    client_id: str
    body_tag: bytes
    position: int
    event_id: str
    status: int
    result: str
    reason: str | None


class Earlier(NamedTuple):
    """An event that stands already."""

    position: int
    event_id: str
    code: str
    sequence: int
    body_tag: bytes


class Version(NamedTuple):
    """The newest version of a dossier."""

    code: str
    version: int
    position: int
    event_id: str
    body_tag: bytes


_KNOWN_COLUMNS = tuple(IDEMPOTENCY.c[name] for name in Known._fields)
_EARLIER_COLUMNS = tuple(DOSSIER_EVENTS.c[name] for name in Earlier._fields)
_VERSION_COLUMNS = tuple(DOSSIER_VERSIONS.c[name] for name in Version._fields)
AT_ONCE = 10_000
"""Keys that are forgotten in one transaction."""
_OVER = ("delivered", "late", "discarded")


def answered(connection: Connection, tags: Sequence[bytes]) -> dict[bytes, Known]:
    """Read what was answered to these keys."""
    rows = rows_among(connection, _KNOWN_COLUMNS, IDEMPOTENCY.c.key_tag, tags)
    return {known.key_tag: known for known in (Known(*row) for row in rows)}


def repeated(connection: Connection, client_id: str, codes: Sequence[str]) -> dict[tuple[str, int], Earlier]:
    """Read the numbered events that a client has handed in for these dossiers, by code and sequence."""
    fixed = ((DOSSIER_EVENTS.c.client_id, client_id),)
    rows = rows_among(connection, _EARLIER_COLUMNS, DOSSIER_EVENTS.c.code, codes, fixed)
    events = (Earlier(*row) for row in rows)
    return {(event.code, event.sequence): event for event in events if event.sequence is not None}


def versions(connection: Connection, codes: Sequence[str]) -> dict[str, Version]:
    """Read the newest version of each of these dossiers that was registered."""
    newest: dict[str, Version] = {}
    for row in rows_among(connection, _VERSION_COLUMNS, DOSSIER_VERSIONS.c.code, codes):
        version = Version(*row)
        if version.code not in newest or newest[version.code].version < version.version:
            newest[version.code] = version
    return newest


def version_numbers(connection: Connection, positions: Sequence[int]) -> dict[int, int]:
    """Read which version of a dossier each of these entries stands for; those of statuses for none."""
    columns = (DOSSIER_VERSIONS.c.position, DOSSIER_VERSIONS.c.version)
    return {row[0]: row[1] for row in rows_among(connection, columns, DOSSIER_VERSIONS.c.position, positions)}


def receipts(connection: Connection, origin: str, positions: Iterable[int]) -> dict[int, Receipt]:
    """Make the receipts of these entries anew: with the checkpoint of the commit that each of them was part of."""
    wanted = sorted(set(positions))
    columns = (ENTRIES.c.idx, ENTRIES.c.leaf, ENTRIES.c.body)
    entries = {row[0]: (row[1], row[2]) for row in rows_among(connection, columns, ENTRIES.c.idx, wanted)}
    made: dict[int, Receipt] = {}
    size, note = 0, ""
    for position in wanted:
        if position >= size:
            signed = select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).where(CHECKPOINTS.c.size > position)
            size, note = connection.execute(signed.order_by(CHECKPOINTS.c.size).limit(1)).one()
        leaf, body = entries[position]
        made[position] = Receipt(origin, position, leaf, None, note, size, body)
    return made


def forgettable(now: int, entries: int) -> Any:
    """The condition for rows of `idempotency` whose time (POSIX ms) is over and whose event is not under way.

    Only those of the first `entries` entries of the log (`sync.running`): the time of day may be wrong.
    """
    undelivered = select(DOSSIER_EVENTS.c.position).where(
        DOSSIER_EVENTS.c.position == IDEMPOTENCY.c.position, DOSSIER_EVENTS.c.state.not_in(_OVER)
    )
    return (IDEMPOTENCY.c.expires_at < now) & (IDEMPOTENCY.c.position < entries) & ~undelivered.exists()


def forget(connection: Connection, now: int, entries: int) -> int:
    """Delete what need not be known any longer, the oldest first and so much that nobody waits; tell how many rows."""
    over = forgettable(now, entries)
    oldest = select(IDEMPOTENCY.c.key_tag).where(over).order_by(IDEMPOTENCY.c.expires_at).limit(AT_ONCE)
    return connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.key_tag.in_(oldest))).rowcount
