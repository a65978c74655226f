"""Whether one copy of the log continues another: for `lgsp storage copy / backup / restore`.

Everything is recomputed from the entries themselves, none of it taken from stored hashes.
"""

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import Connection, select

from security.audit.archived import archived
from security.audit.checkpoint import Checkpoint
from security.audit.merkle import Frontier, leaf_hash
from security.audit.reading_rows import as_bytes, rows_of
from security.audit.tables import ENTRIES

PAGE = 1000


def root(connection: Connection) -> bytes:
    """The root over all entries, preceded by their number (8 bytes)."""
    tree = Frontier()
    for leaf in leaves(connection):
        tree.append(leaf)
    return tree.size.to_bytes(8, "big") + tree.root()


def containing(known: Iterable[Checkpoint]) -> Callable[[Connection], str | None]:
    """Make the check that a database holds everything that these (verified) checkpoints prove.

    The check returns what is missing or different, None when all is there.
    """
    wanted = sorted(known, key=lambda checkpoint: checkpoint.size)

    def check(connection: Connection) -> str | None:
        tree, rest = Frontier(), leaves(connection)
        for checkpoint in wanted:
            while tree.size < checkpoint.size:
                leaf = next(rest, None)
                if leaf is None:
                    return f"it ends at entry {tree.size}, but {checkpoint.size} entries are known to exist"
                tree.append(leaf)
            if tree.root() != checkpoint.root:
                return f"its first {checkpoint.size} entries are not those of the known checkpoint"
        return None

    return check


def leaves(connection: Connection) -> Iterator[bytes]:
    """The leaf hashes up to the first gap, each made of its entry anew, where that was not archived."""
    index, elsewhere = 0, archived(connection)
    while True:
        columns = (ENTRIES.c.idx, ENTRIES.c.leaf, ENTRIES.c.body)
        query = select(*columns).where(ENTRIES.c.idx >= index).order_by(ENTRIES.c.idx).limit(PAGE)
        rows = rows_of(connection, query)
        for number, leaf, body in rows:
            if number != index:
                return
            # What is of no column's type belongs to another tree, as what was changed does.
            yield as_bytes(leaf) if index < elsewhere and not body else leaf_hash(as_bytes(body))
            index += 1
        if len(rows) < PAGE:
            return
