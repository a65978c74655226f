"""Verifying the whole log from its rows: every leaf, every complete tile, every checkpoint, the head, the repeats.

One pass in order, a page of rows at a time; memory does not grow with the log. What rows cannot prove (that the whole
is not an older, consistent copy) is the business of a witness.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, func, select

from security.audit.archive_check import on_record
from security.audit.checkpoint import CheckpointRejected, VerifierKey, opened
from security.audit.findings import Findings
from security.audit.merkle import HASH_SIZE, Frontier, leaf_hash
from security.audit.openings import OpeningsCheck
from security.audit.originals import original_leaves
from security.audit.reading_rows import as_bytes, as_number, rows_of, total
from security.audit.repeats import Told, told
from security.audit.sealing import Sealer
from security.audit.tables import CHECKPOINTS, ENTRIES, HEAD, TILES
from security.audit.tiles import HEIGHT, WIDTH
from storage.engine import Storage

PAGE = 4 * WIDTH
# Three lines, an empty one and the signature of the log: cosignatures of witnesses are kept elsewhere.
_NOTE_LINES = 5


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
        held = await run(lambda connection: on_record(connection, findings))
        findings.archived = tree.archived = held[-1].last if held else 0
        begin = 0
        while highest is not None and begin <= highest and not tree.stopped:

            def look(connection: Connection, begin: int = begin) -> None:
                entries, bodies = tree.page(connection, begin)
                openings.page(connection, begin, entries, bodies, tree.only_hashes)

            await run(look)
            begin += PAGE
        if not tree.stopped:
            await run(tree.end)
            await run(lambda connection: openings.end(connection, findings.entries))
        await run(tree.place)
    findings.found.sort(key=lambda finding: (finding.first, finding.last))
    return findings


def _bounds(connection: Connection) -> tuple[int | None, int | None]:
    row = connection.execute(select(func.min(ENTRIES.c.idx), func.max(ENTRIES.c.idx))).one()
    return row[0], row[1]


class _TreeCheck:
    """Grows the tree from the entries and compares tiles, checkpoints and head with it."""

    def __init__(self, findings: Findings, keys: Sequence[VerifierKey]) -> None:
        self.stopped = False
        # Entries before `archived` may be empty; those of the last page of which only the hash is here.
        self.archived = 0
        self.only_hashes: list[int] = []
        self._findings = findings
        self._keys = keys
        self._tree = Frontier()
        # The tree of the last checkpoint that holds, and the first that does not.
        self._proven = Frontier()
        self._diverged: tuple[int, bytes] | None = None
        self._levels: list[list[bytes]] = [[]]

    def page(self, connection: Connection, begin: int) -> tuple[dict[int, Told], dict[int, bytes]]:
        """Look at the entries [begin, begin + PAGE) with their checkpoints; return those that could be read."""
        end = begin + PAGE
        rows = rows_of(
            connection, select(ENTRIES).where(ENTRIES.c.idx >= begin, ENTRIES.c.idx < end).order_by(ENTRIES.c.idx)
        )
        signed = select(CHECKPOINTS).where(CHECKPOINTS.c.size > begin, CHECKPOINTS.c.size <= end)
        notes: dict[int, str] = dict(rows_of(connection, signed))
        entries: dict[int, Told] = {}
        bodies: dict[int, bytes] = {}
        tree, self.only_hashes = self._tree, []
        for index, leaf, body, *repeated in rows:
            if index != tree.size:
                if index < tree.size:
                    self._findings.add(index, index, "there are two entries of this number")
                    continue
                break
            if body == b"" and index < self.archived:
                # What its file holds to; checkpoints and tiles hold the hash to the tree.
                self.only_hashes.append(index)
                self._grow(connection, as_bytes(leaf))
            else:
                entry = self._entry(index, leaf, body, repeated)
                if entry is not None:
                    entries[index], bodies[index] = entry, body
                self._grow(connection, leaf_hash(as_bytes(body)))
            if (note := notes.get(tree.size)) is not None:
                self._checkpoint(tree.size, note)
        following = select(func.min(ENTRIES.c.idx)).where(ENTRIES.c.idx >= tree.size)
        if tree.size < end and (found := connection.execute(following).scalar()) is not None:
            self._gap(max(found, tree.size + 1))
        self._findings.entries = tree.size
        return entries, bodies

    def end(self, connection: Connection) -> None:
        """Compare what stands outside the entries with what they gave."""
        findings, size = self._findings, self._tree.size
        findings.root = self._tree.root()
        heads = rows_of(connection, select(HEAD.c.id, HEAD.c.size, HEAD.c.frontier).order_by(HEAD.c.id))
        _, stated, frontier = heads[0] if heads else (1, 0, b"")
        stated = as_number(stated)
        missing = stated > size
        if stated != size:
            findings.add(
                max(min(stated, size), 0), max(stated, size) - 1, f"the head says {stated} entries, there are {size}"
            )
        elif frontier != self._tree.encode() and self._diverged is None:
            findings.add(size, size, "the head does not belong to these entries")
        if [head[0] for head in heads] not in ([], [1]):
            findings.add(size, size, "there must be one head, of number 1")
        beyond = select(CHECKPOINTS.c.size).where((CHECKPOINTS.c.size > size) | (CHECKPOINTS.c.size < 1)).limit(1)
        for (signed,) in rows_of(connection, beyond):
            findings.add(max(min(size, signed), 0), max(size, signed - 1), f"a checkpoint of {signed} entries exists")
            missing = missing or signed > size
        # Where the end is missing, the checkpoint over what is left went with it: not a finding of its own.
        covered = self._proven.size
        if covered != size and not missing and self._diverged is None:
            findings.add(covered, size - 1, "no checkpoint covers these entries")
        for table, seen, name in (
            (ENTRIES, size, "entries"),
            (CHECKPOINTS, findings.checkpoints, "checkpoints"),
            (TILES, sum(size >> (HEIGHT * level) for level in range(1, 8)), "tiles"),
        ):
            if (there := total(connection, table)) > seen:
                findings.add(size, size, f"there are {there - seen} {name} that belong to no entries")

    def place(self, connection: Connection) -> None:
        """Say where the first checkpoint that signs another tree puts the change, as narrowly as can be proven."""
        if self._diverged is None:
            return
        size, root = self._diverged
        begin = self._proven.size
        altered = original_leaves(connection, self._proven, size, root)
        first, last = (altered[0], altered[-1]) if altered else (begin, size - 1)
        self._findings.add(first, last, f"the checkpoint of {size} entries signs another tree")

    def _gap(self, following: int) -> None:
        size, covered = self._tree.size, self._proven.size
        what = f"entries are missing; nothing from {following} on was verified"
        if covered < size and self._diverged is None:
            what += f", and no checkpoint could be compared with {covered} to {size - 1}"
        self._findings.add(size, following - 1, what)
        self.stopped = True

    def _entry(self, index: int, leaf: Any, body: Any, repeated: list[Any]) -> Told | None:
        if leaf_hash(as_bytes(body)) != leaf:
            self._findings.add(index, index, "the entry does not hash to its leaf")
        try:
            entry = told(as_bytes(body))
        except ValueError:
            self._findings.add(index, index, "the entry cannot be read")
            return None
        if entry.repeated != tuple(repeated):
            self._findings.add(index, index, "the columns of the row do not repeat the entry")
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
            grown = _root(hashes)
            self._tile(connection, level, (self._tree.size >> (HEIGHT * (level + 1))) - 1, hashes, grown)
            self._levels[level] = []
            level += 1

    def _tile(self, connection: Connection, level: int, number: int, hashes: list[bytes], root: bytes) -> None:
        step = 1 << (HEIGHT * level)
        first, last = number * WIDTH * step, (number + 1) * WIDTH * step - 1
        wanted = select(TILES.c.hashes, TILES.c.root).where(TILES.c.level == level, TILES.c.number == number)
        stored = rows_of(connection, wanted)
        if not stored:
            self._findings.add(first, last, f"tile {level}/{number} is missing")
            return
        there, said = as_bytes(stored[0][0]), stored[0][1]
        if there != b"".join(hashes):
            parts = (there[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in range(WIDTH))
            wrong = [first + at * step for at, part in enumerate(parts) if part != hashes[at]] or [last]
            self._findings.add(wrong[0], wrong[0] + step - 1, f"the entries and tile {level}/{number} differ")
        elif said != root:
            self._findings.add(first, last, f"the root of tile {level}/{number} is wrong")

    def _checkpoint(self, size: int, note: str) -> None:
        self._findings.checkpoints += 1
        try:
            checkpoint = opened(note if type(note) is str else "", self._keys)
        except (CheckpointRejected, UnicodeEncodeError) as failure:
            self._findings.add(size - 1, size - 1, f"the checkpoint of {size} entries is rejected: {failure}")
            return
        if checkpoint.size != size:
            self._findings.add(size - 1, size - 1, f"the checkpoint of {size} entries is of {checkpoint.size}")
            return
        if note.count("\n") != _NOTE_LINES:
            self._findings.add(size - 1, size - 1, f"the checkpoint of {size} entries has more than one signature")
        if self._diverged is not None:
            # Every later tree contains the one that differed: further checkpoints would only repeat the finding.
            return
        if checkpoint.root == self._tree.root():
            self._proven = Frontier(size, self._tree.hashes)
        else:
            self._diverged = (size, checkpoint.root)


def _root(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete tile."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]
