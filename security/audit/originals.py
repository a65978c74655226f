"""Placing a change below a checkpoint: which entries must have been others for its signature to hold."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from security.audit.archived import archived
from security.audit.merkle import HASH_SIZE, Frontier, leaf_hash
from security.audit.reading_rows import as_bytes, rows_of
from security.audit.tables import ENTRIES, TILES
from security.audit.tiles import WIDTH


def original_leaves(connection: Connection, proven: Frontier, size: int, root: bytes) -> Sequence[int]:
    """The numbers of the altered entries between the tree `proven` and the signed one of `size` entries with `root`.

    Leaf hashes that are stored (in tiles, else beside the entries) are taken for the original ones, and believed where
    with them the tree is the signed one. Nothing where they cannot be told.
    """
    tree = Frontier(proven.size, proven.hashes)
    altered: list[int] = []
    elsewhere = archived(connection)
    while tree.size < size:
        first = tree.size
        number = first // WIDTH
        end = min((number + 1) * WIDTH, size)
        query = select(ENTRIES.c.idx, ENTRIES.c.leaf, ENTRIES.c.body).where(ENTRIES.c.idx >= first, ENTRIES.c.idx < end)
        entries = {index: (leaf, body) for index, leaf, body in rows_of(connection, query.order_by(ENTRIES.c.idx))}
        stored = rows_of(connection, select(TILES.c.hashes).where(TILES.c.level == 0, TILES.c.number == number))
        for index in range(first, end):
            leaf, body = map(as_bytes, entries.get(index, (b"", b"")))
            original = as_bytes(stored[0][0])[index % WIDTH * HASH_SIZE :][:HASH_SIZE] if stored else leaf
            # Of an archived entry only the hash is here.
            there = leaf if not body and index < elsewhere else leaf_hash(body)
            if there != original:
                altered.append(index)
            tree.append(original)
    return altered if tree.root() == root else ()
