"""Verifying what was archived: that each archive is on record, and with the files that they hold what the rows say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from security.audit.archived import Part, parts
from security.audit.archived_openings import REDACTION, SPAN, checkpoints_within, columns_hashes, openings_hashes
from security.audit.batch import REPEATED
from security.audit.binding import noted
from security.audit.checkpoint import VerifierKey
from security.audit.export_reading import ExportDamaged, bodies, examine
from security.audit.findings import Findings
from security.audit.openings import OpeningsCheck, Page
from security.audit.reading_rows import as_bytes, as_json, as_number, rows_of
from security.audit.repeats import KIND, told
from security.audit.sealing import Sealer
from security.audit.tables import ARCHIVED, CHECKPOINTS, ENTRIES
from storage.engine import Storage

_PAGE = 4096


def on_record(connection: Connection, findings: Findings) -> list[Part]:
    """Return the archives that follow each other from 0 on and of which an entry says that they were made.

    Every other one is a finding: an emptied entry whose archive nobody recorded is a deleted one.
    """
    found: list[Part] = []
    for first, last, file, sha256, act in rows_of(connection, select(ARCHIVED).order_by(ARCHIVED.c.first)):
        part = Part(as_number(first), as_number(last), file, sha256, as_number(act))
        if part.first != (found[-1].last if found else 0) or part.last <= part.first:
            at = max(part.first, 0)
            findings.add(at, at, f"the archive {part.file} does not follow the one before it")
        elif (details := _recorded(connection, part)) is None:
            findings.add(part.first, part.last - 1, f"no entry records that they were archived in {part.file}")
        else:
            found.append(part)
            _look_at_what_stays(connection, part, details, findings)
            continue
        break
    return found


async def in_files(
    storage: Storage,
    directory: Path,
    keys: Sequence[VerifierKey],
    findings: Findings,
    sealer: Sealer | None = None,
) -> None:
    """Verify the archives that are on record from their files in `directory`; adds to what `verify` found.

    With the vault also that every opening still opens. Raises StorageUnavailable.
    """
    openings = OpeningsCheck(findings, sealer)
    for part in await storage.read(parts):
        # Whatever follows is not on record: it may be of any type.
        if type(part.last) is not int or part.last > findings.archived:
            break
        look = partial(_is_held, part=part, path=directory / part.file, keys=keys, openings=openings, findings=findings)
        if await storage.read(look):
            findings.in_files += part.last - part.first
        await openings.settle(storage)
    findings.found.sort(key=lambda finding: (finding.first, finding.last))


def _is_held(
    connection: Connection,
    part: Part,
    path: Path,
    keys: Sequence[VerifierKey],
    openings: OpeningsCheck,
    findings: Findings,
) -> bool:
    """Look into the file of an archive; tells whether it is that file and whole."""
    try:
        there = examine(path, keys)
        if (there.first, there.last, there.sha256) != (part.first, part.last, part.sha256):
            findings.add(part.first, part.last - 1, f"{part.file} is not the file that was archived")
            return False
        _compare(connection, part, path, there.leaves, openings, findings)
    except (ExportDamaged, OSError) as failure:
        why = str(failure) if isinstance(failure, ExportDamaged) else failure.strerror
        findings.add(part.first, part.last - 1, f"the archive {part.file} cannot be verified: {why}")
        return False
    return True


def _recorded(connection: Connection, part: Part) -> dict[str, Any] | None:
    """The details of the entry that records this archive; None where there is none."""
    stored = rows_of(connection, select(ENTRIES.c.body).where(ENTRIES.c.idx == part.act))
    try:
        entry = as_json(as_bytes(stored[0][0]) if stored else b"")
        details: dict[str, Any] = entry["details"]
        told = {name: details[name] for name in ("action", "first", "last", "file", "sha256")}
        good = entry["kind"] == "admin" and part.act >= part.last
    except (ValueError, TypeError, KeyError):
        return None
    said = {"first": part.first, "last": part.last - 1, "file": part.file, "sha256": part.sha256}
    return details if good and told == {"action": "audit-archive", **said} else None


def _look_at_what_stays(connection: Connection, part: Part, details: Mapping[str, Any], findings: Findings) -> None:
    """Hold openings, index rows and checkpoints to what was stated of them; of older releases nothing was."""
    first, last = part.first, part.last
    there, hashed = checkpoints_within(connection, first, last)
    stated = details.get("checkpoints", there)
    if there != stated:
        findings.add(first, last - 1, f"there are {there} checkpoints of {stated} up to the end of {part.file}")
    elif hashed != details.get("notes", hashed):
        what = f"checkpoints are not those that were there when {part.file} was made"
        findings.add(first, last - 1, f"{what}: signed anew, or signatures were taken away or put there")
    _compare_hashes(part, details.get("columns"), columns_hashes(connection, first, last), "columns of rows", findings)
    now = openings_hashes(connection, first, last, part.act)
    _compare_hashes(part, details.get("openings"), now, "openings or index rows", findings)


def _compare_hashes(part: Part, stated: Any, now: Sequence[str | None], what: str, findings: Findings) -> None:
    if stated is None:
        return
    if not isinstance(stated, list) or len(stated) != len(now):
        stated = [""] * len(now)
    for begin, held, said in zip(range(part.first, part.last, SPAN), now, stated, strict=True):
        if held not in (None, said):
            text = f"{what} are not those that were there when {part.file} was made"
            findings.add(begin, min(begin + SPAN, part.last) - 1, text)


def _compare(
    connection: Connection, part: Part, path: Path, leaves: Sequence[bytes], openings: OpeningsCheck, findings: Findings
) -> None:
    """Hold each row, its opening and the checkpoint before it to the entry in the file."""
    entries = bodies(path)
    wanted = select(ENTRIES.c.idx, ENTRIES.c.leaf, *(ENTRIES.c[name] for name in REPEATED))
    for begin in range(part.first, part.last, _PAGE):
        end = min(begin + _PAGE, part.last)
        within = wanted.where(ENTRIES.c.idx >= begin, ENTRIES.c.idx < end).order_by(ENTRIES.c.idx)
        rows = {row[0]: row for row in rows_of(connection, within)}
        between = select(CHECKPOINTS).where(CHECKPOINTS.c.size.between(begin, end))
        signed = {size: noted(note) for size, note in rows_of(connection, between)}
        page = Page(end)
        for index in range(begin, end):
            row = rows.get(index)
            try:
                entry = told(next(entries))
            except ValueError:
                findings.add(index, index, "the archived entry cannot be read")
                page.unread.add(index)
                continue
            if row is None:
                findings.add(index, index, "the row of the archived entry is missing")
            elif row[1] != leaves[index - part.first]:
                findings.add(index, index, "the row of the archived entry has another hash than the archive")
            elif row[2:] != entry.repeated:
                findings.add(index, index, "the columns of the row do not repeat the archived entry")
            if entry.after is not None and (note := signed.get(entry.after.size)) != entry.after.note:
                what = "missing" if note is None else "not the one that the archived entry behind it names"
                findings.add(index - 1, index - 1, f"the checkpoint of {entry.after.size} entries is {what}")
            if entry.repeated[KIND] == REDACTION:
                # These stay in the database, and were verified there.
                page.unread.add(index)
            elif entry.committed:
                page.entries[index] = entry
        openings.page(connection, begin, page)
