"""Placing a change below a checkpoint: which entries must have been others for its signature to hold."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from security.audit.archived import archived
from security.audit.merkle import HASH_SIZE, Frontier, complete_root, leaf_hash
from security.audit.reading_rows import as_bytes, rows_of
from security.audit.tables import ENTRIES, TILES
from security.audit.tiles import WIDTH


def original_leaves(connection: Connection, proven: Frontier, size: int, root: bytes) -> Sequence[int]:
    """The numbers of the altered entries between the tree `proven` and the signed one of `size` entries with `root`.

    Hashes that are stored (of leaves in tiles, else beside the entries; then those of tiles in the tile above them) are
    taken for the original ones, and believed where with them the tree is the signed one. Of a tile of which only the
    hash is left, the first and the last entry. Nothing where they cannot be told.
    """
    for upper in (False, True):
        tree, altered = _rebuilt(connection, proven, size, upper=upper)
        if tree.root() == root:
            return altered
    return ()


def _rebuilt(connection: Connection, proven: Frontier, size: int, *, upper: bool) -> tuple[Frontier, list[int]]:
    """The tree that stored hashes lead to, and the entries that differ from them; `upper`: those above come first."""
    tree = Frontier(proven.size, proven.hashes)
    altered: list[int] = []
    elsewhere = archived(connection)
    while tree.size < size:
        first = tree.size
        number = first // WIDTH
        end = min((number + 1) * WIDTH, size)
        query = select(ENTRIES.c.idx, ENTRIES.c.leaf, ENTRIES.c.body).where(ENTRIES.c.idx >= first, ENTRIES.c.idx < end)
        entries = {index: (leaf, body) for index, leaf, body in rows_of(connection, query.order_by(ENTRIES.c.idx))}
        stored = _hashes(connection, 0, number)
        there, originals = [], []
        for index in range(first, end):
            leaf, body = map(as_bytes, entries.get(index, (b"", b"")))
            originals.append(leaf if stored is None else _part(stored, index))
            # Of an archived entry only the hash is here.
            there.append(leaf if not body and index < elsewhere else leaf_hash(body))
        above = _hashes(connection, 1, number // WIDTH) if upper and end - first == WIDTH else None
        if above is None or complete_root(b"".join(originals)) == _part(above, number):
            altered += [first + place for place in range(end - first) if there[place] != originals[place]]
            for original in originals:
                tree.append(original)
            continue
        if complete_root(b"".join(there)) != _part(above, number):
            altered += [first, end - 1]
        tiles = Frontier(number, tree.hashes)
        tiles.append(_part(above, number))
        tree = Frontier(end, tiles.hashes)
    return tree, altered


def _hashes(connection: Connection, level: int, number: int) -> bytes | None:
    stored = rows_of(connection, select(TILES.c.hashes).where(TILES.c.level == level, TILES.c.number == number))
    return as_bytes(stored[0][0]) if stored else None


def _part(hashes: bytes, number: int) -> bytes:
    """The hash of this number in the tile that it is in, filled up where the tile was shortened."""
    return hashes[number % WIDTH * HASH_SIZE :][:HASH_SIZE].ljust(HASH_SIZE, b"\0")
