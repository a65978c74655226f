"""Redaction: making entries unopenable for good, without touching the log.

Three durable steps, each of which can be repeated: the entry that records it and marks the opening (one commit), the
key in the vault, the side table row and the index rows. A redaction that was interrupted is finished by `finish`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, select, update

from security.audit.archived_openings import REDACTION, REMOVED, opening_hashes
from security.audit.entries import Evidence
from security.audit.log import AuditLog
from security.audit.reading import NoEntry
from security.audit.receipt import Receipt
from security.audit.sealing import Sealer
from security.audit.tables import OPENINGS, SUBJECTS, UNFINISHED
from storage.bulk import update_rows
from storage.engine import Storage

PENDING = select(OPENINGS.c.idx, OPENINGS.c.period, OPENINGS.c.slot).where(UNFINISHED)
_OPEN = OPENINGS.c.redacted_by.is_(None)
_AT_ONCE = 500


async def redact(
    storage: Storage, log: AuditLog, sealer: Sealer, index: int, *, reason: str, evidence: Evidence
) -> Receipt:
    """Destroy what opens entry `index`; `evidence` says who does it and when (its kind and details are set here).

    `reason` is public: no personal value in it. Raises NoEntry when there is nothing to redact (any more).
    """
    (done,) = await redact_together(storage, log, sealer, {index: evidence}, reason=reason)
    if isinstance(done, BaseException):
        raise done
    return done


async def redact_together(
    storage: Storage, log: AuditLog, sealer: Sealer, acts: Mapping[int, Evidence], *, reason: str
) -> list[Receipt | BaseException]:
    """Do what `redact` does to each of at most `BATCH` entries, with an entry for each of them and one commit for all.

    `acts` has the evidence by the number of the entry that it is about. Returns in this order for each its receipt, or
    NoEntry where there was nothing to redact (any more), or EvidenceUnavailable.
    """
    indexes = list(acts)
    # An archive that the entry went into stated what opens it: what is taken away now has to be known.
    hashes = await storage.read(lambda connection: opening_hashes(connection, indexes))
    events = [
        replace(
            each,
            kind=REDACTION,
            details={**each.details, "index": index, "reason": reason, REMOVED: hashes.get(index)},
        )
        for index, each in acts.items()
    ]

    def mark(connection: Connection, _first: int, places: Sequence[int]) -> list[Exception | None]:
        asked = [indexes[place] for place in places]
        there = set(connection.execute(select(OPENINGS.c.idx).where(_OPEN, OPENINGS.c.idx.in_(asked))).scalars())
        marked = [(events[place].id, indexes[place]) for place in places if indexes[place] in there]
        update_rows(connection, OPENINGS, ("redacted_by",), ("idx",), marked)
        return [None if index in there else _nothing_at(index) for index in asked]

    done = await log.record_together(events, mark)
    await finish(storage, sealer)
    return done


def _nothing_at(index: int) -> NoEntry:
    return NoEntry(f"entry {index} has no opening, or was redacted before")


async def unredactable(storage: Storage, indexes: Sequence[int]) -> list[int]:
    """Return those of the entries that have nothing to redact (any more)."""
    there: set[int] = set()
    for begin in range(0, len(indexes), _AT_ONCE):
        part = indexes[begin : begin + _AT_ONCE]
        query = select(OPENINGS.c.idx).where(OPENINGS.c.idx.in_(part), _OPEN)
        there.update(await storage.read(lambda connection, query=query: connection.execute(query).scalars().all()))  # type: ignore[misc]
    return [index for index in indexes if index not in there]


async def finish(storage: Storage, sealer: Sealer) -> int:
    """Carry out every redaction that is recorded but not complete; return how many. Call it at start-up too."""
    rows = await storage.read(lambda connection: connection.execute(PENDING).all())
    slots: dict[str, list[int]] = {}
    for row in rows:
        slots.setdefault(row.period, []).append(row.slot)
    for period, those in slots.items():
        await asyncio.to_thread(sealer.destroy_entry, period, *those)
    numbers = [row.idx for row in rows]

    def remove(connection: Connection) -> None:
        connection.execute(delete(SUBJECTS).where(SUBJECTS.c.idx.in_(numbers)))
        connection.execute(update(OPENINGS).where(OPENINGS.c.idx.in_(numbers)).values(sealed=None))

    if numbers:
        await storage.write(remove)
    return len(numbers)
