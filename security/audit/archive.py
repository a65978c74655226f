"""Archiving: the bodies of old entries move into exports that verify by themselves (lưu trữ nhật ký theo kỳ).

File first: it is written, made durable, read back and verified before anything is emptied, which happens in one commit
with the entry that records it. A crash in between leaves a file that the next run finds and takes as it is. The files
are exports (`security.audit.export`) that follow each other from entry 0 on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from security.audit.archived import Part, archived
from security.audit.archived_openings import (
    REDACTION,
    checkpoints_within,
    columns_hashes,
    openings_hashes,
    redacted_within,
)
from security.audit.canonical import JSON
from security.audit.checkpoint import VerifierKey
from security.audit.entries import Evidence, instant
from security.audit.export import Exported, write_export
from security.audit.export_reading import Examined, ExportDamaged, examine
from security.audit.log import AuditLog
from security.audit.tables import ARCHIVED, CHECKPOINTS, ENTRIES, HEAD
from security.files import open_regular
from storage.engine import Storage
from storage.files import draft_of, named, sync_names

# Entries of one file, and of one commit, which everybody who writes waits for.
PART: Final = 50_000
# Other rows point to these: what a redaction says has to be at hand as long as the opening that it is of.
KEPT: Final = (REDACTION,)


class ArchiveRefused(ValueError):
    """A file stands where the archive should be and is not that archive, or the log changed meanwhile."""


async def due(storage: Storage, before: datetime, most: int = PART) -> tuple[int, int] | None:
    """Return the entries [first, last) that the next archive takes; None where there is nothing to move.

    They follow those that are archived, none is of `before` or later, and they end with a checkpoint: at most `most`,
    more only where a single commit had more.
    """

    def look(connection: Connection) -> tuple[int, int] | None:
        first = archived(connection)
        size = connection.execute(select(HEAD.c.size)).scalar() or 0
        ahead = first + most + _slack(connection, first, most)
        newer = select(func.min(ENTRIES.c.idx)).where(
            ENTRIES.c.idx >= first, ENTRIES.c.idx < ahead, ENTRIES.c.at >= instant(before)
        )
        end = connection.execute(newer).scalar()
        end = min(ahead, size) if end is None else end
        signed = CHECKPOINTS.c.size
        within = connection.execute(
            select(func.max(signed)).where(signed > first, signed <= min(end, first + most))
        ).scalar()
        beyond = select(func.min(signed)).where(signed > first, signed <= end)
        last = within if within is not None else connection.execute(beyond).scalar()
        return None if last is None else (first, last)

    return await storage.read(look)


async def archive(
    storage: Storage,
    log: AuditLog,
    keys: Sequence[VerifierKey],
    directory: Path,
    span: tuple[int, int],
    evidence: Evidence,
) -> Part:
    """Move the entries of `span`, as `due` gave it, into a file in `directory`; `evidence` says who does it and why.

    Raises ArchiveRefused, EvidenceUnavailable, OSError, StorageUnavailable and what `write_export` raises; the log then
    stays as it was (of a commit that was not in time nobody knows yet), and the file, if it was finished, is taken by
    the next attempt.
    """
    first, last = span
    path = directory / f"audit-{first}-{last}.zip"
    if await asyncio.to_thread(path.exists):
        await asyncio.to_thread(_made_durable, path)
    else:
        await _written(storage, keys, path, first, last)
    try:
        there = await asyncio.to_thread(examine, path, keys)
    except ExportDamaged as failure:
        raise ArchiveRefused(f"{path} is no archive ({failure}): move it away, then run the command again") from failure
    if (there.first, there.last, there.origin) != (first, last, log.origin):
        raise ArchiveRefused(f"{path} holds other entries: move it away")
    await storage.read(lambda connection: _same(connection, there))
    told: dict[str, JSON] = {"first": first, "last": last - 1, "file": path.name, "sha256": there.sha256}
    stays, redacted = await storage.read(lambda connection: _staying(connection, first, last))
    part = Part(first, last, path.name, there.sha256, -1)
    act: list[int] = []

    def empty(connection: Connection, index: int) -> None:
        act[:] = [index]
        if redacted_within(connection, first, last) != redacted:
            raise ArchiveRefused("an entry was redacted meanwhile: run the command again")
        _emptied(connection, replace(part, act=index))

    await log.record(replace(evidence, details={**evidence.details, **told, **stays}), writes=(empty,))
    return replace(part, act=act[0])


async def _written(storage: Storage, keys: Sequence[VerifierKey], path: Path, first: int, last: int) -> Exported:
    """Write the export and make it durable under its name, all or nothing."""
    draft = draft_of(path)
    file = await asyncio.to_thread(os.open, draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "w+b") as out:
            exported = await write_export(storage, keys, out, first=first, last=last, full=True)
            await asyncio.to_thread(_durable, out)
        if exported.last != last:
            raise ArchiveRefused(f"no checkpoint is of {last} entries")
        await asyncio.to_thread(named, draft, path)
    except OSError as failure:
        # What fails to be written has no name.
        if failure.filename is None:
            raise OSError(failure.errno, failure.strerror, str(path)) from failure
        raise
    finally:
        await asyncio.to_thread(draft.unlink, missing_ok=True)
    return exported


def _durable(out: Any) -> None:
    out.flush()
    os.fsync(out.fileno())


def _made_durable(path: Path) -> None:
    """Make a file durable that stands there: who named it may have ended before that was, or have copied it there."""
    with open_regular(path) as file:
        os.fsync(file.fileno())
    sync_names(path.parent)


def _same(connection: Connection, there: Examined) -> None:
    """Hold the leaf hashes of the file to those of the rows: they are what the tree is made of."""
    for begin in range(there.first, there.last, 4096):
        end = min(begin + 4096, there.last)
        within = (ENTRIES.c.idx >= begin, ENTRIES.c.idx < end)
        rows = connection.execute(select(ENTRIES.c.leaf).where(*within).order_by(ENTRIES.c.idx)).scalars().all()
        if list(rows) != there.leaves[begin - there.first : end - there.first]:
            raise ArchiveRefused(
                f"the file and the rows of entries {begin} to {end - 1} differ: run `lgsp audit verify`"
            )


def _staying(connection: Connection, first: int, last: int) -> tuple[dict[str, JSON], int]:
    """What the entry states of the rows that stay; with how many of the entries redacted."""
    checkpoints, notes = checkpoints_within(connection, first, last)
    stays: dict[str, JSON] = {
        "columns": columns_hashes(connection, first, last),
        "openings": openings_hashes(connection, first, last),
        "checkpoints": checkpoints,
        "notes": notes,
    }
    return stays, redacted_within(connection, first, last)


def _emptied(connection: Connection, part: Part) -> None:
    if archived(connection) != part.first:
        raise ArchiveRefused("another process archived meanwhile: run the command again")
    acts = select(ARCHIVED.c.act)
    within = (ENTRIES.c.idx >= part.first, ENTRIES.c.idx < part.last)
    stays = (ENTRIES.c.kind.not_in(KEPT), ENTRIES.c.idx.not_in(acts))
    connection.execute(update(ENTRIES).where(*within, *stays).values(body=b""))
    row = {"first": part.first, "last": part.last, "file": part.file, "sha256": part.sha256, "act": part.act}
    connection.execute(insert(ARCHIVED).values(row))


def _slack(connection: Connection, first: int, most: int) -> int:
    """How many entries the first checkpoint behind `most` entries lies beyond them."""
    size = CHECKPOINTS.c.size
    following = connection.execute(select(func.min(size)).where(size > first)).scalar()
    return max(0, (following or 0) - first - most)
