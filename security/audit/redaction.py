"""Redaction: making one entry unopenable for good, without touching the log.

Three durable steps, each of which can be repeated: the entry that records it and marks the opening (one commit), the
key in the vault, the side table row and the index rows. A redaction that was interrupted is finished by `finish`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, select, update

from security.audit.entries import Evidence
from security.audit.log import AuditLog
from security.audit.reading import NoEntry
from security.audit.receipt import Receipt
from security.audit.sealing import Sealer
from security.audit.tables import OPENINGS, SUBJECTS, UNFINISHED
from storage.engine import Storage

PENDING = select(OPENINGS.c.idx, OPENINGS.c.period, OPENINGS.c.slot).where(UNFINISHED)
_AT_ONCE = 500


async def redact(
    storage: Storage, log: AuditLog, sealer: Sealer, index: int, *, reason: str, evidence: Evidence
) -> Receipt:
    """Destroy what opens entry `index`; `evidence` says who does it and when (its kind and details are set here).

    `reason` is public: no personal value in it. Raises NoEntry when there is nothing to redact (any more).
    """
    details = {**evidence.details, "index": index, "reason": reason}

    def mark(connection: Connection, _own_index: int) -> None:
        marked = connection.execute(
            update(OPENINGS)
            .where(OPENINGS.c.idx == index, OPENINGS.c.redacted_by.is_(None))
            .values(redacted_by=evidence.id)
        )
        if marked.rowcount != 1:
            raise NoEntry(f"entry {index} has no opening, or was redacted before")

    receipt = await log.record(replace(evidence, kind="redaction", details=details), writes=[mark])
    await finish(storage, sealer)
    return receipt


async def unredactable(storage: Storage, indexes: Sequence[int]) -> list[int]:
    """Return those of the entries that have nothing to redact (any more)."""
    there: set[int] = set()
    for begin in range(0, len(indexes), _AT_ONCE):
        part = indexes[begin : begin + _AT_ONCE]
        query = select(OPENINGS.c.idx).where(OPENINGS.c.idx.in_(part), OPENINGS.c.redacted_by.is_(None))
        there.update(await storage.read(lambda connection, query=query: connection.execute(query).scalars().all()))  # type: ignore[misc]
    return [index for index in indexes if index not in there]


async def finish(storage: Storage, sealer: Sealer) -> int:
    """Carry out every redaction that is recorded but not complete; return how many. Call it at start-up too."""
    rows = await storage.read(lambda connection: connection.execute(PENDING).all())
    for row in rows:
        await asyncio.to_thread(sealer.destroy_entry, row.period, row.slot)
    numbers = [row.idx for row in rows]

    def remove(connection: Connection) -> None:
        connection.execute(delete(SUBJECTS).where(SUBJECTS.c.idx.in_(numbers)))
        connection.execute(update(OPENINGS).where(OPENINGS.c.idx.in_(numbers)).values(sealed=None))

    if numbers:
        await storage.write(remove)
    return len(numbers)
