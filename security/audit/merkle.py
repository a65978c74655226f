"""The Merkle tree of RFC 9162 section 2.1: hashes, roots, inclusion and consistency proofs, and their verification.

`Frontier` is what an append needs (the roots of the complete subtrees, at most one per bit of the size); proofs ask a
`Nodes` function for the hashes of complete subtrees, wherever they are stored.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_SIZE = 32
_PAIR = 2 * HASH_SIZE
EMPTY_ROOT = sha256(b"").digest()

# The hash of the complete subtree of 2^level leaves that begins at leaf index * 2^level.
Nodes = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The compact form of a tree of `size` leaves: roots of its complete subtrees, largest first."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count() or any(len(each) != HASH_SIZE for each in hashes):
            raise ValueError("frontier: hashes do not fit the size")
        self.size = size
        self.hashes = list(hashes)

    @classmethod
    def decode(cls, size: int, packed: bytes) -> "Frontier":
        """Read what `encode` wrote; raises ValueError when it cannot belong to a tree of this size."""
        return cls(size, [packed[at : at + HASH_SIZE] for at in range(0, len(packed), HASH_SIZE)])

    def encode(self) -> bytes:
        """All hashes in order, without separators."""
        return b"".join(self.hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash; amortised two hash computations."""
        hashes, size = self.hashes, self.size
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree head of all leaves so far (RFC 9162 section 2.1.1)."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in self.hashes[-2::-1]:
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The tree head of these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def complete_root(packed: bytes) -> bytes:
    """The tree head of a power of two of leaf hashes, which stand one behind the other."""
    while len(packed) > HASH_SIZE:
        packed = b"".join([sha256(b"\x01" + packed[at : at + _PAIR]).digest() for at in range(0, len(packed), _PAIR)])
    return packed


def range_root(begin: int, end: int, nodes: Nodes) -> bytes:
    """The root of leaves [begin, end), where begin is a multiple of the largest power of two below the length."""
    parts: list[bytes] = []
    while begin < end:
        # The largest complete subtree that starts here and still fits.
        level = (end - begin).bit_length() - 1
        parts.append(nodes(level, begin >> level))
        begin += 1 << level
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.1), bottom up."""
    if not 0 <= index < size:
        raise ValueError("inclusion proof: index outside the tree")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        split = begin + _split(end - begin)
        if index < split:
            path.append(range_root(split, end, nodes))
            end = split
        else:
            path.append(range_root(begin, split, nodes))
            begin = split
    return path[::-1]


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """The proof that the tree of `old` leaves is a prefix of the one of `new` (RFC 9162 section 2.1.4.1)."""
    if not 0 < old <= new:
        raise ValueError("consistency proof: sizes must be 0 < old <= new")
    path: list[bytes] = []
    begin, end = 0, new
    whole = True
    while old != end:
        split = begin + _split(end - begin)
        if old <= split:
            path.append(range_root(split, end, nodes))
            end = split
        else:
            path.append(range_root(begin, split, nodes))
            begin = split
            whole = False
    if not whole:
        path.append(range_root(begin, end, nodes))
    return path[::-1]


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that this proof leads to (RFC 9162 section 2.1.3.2); raises ValueError if it has the wrong length."""
    if not 0 <= index < size:
        raise ValueError("inclusion proof: index outside the tree")
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ValueError("inclusion proof: too long")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise ValueError("inclusion proof: too short")
    return root


def is_included(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that `leaf` is number `index` of the tree with this size and root."""
    try:
        return root_from_inclusion(index, size, leaf, proof) == root
    except ValueError:
        return False


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the old tree is a prefix of the new one (RFC 9162 section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == new_root


def _split(length: int) -> int:
    """The largest power of two below `length` (> 1)."""
    return 1 << ((length - 1).bit_length() - 1)
