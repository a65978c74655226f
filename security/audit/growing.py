"""The tree of a log that is read in order: complete tiles as they come, the tree itself where somebody asks for it.

What is made at once of a tile, all of it or what lies between two checkpoints, is made level by level, which is the
cheapest way.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from security.audit.merkle import Frontier, complete_root
from security.audit.tiles import HEIGHT, WIDTH


class Complete(NamedTuple):
    """A tile that is complete: its level and number, its hashes one behind the other, their root."""

    level: int
    number: int
    hashes: bytes
    root: bytes


class Growing:
    """`leaves` are those of the tile under way; whoever appends to them calls `complete` when they are `WIDTH`."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        # The complete subtrees of the tile under way, level by level from the leaves on, and the tree over the
        # complete tiles.
        self._under_way: list[list[bytes]] = []
        self._tiles = Frontier()
        self._levels: list[list[bytes]] = []

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._tiles.size * WIDTH + len(self.leaves)

    def complete(self) -> Iterator[Complete]:
        """End the tile under way, and those above it that become complete with it."""
        hashes, level = b"".join(self.leaves), 0
        self._catch_up()
        (root,) = self._under_way[HEIGHT]
        self.leaves, self._under_way = [], []
        self._tiles.append(root)
        while True:
            number = (self._tiles.size >> (HEIGHT * level)) - 1
            yield Complete(level, number, hashes, root)
            if level == len(self._levels):
                self._levels.append([])
            above = self._levels[level]
            above.append(root)
            if len(above) < WIDTH:
                return
            hashes = b"".join(above)
            root = complete_root(hashes)
            self._levels[level] = []
            level += 1

    def tree(self) -> Frontier:
        """The tree of all leaves so far."""
        self._catch_up()
        many = len(self.leaves)
        parts = [
            self._under_way[level][(many >> level) - 1]
            for level in range(many.bit_length() - 1, -1, -1)
            if many >> level & 1
        ]
        return Frontier(self.size, self._tiles.hashes + parts)

    def _catch_up(self) -> None:
        if not self._under_way:
            self._under_way = [self.leaves, *([] for _ in range(HEIGHT))]
        for below, above in zip(self._under_way[:-1], self._under_way[1:], strict=True):
            fresh = below[2 * len(above) :]
            if len(fresh) < 2:
                return
            above += [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(fresh[::2], fresh[1::2], strict=False)  # the last may have no neighbour yet
            ]
