"""Exports of the log (bản xuất nhật ký): entries with what proves them, in one file that verifies without the gateway.

The format is `lgsp-audit-export/1` (docs/security.md), a ZIP; `tools/verify_audit.py` reads it. Exports that follow
each other make up the log: the frontier of each gives the root that the one before ends with.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from sqlalchemy import Connection, select

from security.audit.archived import NoEntry
from security.audit.checkpoint import VerifierKey, opened
from security.audit.export_reading import FORMAT
from security.audit.merkle import Frontier, Nodes, leaf_hash
from security.audit.packing import Package
from security.audit.shelf import Row, Shelf, rows_between
from security.audit.tables import CHECKPOINTS
from security.audit.tiles import stored_nodes
from storage.engine import Run, Storage

_PAGE: Final = 2048


class LogDamaged(ValueError):
    """The rows do not give what the checkpoint signs: `lgsp audit verify` says where."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Which entries an export holds, `last` not included, and the root over all entries before `last`."""

    origin: str
    first: int
    last: int
    root: bytes


async def write_export(
    storage: Storage,
    keys: Sequence[VerifierKey],
    out: BinaryIO,
    *,
    first: int = 0,
    last: int | None = None,
    full: bool = False,
    archives: Path | None = None,
) -> Exported:
    """Write entries from `first` on to `out`, page by page, whatever the size of the log.

    They end with the first checkpoint of at least `last` entries, by default the newest: what no checkpoint covers
    proves nothing. `full` adds every checkpoint of the range. `out` must be seekable. Archived entries are read from
    the files in `archives`; raises InArchive where they are not there (archives are exports, which this one can
    continue), NoEntry where there is no such range, `LogDamaged`, `CheckpointRejected` (no signature by one of `keys`),
    StorageUnavailable, OSError.
    """
    async with storage.reading() as run:
        size, note = await run(lambda connection: _checkpoint(connection, first, last))
        checkpoint = opened(note, keys)
        tree = await run(lambda connection: _frontier(first, stored_nodes(connection, first)))
        exported = Exported(checkpoint.origin, first, size, checkpoint.root)
        with Shelf(archives) as shelf, Package(out) as package:
            package.add_json("frontier.json", [b64encode(each).decode() for each in tree.hashes])
            with package.member("entries.jsonl") as write:
                for begin in range(first, size, _PAGE):
                    rows = await run(_entries(begin, min(begin + _PAGE, size)))
                    await asyncio.to_thread(_grow, tree, shelf, rows, write)
            if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
                raise LogDamaged(f"the entries do not give the root of the checkpoint of {size}")
            with package.member("checkpoints.txt") as write:
                if full:
                    await _checkpoints(run, first, size, write)
                write(note.encode())
            package.add("keys.txt", "".join(f"{key.encode()}\n" for key in keys).encode())
            root = b64encode(exported.root).decode()
            package.finish({"format": FORMAT, "origin": exported.origin, "first": first, "last": size, "root": root})
    return exported


def _checkpoint(connection: Connection, first: int, last: int | None) -> tuple[int, str]:
    """The checkpoint that the export ends with."""
    query = select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).limit(1)
    if last is None:
        query = query.order_by(CHECKPOINTS.c.size.desc())
    else:
        query = query.where(CHECKPOINTS.c.size >= last).order_by(CHECKPOINTS.c.size)
    found = connection.execute(query).first()
    if found is None or not 0 <= first < found.size:
        raise NoEntry("no checkpoint covers these entries")
    return found.size, found.note


def _frontier(size: int, nodes: Nodes) -> Frontier:
    """The roots of the complete subtrees of the first `size` entries, read where they are stored."""
    hashes, begin = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            hashes.append(nodes(level, begin >> level))
            begin += 1 << level
    return Frontier(size, hashes)


def _entries(begin: int, end: int) -> Callable[[Connection], list[Row]]:
    def look(connection: Connection) -> list[Row]:
        rows = rows_between(connection, begin, end)
        if [row.idx for row in rows] != list(range(begin, end)):
            raise LogDamaged(f"entries are missing between {begin} and {end - 1}")
        return rows

    return look


def _grow(tree: Frontier, shelf: Shelf, rows: Sequence[Row], write: Callable[[bytes], None]) -> None:
    bodies = shelf.whole(rows)
    for body in bodies:
        if b"\n" in body:
            raise LogDamaged(f"entry {tree.size} is not canonical JSON")
        tree.append(leaf_hash(body))
    write(b"".join([body + b"\n" for body in bodies]))


async def _checkpoints(run: Run, first: int, last: int, write: Callable[[bytes], None]) -> None:
    """Write the checkpoints between both ends, each followed by the line that separates them."""
    after = first
    while True:
        query = select(CHECKPOINTS).where(CHECKPOINTS.c.size > after, CHECKPOINTS.c.size < last)
        page = query.order_by(CHECKPOINTS.c.size).limit(_PAGE)
        rows: Sequence[Any] = await run(lambda connection, page=page: connection.execute(page).all())  # type: ignore[misc]
        if not rows:
            return
        write("".join([f"{row.note}--\n" for row in rows]).encode())
        after = rows[-1].size
