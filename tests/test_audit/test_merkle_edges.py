"""Where a tree, a path or a size ends: the first that is refused, and the last that is taken."""

import pytest
from pymerkle import InmemoryTree

from security.audit.merkle import (
    HASH_SIZE,
    Frontier,
    complete_root,
    is_consistent,
    root_from_inclusion,
    root_of,
)
from tests.test_audit.test_merkle import hashed

JUNK = b"\xff" * HASH_SIZE


def test_no_tree_has_less_than_no_leaves() -> None:
    # As many bits as there are hashes: only the sign is wrong.
    with pytest.raises(ValueError, match="frontier"):
        Frontier(-1, [JUNK])


def test_a_frontier_of_the_right_number_of_hashes_wants_them_whole() -> None:
    for packed in (JUNK[:-1], JUNK + JUNK[:-1]):
        with pytest.raises(ValueError, match="frontier"):
            Frontier.decode(1 if len(packed) < HASH_SIZE else 3, packed)


@pytest.mark.parametrize("height", [0, 1, 2, 5])
def test_leaves_one_behind_the_other_have_the_root_of_an_independent_library(height: int) -> None:
    theirs = InmemoryTree(algorithm="sha256")
    for number in range(1 << height):
        theirs.append_entry(b"%d" % number)
    leaves = hashed(1 << height)
    assert complete_root(b"".join(leaves)) == theirs.get_root() == root_of(leaves)


def test_a_proof_of_nothing_shows_no_growth() -> None:
    leaves = hashed(7)
    root = root_of(leaves[:3])
    assert not is_consistent(3, root, 7, root_of(leaves), [])
    assert not is_consistent(3, root, 7, root, [])
    assert not is_consistent(2, root_of(leaves[:2]), 7, root_of(leaves[:2]), [])


def test_a_tree_is_consistent_with_itself_without_proof_alone() -> None:
    root = root_of(hashed(3))
    assert is_consistent(3, root, 3, root, [])
    assert not is_consistent(3, root, 3, root, [JUNK])
    assert not is_consistent(3, root, 3, JUNK, [])


def test_a_path_says_whether_it_is_too_long_or_too_short() -> None:
    leaf = hashed(1)[0]
    assert root_from_inclusion(0, 1, leaf, []) == leaf
    for index, size, path, wrong in ((0, 1, [JUNK], "long"), (1, 2, [JUNK] * 2, "long"), (0, 2, [], "short")):
        with pytest.raises(ValueError, match=wrong):
            root_from_inclusion(index, size, leaf, path)
    for index, size in ((1, 1), (-1, 1), (0, 0)):
        with pytest.raises(ValueError, match="outside"):
            root_from_inclusion(index, size, leaf, [])
