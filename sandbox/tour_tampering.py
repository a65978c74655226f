"""The tour's forgeries: copies of the log that were tampered with, and who notices (giả mạo nhật ký)."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sandbox.guide import Disappointed, Guide, expect
from security.audit.merkle import Frontier

_CUT: Final = 5
"""So many entries at least are lost of the end."""
_PATIENCE_S: Final = 20.0
_ENTRIES_BEHIND: Final = ("audit_entries", "audit_openings", "audit_subjects")


async def tampering_tour(guide: Guide) -> None:
    """Tamper with copies of the database, as somebody who has all of it and knows how it is made."""
    with TemporaryDirectory() as made:
        copy = Path(made) / "copy.sqlite"

        async def changed() -> str:
            await asyncio.to_thread(_copied, guide.described["database"], copy)
            index = await asyncio.to_thread(_change_a_byte, copy)
            code, found = await _verified(guide, copy)
            expect((code, found["first_bad"]), (1, index))
            return f"one byte of entry {index} changed in a copy: verify names {index}"

        async def truncated() -> str:
            size = await asyncio.to_thread(_copied_and_cut, guide.described["database"], copy)
            code, found = await _verified(guide, copy)
            expect((code, found["entries"]), (0, size))
            async with asyncio.timeout(_PATIENCE_S):
                # What the witness has not seen yet nobody misses.
                while True:
                    code, found = await _verified(guide, copy, "demo")
                    if (found["against"][0]["newest"] or 0) > size:
                        break
                    await asyncio.sleep(0.2)
            expect((code, found["first_bad"]), (1, size))
            return f"cut off at {size} and consistent: holds by itself, the witness tells that {size} is missing"

        async def true() -> str:
            code, found = await _verified(guide, Path(guide.described["database"]), "demo")
            expect((code, found["valid"]), (0, True))
            beside = found["against"][0]
            return f"agrees with {beside['checkpoints']} checkpoints of the witness, up to {beside['agrees_up_to']}"

        await guide.stop("log, a byte changed", changed)
        await guide.stop("log, cut off", truncated)
        await guide.stop("log, beside its witness", true)


async def _verified(guide: Guide, database: Path, *against: str) -> tuple[int | None, dict[str, Any]]:
    """Run `lgsp audit verify` on a database; return its exit code and what it printed."""
    arguments = ["audit", "verify", "--config", guide.described["config"], "--json"]
    arguments += [word for witness in against for word in ("--against", witness)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments),
        env=os.environ | {"LGSP_STORAGE__URL": f"sqlite:///{database}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    if not said:
        raise Disappointed(complaint.decode(errors="replace").strip())
    return process.returncode, json.loads(said)


def _copied(database: str, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _change_a_byte(copy: Path) -> int:
    with closing(sqlite3.connect(copy)) as database, database:
        (size,) = database.execute("SELECT size FROM audit_head").fetchone()
        index = int(size) // 2
        (body,) = database.execute("SELECT body FROM audit_entries WHERE idx = ?", (index,)).fetchone()
        # The year of the time: still JSON, still plausible.
        changed = body.replace(b'"at":"20', b'"at":"21', 1)
        database.execute("UPDATE audit_entries SET body = ? WHERE idx = ?", (changed, index))
    return index


def _copied_and_cut(database: str, copy: Path) -> int:
    """Leave the log as it was at an earlier checkpoint, in every table that could tell; return its size then."""
    _copied(database, copy)
    with closing(sqlite3.connect(copy)) as forged, forged:
        (full,) = forged.execute("SELECT size FROM audit_head").fetchone()
        asked = "SELECT max(size) FROM audit_checkpoints WHERE size <= ?"
        (size,) = forged.execute(asked, (full - _CUT,)).fetchone()
        for table in _ENTRIES_BEHIND:
            forged.execute(f"DELETE FROM {table} WHERE idx >= ?", (size,))  # noqa: S608 - constants
        for table in ("audit_checkpoints", "audit_witnessed"):
            forged.execute(f"DELETE FROM {table} WHERE size > ?", (size,))  # noqa: S608 - constants
        forged.execute("DELETE FROM audit_tiles WHERE (number + 1) << (8 * (level + 1)) > ?", (size,))
        tree = Frontier()
        for (leaf,) in forged.execute("SELECT leaf FROM audit_entries ORDER BY idx"):
            tree.append(leaf)
        forged.execute("UPDATE audit_head SET size = ?, frontier = ?", (size, tree.encode()))
    return int(size)
