"""Verifying what was archived: that each archive is on record, and with the files that they hold what the rows say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, select

from security.audit.archived import Part, parts
from security.audit.batch import REPEATED, columns
from security.audit.checkpoint import VerifierKey
from security.audit.export_reading import ExportDamaged, bodies, examine
from security.audit.findings import Findings
from security.audit.tables import ENTRIES
from storage.engine import Storage

_PAGE = 4096


def on_record(connection: Connection, findings: Findings) -> list[Part]:
    """Return the archives that follow each other from 0 on and of which an entry says that they were made.

    Every other one is a finding: an emptied entry whose archive nobody recorded is a deleted one.
    """
    found: list[Part] = []
    for part in parts(connection):
        if part.first != (found[-1].last if found else 0) or part.last <= part.first:
            findings.add(part.first, part.first, f"the archive {part.file} does not follow the one before it")
        elif not _recorded(connection, part):
            findings.add(part.first, part.last - 1, f"no entry records that they were archived in {part.file}")
        else:
            found.append(part)
            continue
        break
    return found


async def in_files(storage: Storage, directory: Path, keys: Sequence[VerifierKey], findings: Findings) -> None:
    """Verify the archives that are on record from their files in `directory`; adds to what `verify` found.

    Raises StorageUnavailable.
    """
    findings.in_files = await storage.read(lambda connection: _in_files(connection, directory, keys, findings))
    findings.found.sort(key=lambda finding: (finding.first, finding.last))


def _in_files(connection: Connection, directory: Path, keys: Sequence[VerifierKey], findings: Findings) -> int:
    seen = 0
    for part in parts(connection):
        if part.last > findings.archived:
            break
        path = directory / part.file
        try:
            there = examine(path, keys)
            if (there.first, there.last, there.sha256) != (part.first, part.last, part.sha256):
                findings.add(part.first, part.last - 1, f"{part.file} is not the file that was archived")
                continue
            _compare(connection, part, path, there.leaves, findings)
        except (ExportDamaged, OSError) as failure:
            why = str(failure) if isinstance(failure, ExportDamaged) else failure.strerror
            findings.add(part.first, part.last - 1, f"the archive {part.file} cannot be verified: {why}")
            continue
        seen += part.last - part.first
    return seen


def _recorded(connection: Connection, part: Part) -> bool:
    body = connection.execute(select(ENTRIES.c.body).where(ENTRIES.c.idx == part.act)).scalar()
    try:
        entry = json.loads(body or b"null")
        told = {name: entry["details"][name] for name in ("action", "first", "last", "file", "sha256")}
    except (ValueError, TypeError, KeyError):
        return False
    said = {"first": part.first, "last": part.last - 1, "file": part.file, "sha256": part.sha256}
    return bool(entry["kind"] == "admin" and part.act >= part.last and told == {"action": "audit-archive", **said})


def _compare(connection: Connection, part: Part, path: Path, leaves: Sequence[bytes], findings: Findings) -> None:
    """Hold leaf hash and repeated columns of each row to the entry in the file."""
    entries = bodies(path)
    wanted = select(ENTRIES.c.idx, ENTRIES.c.leaf, *(ENTRIES.c[name] for name in REPEATED))
    for begin in range(part.first, part.last, _PAGE):
        end = min(begin + _PAGE, part.last)
        within = wanted.where(ENTRIES.c.idx >= begin, ENTRIES.c.idx < end).order_by(ENTRIES.c.idx)
        rows = {row[0]: row for row in connection.execute(within)}
        for index in range(begin, end):
            body, row = next(entries), rows.get(index)
            if row is None:
                findings.add(index, index, "the row of the archived entry is missing")
            elif row[1] != leaves[index - part.first]:
                findings.add(index, index, "the row of the archived entry has another hash than the archive")
            elif tuple(row[2:]) != columns(json.loads(body)):
                findings.add(index, index, "the columns of the row do not repeat the archived entry")
