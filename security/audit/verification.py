"""Verifying the whole log from its rows: every leaf, every complete tile, every checkpoint, the head, the repeats.

One pass in order, a page of rows at a time; memory does not grow with the log. What rows cannot prove (that the whole
is not an older, consistent copy) is the business of a witness.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from security.audit.archive_check import on_record
from security.audit.checkpoint import CheckpointRejected, VerifierKey, is_of_log_alone, opened
from security.audit.findings import Findings
from security.audit.growing import Complete, Growing
from security.audit.merkle import HASH_SIZE, Frontier, leaf_hash
from security.audit.openings import REDACTION, OpeningsCheck, Page
from security.audit.originals import original_leaves
from security.audit.reading_rows import as_bytes, as_number, rows_of, total
from security.audit.repeats import KIND, told
from security.audit.sealing import Sealer
from security.audit.tables import CHECKPOINTS, ENTRIES, HEAD, TILES
from security.audit.tiles import HEIGHT, WIDTH
from storage.engine import Storage

PAGE = 16 * WIDTH


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
                openings.page(connection, begin, tree.page(connection, begin))

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
        # Entries before it may be empty.
        self.archived = 0
        self._findings = findings
        self._keys = keys
        self._tree = Growing()
        # The tree of the last checkpoint that holds, and the first that does not.
        self._proven = Frontier()
        self._diverged: tuple[int, bytes] | None = None

    def page(self, connection: Connection, begin: int) -> Page:
        """Look at the entries [begin, begin + PAGE) with their checkpoints; return what the side table is to hold."""
        end = begin + PAGE
        rows = rows_of(
            connection, select(ENTRIES).where(ENTRIES.c.idx >= begin, ENTRIES.c.idx < end).order_by(ENTRIES.c.idx)
        )
        signed = select(CHECKPOINTS).where(CHECKPOINTS.c.size > begin, CHECKPOINTS.c.size <= end)
        notes: dict[int, str] = dict(rows_of(connection, signed))
        lowest = select(TILES.c.number, TILES.c.hashes, TILES.c.root).where(
            TILES.c.level == 0, TILES.c.number >= begin // WIDTH, TILES.c.number < end // WIDTH
        )
        tiles = {number: rest for number, *rest in rows_of(connection, lowest)}
        tree, size, page = self._tree, self._tree.size, Page()
        for row in rows:
            index, leaf, body = row[:3]
            if index != size:
                if index < size:
                    self._findings.add(index, index, "there are two entries of this number")
                    continue
                break
            if body == b"" and index < self.archived:
                # What its file holds to; checkpoints and tiles hold the hash to the tree.
                page.archived.append(index)
                tree.leaves.append(as_bytes(leaf))
            else:
                tree.leaves.append(self._entry(row, page))
            size += 1
            if len(tree.leaves) == WIDTH:
                for tile in tree.complete():
                    self._tile(tile, tiles.get(tile.number) if tile.level == 0 else _stored(connection, tile))
            if (note := notes.get(size)) is not None:
                self._checkpoint(size, note)
        following = select(func.min(ENTRIES.c.idx)).where(ENTRIES.c.idx >= size)
        if size < end and (found := connection.execute(following).scalar()) is not None:
            self._gap(max(found, size + 1))
        self._findings.entries = page.end = size
        return page

    def end(self, connection: Connection) -> None:
        """Compare what stands outside the entries with what they gave."""
        findings, tree = self._findings, self._tree.tree()
        size, findings.root = tree.size, tree.root()
        heads = rows_of(connection, select(HEAD.c.id, HEAD.c.size, HEAD.c.frontier).order_by(HEAD.c.id))
        _, stated, frontier = heads[0] if heads else (1, 0, b"")
        stated = as_number(stated)
        missing = stated > size
        if stated != size:
            findings.add(
                max(min(stated, size), 0), max(stated, size) - 1, f"the head says {stated} entries, there are {size}"
            )
        elif frontier != tree.encode() and self._diverged is None:
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

    def _entry(self, row: tuple[Any, ...], page: Page) -> bytes:
        """Compare an entry with what its row says of it; return its leaf hash."""
        index, body = row[0], row[2]
        if type(body) is not bytes:
            body = b""
        leaf = leaf_hash(body)
        if leaf != row[1]:
            self._findings.add(index, index, "the entry does not hash to its leaf")
        try:
            entry = told(body)
        except ValueError:
            self._findings.add(index, index, "the entry cannot be read")
            page.unread.add(index)
            return leaf
        if entry.repeated != row[3:]:
            self._findings.add(index, index, "the columns of the row do not repeat the entry")
        if entry.committed or entry.repeated[KIND] == REDACTION:
            page.entries[index] = entry
            page.bodies[index] = body
        return leaf

    def _tile(self, tile: Complete, stored: Sequence[Any] | None) -> None:
        step = 1 << (HEIGHT * tile.level)
        first, last = tile.number * WIDTH * step, (tile.number + 1) * WIDTH * step - 1
        if stored is None:
            self._findings.add(first, last, f"tile {tile.level}/{tile.number} is missing")
            return
        there, said = as_bytes(stored[0]), stored[1]
        if there != tile.hashes:
            parts = range(0, WIDTH * HASH_SIZE, HASH_SIZE)
            wrong = [part for part in parts if there[part : part + HASH_SIZE] != tile.hashes[part : part + HASH_SIZE]]
            begin = first + wrong[0] // HASH_SIZE * step if wrong else last
            self._findings.add(begin, begin + step - 1, f"the entries and tile {tile.level}/{tile.number} differ")
        elif said != tile.root:
            self._findings.add(first, last, f"the root of tile {tile.level}/{tile.number} is wrong")

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
        if not is_of_log_alone(note, self._keys):
            # Cosignatures of witnesses are kept elsewhere.
            what = f"the checkpoint of {size} entries holds more than signatures of this log's keys"
            self._findings.add(size - 1, size - 1, what)
        if self._diverged is not None:
            # Every later tree contains the one that differed: further checkpoints would only repeat the finding.
            return
        tree = self._tree.tree()
        if checkpoint.root == tree.root():
            self._proven = tree
        else:
            self._diverged = (size, checkpoint.root)


def _stored(connection: Connection, tile: Complete) -> Sequence[Any] | None:
    wanted = select(TILES.c.hashes, TILES.c.root).where(TILES.c.level == tile.level, TILES.c.number == tile.number)
    return next(iter(rows_of(connection, wanted)), None)
