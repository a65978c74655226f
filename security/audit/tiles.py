"""Where the hashes of the tree lie: complete tiles of 256 (C2SP tlog-tiles), the unfinished rest in the entries.

An append touches a tile once in 256 entries; a proof reads one tile per eight levels, whatever the size of the log.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from security.audit.merkle import HASH_SIZE, Frontier, Nodes, complete_root, root_of
from security.audit.shelf import Row, rows_between
from security.audit.tables import ENTRIES, HEAD, TILES
from storage.bulk import run_rendered

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
    within = {"begin": begin, "end": begin + count}
    query = _LEAVES if level == 0 else _ROOTS
    found = connection.execute(query, within if level == 0 else {**within, "level": level - 1}).scalars().all()
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


def bundle(connection: Connection, number: int, width: int) -> list[Row] | None:
    """The rows of the first `width` entries of a tile of the lowest level; None where the log is not that long."""
    begin = number * WIDTH
    if begin + width > _size(connection):
        return None
    found = rows_between(connection, begin, begin + width)
    if len(found) != width:
        raise ValueError(f"audit log: {width - len(found)} entries of tile {number} are missing")
    return found


def _size(connection: Connection) -> int:
    return connection.execute(select(HEAD.c.size)).scalar() or 0


def stored_nodes(connection: Connection, size: int) -> Nodes:
    """Give access to the complete subtrees of the tree of `size` entries; raises ValueError where rows are missing."""
    tiles: dict[tuple[int, int], bytes] = {}
    edge = _edge(connection, size)

    def fetched(level: int, number: int) -> bytes:
        within = size >> (HEIGHT * level)
        # What the newest tree lacks of a tile nobody has stored yet.
        if not edge or (number + 1) * WIDTH <= within:
            packed: tuple[bytes] | None = run_rendered(connection, _TILE, ("level", "number"), (level, number))
            if packed is not None:
                return packed[0]
        return b"".join(_partial(connection, level, number, within - number * WIDTH))

    def nodes(level: int, index: int) -> bytes:
        if (level, index) in edge:
            return edge[level, index]
        of, height = divmod(level, HEIGHT)
        number, begin = divmod(index << height, WIDTH)
        if (of, number) not in tiles:
            tiles[of, number] = fetched(of, number)
        hashes = tiles[of, number][begin * HASH_SIZE :][: HASH_SIZE << height]
        if len(hashes) != HASH_SIZE << height:
            raise ValueError(f"audit log: subtree {level}/{index} is not complete")
        return complete_root(hashes)

    return nodes


def _edge(connection: Connection, size: int) -> dict[tuple[int, int], bytes]:
    """The complete subtrees at the right edge, of which the head knows the roots; empty for any but the newest tree."""
    head = run_rendered(connection, _HEAD)
    if head is None or head[0] != size:
        return {}
    found, begin = {}, 0
    hashes = iter(Frontier.decode(size, head[1]).hashes)
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found[level, begin >> level] = next(hashes)
            begin += 1 << level
    return found


_LEAVES = (
    select(ENTRIES.c.leaf)
    .where(ENTRIES.c.idx >= bindparam("begin"), ENTRIES.c.idx < bindparam("end"))
    .order_by(ENTRIES.c.idx)
)
_ROOTS = (
    select(TILES.c.root)
    .where(
        TILES.c.level == bindparam("level"),
        TILES.c.number >= bindparam("begin"),
        TILES.c.number < bindparam("end"),
    )
    .order_by(TILES.c.number)
)
_TILE = select(TILES.c.hashes).where(TILES.c.level == bindparam("level"), TILES.c.number == bindparam("number"))
_HEAD = select(HEAD.c.size, HEAD.c.frontier)
