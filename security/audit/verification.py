"""Verifying the whole log from its rows: every leaf, every complete tile, every checkpoint, the head, the repeats.

One pass in order, a page of rows at a time; memory does not grow with the log. What rows cannot prove (that the whole
is not an older, consistent copy) is the business of a witness.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from security.audit.batch import REPEATED, columns
from security.audit.checkpoint import CheckpointRejected, VerifierKey, opened
from security.audit.findings import Findings
from security.audit.merkle import HASH_SIZE, Frontier, leaf_hash, root_of
from security.audit.openings import OpeningsCheck
from security.audit.sealing import Sealer
from security.audit.tables import CHECKPOINTS, ENTRIES, HEAD, TILES
from security.audit.tiles import HEIGHT, WIDTH
from storage.engine import Storage

PAGE = 4 * WIDTH


async def verify(storage: Storage, keys: Sequence[VerifierKey], sealer: Sealer | None = None) -> Findings:
    """Verify everything that rows and signatures can prove; with the vault, also that every opening still opens.

    Raises `StorageUnavailable`.
    """
    findings = Findings()
    tree = _TreeCheck(findings, keys)
    openings = OpeningsCheck(findings, sealer)
    async with storage.reading() as run:
        lowest, highest = await run(_bounds)
        if lowest is not None and lowest < 0:
            findings.add(0, 0, f"an entry has the number {lowest}")
        begin = 0
        while highest is not None and begin <= highest and not tree.stopped:

            def look(connection: Connection, begin: int = begin) -> None:
                openings.page(connection, begin, tree.page(connection, begin))

            await run(look)
            begin += PAGE
        if not tree.stopped:
            await run(tree.end)
            await run(lambda connection: openings.end(connection, findings.entries))
    tree.place()
    findings.found.sort(key=lambda finding: (finding.first, finding.last))
    return findings


def _bounds(connection: Connection) -> tuple[int | None, int | None]:
    row = connection.execute(select(func.min(ENTRIES.c.idx), func.max(ENTRIES.c.idx))).one()
    return row[0], row[1]


class _TreeCheck:
    """Grows the tree from the entries and compares tiles, checkpoints and head with it."""

    def __init__(self, findings: Findings, keys: Sequence[VerifierKey]) -> None:
        self.stopped = False
        self._findings = findings
        self._keys = keys
        self._tree = Frontier()
        self._covered = 0
        self._diverged: tuple[int, int] | None = None
        self._altered: set[int] = set()
        self._levels: list[list[bytes]] = [[]]

    def page(self, connection: Connection, begin: int) -> dict[int, dict[str, Any]]:
        """Look at the entries [begin, begin + PAGE) with their checkpoints; return those that could be read."""
        end = begin + PAGE
        rows = connection.execute(
            select(ENTRIES).where(ENTRIES.c.idx >= begin, ENTRIES.c.idx < end).order_by(ENTRIES.c.idx)
        ).all()
        signed = select(CHECKPOINTS).where(CHECKPOINTS.c.size > begin, CHECKPOINTS.c.size <= end)
        notes = {row.size: row.note for row in connection.execute(signed)}
        entries: dict[int, dict[str, Any]] = {}
        for row in rows:
            if row.idx != self._tree.size:
                break
            entry = self._entry(row)
            if entry is not None:
                entries[row.idx] = entry
            self._grow(connection, leaf_hash(row.body))
            if self._tree.size in notes:
                self._checkpoint(self._tree.size, notes[self._tree.size])
        following = select(func.min(ENTRIES.c.idx)).where(ENTRIES.c.idx >= self._tree.size)
        if self._tree.size < end and (found := connection.execute(following).scalar()) is not None:
            self._findings.add(self._tree.size, found - 1, f"entries are missing; nothing from {found} on was verified")
            self.stopped = True
        self._findings.entries = self._tree.size
        return entries

    def end(self, connection: Connection) -> None:
        """Compare what stands outside the entries with what they gave."""
        findings, size = self._findings, self._tree.size
        findings.root = self._tree.root()
        head = connection.execute(select(HEAD.c.size, HEAD.c.frontier)).first()
        stated, frontier = (head.size, head.frontier) if head else (0, b"")
        missing = stated > size
        if stated != size:
            findings.add(min(stated, size), max(stated, size) - 1, f"the head says {stated} entries, there are {size}")
        elif frontier != self._tree.encode() and self._diverged is None:
            findings.add(size, size, "the head does not belong to these entries")
        beyond = select(CHECKPOINTS.c.size).where((CHECKPOINTS.c.size > size) | (CHECKPOINTS.c.size < 1)).limit(1)
        for row in connection.execute(beyond):
            findings.add(min(size, row.size), max(size, row.size - 1), f"a checkpoint of {row.size} entries exists")
            missing = missing or row.size > size
        # Where the end is missing, the checkpoint over what is left went with it: not a finding of its own.
        if self._covered != size and not missing:
            findings.add(self._covered, size - 1, "no checkpoint covers these entries")
        tiles = connection.execute(select(func.count()).select_from(TILES)).scalar_one()
        expected = sum(size >> (HEIGHT * level) for level in range(1, 8))
        if tiles > expected:
            findings.add(size, size, f"there are {tiles - expected} tiles that belong to no entries")

    def _entry(self, row: Any) -> dict[str, Any] | None:
        if leaf_hash(row.body) != row.leaf:
            self._findings.add(row.idx, row.idx, "the entry does not hash to its leaf")
            self._altered.add(row.idx)
        try:
            entry: dict[str, Any] = json.loads(row.body)
            repeated = columns(entry)
        except (ValueError, AttributeError):
            self._findings.add(row.idx, row.idx, "the entry cannot be read")
            return None
        if repeated != tuple(getattr(row, name) for name in REPEATED):
            self._findings.add(row.idx, row.idx, "the columns of the row do not repeat the entry")
        return entry

    def _grow(self, connection: Connection, leaf: bytes) -> None:
        self._tree.append(leaf)
        level, grown = 0, leaf
        while True:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._levels[level]
            hashes.append(grown)
            if len(hashes) < WIDTH:
                return
            grown = root_of(hashes)
            self._tile(connection, level, (self._tree.size >> (HEIGHT * (level + 1))) - 1, hashes, grown)
            self._levels[level] = []
            level += 1

    def _tile(self, connection: Connection, level: int, number: int, hashes: list[bytes], root: bytes) -> None:
        step = 1 << (HEIGHT * level)
        first, last = number * WIDTH * step, (number + 1) * WIDTH * step - 1
        wanted = select(TILES.c.hashes, TILES.c.root).where(TILES.c.level == level, TILES.c.number == number)
        stored = connection.execute(wanted).first()
        if stored is None:
            self._findings.add(first, last, f"tile {level}/{number} is missing")
        elif stored.hashes != b"".join(hashes):
            parts = (stored.hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in range(WIDTH))
            wrong = [first + at * step for at, part in enumerate(parts) if part != hashes[at]] or [last]
            self._findings.add(wrong[0], wrong[0] + step - 1, f"the entries and tile {level}/{number} differ")
            if level == 0:
                self._altered.update(wrong)
        elif stored.root != root:
            self._findings.add(first, last, f"the root of tile {level}/{number} is wrong")

    def _checkpoint(self, size: int, note: str) -> None:
        self._findings.checkpoints += 1
        try:
            checkpoint = opened(note, self._keys)
        except CheckpointRejected as failure:
            self._findings.add(size - 1, size - 1, f"the checkpoint of {size} entries is rejected: {failure}")
            return
        if checkpoint.size != size:
            self._findings.add(size - 1, size - 1, f"the checkpoint of {size} entries is of {checkpoint.size}")
        elif checkpoint.root != self._tree.root() and self._diverged is None:
            # Every later tree contains this one: further checkpoints would only repeat the finding.
            self._diverged = (self._covered, size)
        self._covered = size

    def place(self) -> None:
        """Say where the first checkpoint that signs another tree puts the change: leaves and tiles may narrow it."""
        if self._diverged is None:
            return
        begin, size = self._diverged
        known = [index for index in self._altered if begin <= index < size]
        first, last = (min(known), max(known)) if known else (begin, size - 1)
        self._findings.add(first, last, f"the checkpoint of {size} entries signs another tree")
