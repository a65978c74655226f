"""The tree of a log that is read in order is the one that grows leaf by leaf, wherever somebody asks for it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from security.audit.growing import Growing
from security.audit.merkle import Frontier, complete_root, leaf_hash
from security.audit.tiles import WIDTH

LEAVES = [leaf_hash(number.to_bytes(2, "big")) for number in range(2 * WIDTH + 40)]


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, len(LEAVES)), max_size=8))
def test_tree_is_the_same_wherever_it_is_asked_for(asked: set[int]) -> None:
    growing, one_by_one, roots = Growing(), Frontier(), []
    for size, leaf in enumerate(LEAVES):
        if size in asked:
            assert growing.tree().encode() == one_by_one.encode()
        growing.leaves.append(leaf)
        one_by_one.append(leaf)
        if len(growing.leaves) == WIDTH:
            roots += [(tile.level, tile.number, tile.hashes, tile.root) for tile in growing.complete()]
    assert (growing.size, growing.tree().root()) == (len(LEAVES), one_by_one.root())
    packed = [b"".join(LEAVES[begin : begin + WIDTH]) for begin in (0, WIDTH)]
    assert roots == [(0, number, hashes, complete_root(hashes)) for number, hashes in enumerate(packed)]
