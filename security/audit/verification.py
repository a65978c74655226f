"""Verifying the whole log from its rows: every leaf, every complete tile, every checkpoint, the head, the repeats.

One pass in order, a page of rows at a time; memory does not grow with the log. What rows cannot prove (that the whole
is not an older, consistent copy) is the business of a witness.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from security.audit.archive_check import on_record
from security.audit.archived_openings import REDACTION
from security.audit.checkpoint import VerifierKey
from security.audit.findings import Findings
from security.audit.growing import Complete, Growing
from security.audit.materials_check import materials_kept
from security.audit.merkle import HASH_SIZE, complete_root, leaf_hash
from security.audit.openings import OpeningsCheck, Page
from security.audit.reading_rows import BEGIN, END, as_bytes, as_number, rows_of, total, uncollected
from security.audit.repeats import KIND, told
from security.audit.rotations import ROTATION, RotationsCheck
from security.audit.runs_check import RUN_KINDS, RunsCheck
from security.audit.schema_check import as_made
from security.audit.sealing import Sealer
from security.audit.signed import SignedCheck
from security.audit.stored_twice import is_damage, stored_twice
from security.audit.tables import ENTRIES, HEAD, TILES
from security.audit.tiles import HEIGHT, WIDTH
from security.audit.witnessed_check import stamps_hold
from storage.engine import Storage
from storage.errors import StorageUnavailable

# Few enough that what one page holds is still in the processor's cache when it is looked at.
PAGE = 2 * WIDTH
_ROWS = select(ENTRIES).where(ENTRIES.c.idx >= BEGIN, ENTRIES.c.idx < END).order_by(ENTRIES.c.idx)
_LOWEST_TILES = select(TILES.c.number, TILES.c.hashes, TILES.c.root).where(
    TILES.c.level == 0, TILES.c.number >= BEGIN, TILES.c.number < END
)


async def verify(storage: Storage, keys: Sequence[VerifierKey], sealer: Sealer | None = None) -> Findings:
    """Verify everything that rows and signatures can prove; with the vault, also that every opening still opens.

    Raises `StorageUnavailable`.
    """
    findings = Findings()
    tree = _TreeCheck(findings, keys)
    openings = OpeningsCheck(findings, sealer)
    begin, highest = 0, -1
    unlike: list[str] = []
    # SQLite looks at its indexes without the interpreter: beside the rest, where there is a second processor.
    beside = asyncio.ensure_future(storage.read(stored_twice))
    try:
        async with storage.reading() as run:
            lowest, highest = await run(_bounds)
            if isinstance(lowest, (int, float)) and lowest < 0:
                findings.add(0, 0, f"an entry has the number {lowest}")
            unlike = await run(as_made)
            held = await run(lambda connection: on_record(connection, findings))
            findings.archived = tree.archived = held[-1].last if held else 0
            await run(tree.runs.read)
            while begin <= highest and not tree.stopped:

                def look(connection: Connection, begin: int = begin) -> None:
                    with uncollected():
                        openings.page(connection, begin, tree.page(connection, begin))

                await run(look)
                await openings.settle(storage)
                begin += PAGE
            if not tree.stopped:
                await run(tree.end)
                await run(lambda connection: openings.end(connection, findings.entries))
            await run(tree.place)
            await run(lambda connection: materials_kept(connection, findings))
            await run(lambda connection: stamps_hold(connection, findings))
        for index, what in await beside:
            first, last = (0, max(findings.entries - 1, 0)) if index is None else (index, index)
            findings.add(first, last, what)
    except StorageUnavailable as failure:
        if not is_damage(failure):
            raise
        last = max(highest, 0)
        first = begin if begin <= last else 0
        findings.add(first, last, f"the file of the database is damaged, and could not be read to its end: {failure}")
    except (TypeError, ValueError, ArithmeticError, SQLAlchemyError) as failure:
        # In tables that are not ours anything may stand; in ours it would be a mistake of this program.
        if not unlike:
            raise
        findings.add(min(begin, max(highest, 0)), max(highest, 0), f"what stands there cannot be read: {failure!r}")
    finally:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
    for what in unlike:
        findings.add(findings.entries, findings.entries, f"{what}; rows may be changed or hidden on their way")
    findings.found.sort(key=lambda finding: (finding.first, finding.last))
    return findings


def _bounds(connection: Connection) -> tuple[Any, int]:
    """The lowest number, and up to which one entries can follow each other."""
    ((lowest, highest),) = rows_of(connection, select(func.min(ENTRIES.c.idx), func.max(ENTRIES.c.idx)))
    # What was freed from its types sorts behind all numbers.
    return lowest, highest if type(highest) is int else total(connection, ENTRIES) - 1


class _TreeCheck:
    """Grows the tree from the entries and compares tiles, checkpoints and head with it."""

    def __init__(self, findings: Findings, keys: Sequence[VerifierKey]) -> None:
        self.stopped = False
        # Entries before it may be empty.
        self.archived = 0
        self._findings = findings
        self._tree = Growing()
        self._signed = SignedCheck(findings, keys)
        self._rotations = RotationsCheck(findings, keys)
        self.runs = RunsCheck(findings)
        # Who reads entries of kinds that tell of something outside the entries.
        self._readers: dict[str | None, Callable[[int, bytes], None]] = {ROTATION: self._rotations.look}
        self._readers |= dict.fromkeys(RUN_KINDS, self.runs.look)
        # By level and number; only those that the next tile above them will be complete with.
        self._altered: dict[int, dict[int, _Altered]] = {}

    def page(self, connection: Connection, begin: int) -> Page:
        """Look at the entries [begin, begin + PAGE) with their checkpoints; return what the side table is to hold."""
        end = begin + PAGE
        rows = rows_of(connection, _ROWS, begin=begin, end=end)
        signed = self._signed.sizes(connection, begin, end)
        lowest = rows_of(connection, _LOWEST_TILES, begin=begin // WIDTH, end=end // WIDTH)
        tiles = {number: rest for number, *rest in lowest}
        tree, size, page = self._tree, self._tree.size, Page()
        add, leaves, archived, readers = self._findings.add, tree.leaves, self.archived, self._readers
        for row in rows:
            index, body = row[0], row[2]
            if index != size:
                if index < size:
                    add(int(index), int(index), "there are two entries of this number")
                    continue
                break
            if body == b"" and index < archived:
                # What its file holds to; checkpoints and tiles hold the hash to the tree.
                page.archived.append(index)
                leaf = as_bytes(row[1])
                if len(leaf) != HASH_SIZE:
                    add(index, index, "what stands for the hash of the archived entry is none")
                    leaf = bytes(HASH_SIZE)
                leaves.append(leaf)
            else:
                # All of this once for every entry: no function for it that would be called.
                if type(body) is not bytes:
                    body = b""
                leaf = leaf_hash(body)
                leaves.append(leaf)
                if leaf != row[1]:
                    add(index, index, "the entry does not hash to its leaf")
                try:
                    entry = told(body)
                except ValueError:
                    add(index, index, "the entry cannot be read")
                    page.unread.add(index)
                else:
                    if entry.repeated != row[3:]:
                        add(index, index, "the columns of the row do not repeat the entry")
                    if entry.after is not None:
                        self._signed.demand(index, *entry.after)
                    if entry.committed or entry.repeated[KIND] == REDACTION:
                        page.entries[index] = entry
                    elif entry.repeated[KIND] in readers:
                        readers[entry.repeated[KIND]](index, body)
            size += 1
            if len(leaves) == WIDTH:
                for tile in tree.complete():
                    self._tile(tile, tiles.get(tile.number) if tile.level == 0 else _stored(connection, tile))
                leaves = tree.leaves
            if size in signed:
                self._signed.look(size, tree)
        following = select(func.min(ENTRIES.c.idx)).where(ENTRIES.c.idx >= size)
        if size < end and (found := rows_of(connection, following)[0][0]) is not None:
            self._gap(max(as_number(found), size + 1))
        self._findings.entries = page.end = size
        return page

    def end(self, connection: Connection) -> None:
        """Compare what stands outside the entries with what they gave."""
        findings, tree = self._findings, self._tree.tree()
        size, findings.root = tree.size, tree.root()
        heads = rows_of(connection, select(HEAD.c.id, HEAD.c.size, HEAD.c.frontier).order_by(HEAD.c.id))
        _, stated, frontier = heads[0] if heads else (1, 0, b"")
        stated = as_number(stated)
        if stated != size:
            findings.add(
                max(min(stated, size), 0), max(stated, size, 1) - 1, f"the head says {stated} entries, there are {size}"
            )
        elif frontier != tree.encode() and self._signed.diverged is None:
            findings.add(size, size, "the head does not belong to these entries")
        if [head[0] for head in heads] not in ([], [1]):
            findings.add(size, size, "there must be one head, of number 1")
        self._signed.end(connection, size, cut=stated > size)
        self.runs.end(self.archived)
        for table, seen, name in (
            (ENTRIES, size, "entries"),
            (TILES, sum(size >> (HEIGHT * level) for level in range(1, 8)), "tiles"),
        ):
            if (there := total(connection, table)) > seen:
                findings.add(size, size, f"there are {there - seen} {name} that belong to no entries")

    def place(self, connection: Connection) -> None:
        """Place the changes that only signatures show, and hold signatures and keys to the entries about the keys."""
        self._signed.place(connection, self._tree.size)
        self._rotations.end(connection)

    def _gap(self, following: int) -> None:
        size, covered = self._tree.size, self._signed.proven.size
        what = f"entries are missing; nothing from {following} on was verified"
        if covered < size and self._signed.diverged is None:
            what += f", and no checkpoint could be compared with {covered} to {size - 1}"
        self._findings.add(size, following - 1, what)
        self.stopped = True

    def _tile(self, tile: Complete, stored: Sequence[Any] | None) -> None:
        step = 1 << (HEIGHT * tile.level)
        first, last = tile.number * WIDTH * step, (tile.number + 1) * WIDTH * step - 1
        below = self._altered.pop(tile.level - 1, {})
        if stored is None:
            self._findings.add(first, last, f"tile {tile.level}/{tile.number} is missing")
            return
        there, said = as_bytes(stored[0]), stored[1]
        if there != tile.hashes:
            begin, end = _differing(tile, there, below) or (last + 1 - step, last)
            altered = self._altered.setdefault(tile.level, {})
            altered[tile.number] = _Altered(complete_root(there), begin, end)
            self._findings.add(begin, end, f"the entries and tile {tile.level}/{tile.number} differ")
        elif said != tile.root:
            self._findings.add(first, last, f"the root of tile {tile.level}/{tile.number} is wrong")


class _Altered(NamedTuple):
    """A tile that the entries differ from: the root of what stands in it, and the entries that this is about."""

    root: bytes
    first: int
    last: int


def _differing(tile: Complete, there: bytes, below: Mapping[int, _Altered]) -> tuple[int, int] | None:
    """The entries behind the first hash that differs; one that the tile below it explains counts only if all are.

    That the hash of a tile differs follows from what is wrong in it, and there it is narrower. None: nothing but the
    length differs.
    """
    explained = None
    for place in range(WIDTH):
        part = slice(place * HASH_SIZE, (place + 1) * HASH_SIZE)
        if there[part] == tile.hashes[part]:
            continue
        number = tile.number * WIDTH + place
        known = below.get(number)
        if known is None or known.root != there[part]:
            step = 1 << (HEIGHT * tile.level)
            return number * step, (number + 1) * step - 1
        explained = explained or (known.first, known.last)
    return explained


def _stored(connection: Connection, tile: Complete) -> Sequence[Any] | None:
    wanted = select(TILES.c.hashes, TILES.c.root).where(TILES.c.level == tile.level, TILES.c.number == tile.number)
    return next(iter(rows_of(connection, wanted)), None)
