"""The tree of a log that is read in order: complete tiles as they come, the tree itself where somebody asks for it.

Where no checkpoint falls into a tile its root is computed all at once, which is the cheapest way.
"""

from collections.abc import Iterator
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
        # What of `leaves` is in it already, and the tree over the complete tiles.
        self._under_way = Frontier()
        self._tiles = Frontier()
        self._levels: list[list[bytes]] = []

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._tiles.size * WIDTH + len(self.leaves)

    def complete(self) -> Iterator[Complete]:
        """End the tile under way, and those above it that become complete with it."""
        hashes, level = b"".join(self.leaves), 0
        if self._under_way.size:
            self._catch_up()
            (root,) = self._under_way.hashes
        else:
            root = complete_root(hashes)
        self.leaves, self._under_way = [], Frontier()
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
        return Frontier(self.size, self._tiles.hashes + self._under_way.hashes)

    def _catch_up(self) -> None:
        for leaf in self.leaves[self._under_way.size :]:
            self._under_way.append(leaf)
