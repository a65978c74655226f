"""Where the hashes of the tree lie: complete tiles of 256 (C2SP tlog-tiles), the unfinished rest in the entries.

An append touches a tile once in 256 entries; a proof reads one tile per eight levels, whatever the size of the log.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from security.audit.merkle import HASH_SIZE, Nodes, root_of
from security.audit.tables import ENTRIES, HEAD, TILES

HEIGHT = 8
WIDTH = 1 << HEIGHT


def complete(connection: Connection, size: int, leaves: Sequence[bytes]) -> None:
    """Write the tiles that become complete when these leaf hashes follow the first `size` entries.

    The entries themselves need not be written yet.
    """
    for number in range(size // WIDTH, (size + len(leaves)) // WIDTH):
        begin = number * WIDTH
        earlier = _partial(connection, 0, number, size - begin) if begin < size else []
        added = leaves[max(begin - size, 0) : begin + WIDTH - size]
        _store(connection, 0, number, [*earlier, *added])


def _store(connection: Connection, level: int, number: int, hashes: list[bytes]) -> None:
    row = {"level": level, "number": number, "hashes": b"".join(hashes), "root": root_of(hashes)}
    connection.execute(TILES.insert(), row)
    if (number + 1) % WIDTH == 0:
        above = number // WIDTH
        _store(connection, level + 1, above, _partial(connection, level + 1, above, WIDTH))


def _partial(connection: Connection, level: int, number: int, count: int) -> list[bytes]:
    """The first `count` hashes of a tile that is not stored."""
    begin = number * WIDTH
    if level == 0:
        column, key, query = ENTRIES.c.leaf, ENTRIES.c.idx, select(ENTRIES.c.leaf)
    else:
        column, key = TILES.c.root, TILES.c.number
        query = select(column).where(TILES.c.level == level - 1)
    found = connection.execute(query.where(key >= begin, key < begin + count).order_by(key)).scalars().all()
    if len(found) != count:
        raise ValueError(f"audit log: {count - len(found)} hashes of tile {level}/{number} are missing")
    return list(found)


def tile(connection: Connection, level: int, number: int, width: int) -> bytes | None:
    """The first `width` hashes of a tile, as tlog-tiles serves them; None where the log is not that long."""
    if number * WIDTH + width > _size(connection) >> (HEIGHT * level):
        return None
    query = select(TILES.c.hashes).where(TILES.c.level == level, TILES.c.number == number)
    packed: bytes | None = connection.execute(query).scalar()
    if packed is not None:
        return packed[: width * HASH_SIZE]
    return b"".join(_partial(connection, level, number, width))


def bundle(connection: Connection, number: int, width: int) -> list[bytes] | None:
    """The first `width` entries of a tile of the lowest level; None where the log is not that long."""
    begin = number * WIDTH
    if begin + width > _size(connection):
        return None
    within = (ENTRIES.c.idx >= begin, ENTRIES.c.idx < begin + width)
    found = connection.execute(select(ENTRIES.c.body).where(*within).order_by(ENTRIES.c.idx)).scalars().all()
    if len(found) != width:
        raise ValueError(f"audit log: {width - len(found)} entries of tile {number} are missing")
    return list(found)


def _size(connection: Connection) -> int:
    return connection.execute(select(HEAD.c.size)).scalar() or 0


def stored_nodes(connection: Connection, size: int) -> Nodes:
    """Give access to the complete subtrees of the tree of `size` entries; raises ValueError where rows are missing."""
    tiles: dict[tuple[int, int], list[bytes]] = {}

    def tile(level: int, number: int) -> list[bytes]:
        if (level, number) not in tiles:
            packed = connection.execute(
                select(TILES.c.hashes).where(TILES.c.level == level, TILES.c.number == number)
            ).scalar()
            if packed is not None:
                hashes = [packed[at : at + HASH_SIZE] for at in range(0, len(packed), HASH_SIZE)]
            else:
                hashes = _partial(connection, level, number, (size >> (HEIGHT * level)) - number * WIDTH)
            tiles[level, number] = hashes
        return tiles[level, number]

    def nodes(level: int, index: int) -> bytes:
        of, height = divmod(level, HEIGHT)
        begin = index << height
        hashes = tile(of, begin // WIDTH)[begin % WIDTH :][: 1 << height]
        if len(hashes) != 1 << height:
            raise ValueError(f"audit log: subtree {level}/{index} is not complete")
        return root_of(hashes)

    return nodes
