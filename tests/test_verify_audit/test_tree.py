"""Three implementations of RFC 9162 agree: the gateway's, the tool's and pymerkle; and all with published vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency, verify_inclusion

from security.audit.merkle import consistency_proof, inclusion_proof, is_consistent, root_of
from tests.test_audit.test_merkle import CONSISTENCY, INCLUSION, LEAVES, ROOTS, hashed, nodes_over
from tools import verify_audit as tool

JUNK = bytes(32)


def tool_root(leaves: list[bytes]) -> bytes:
    """The root as the tool grows it over an export."""
    peaks: list[bytes] = []
    for size, leaf in enumerate(leaves):
        node, above = leaf, size
        while above & 1:
            node, above = tool.node_hash(peaks.pop(), node), above >> 1
        peaks.append(node)
    root: bytes = tool.root_of(peaks)
    return root


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_inclusion_proofs(index: int, size: int) -> None:
    leaf = tool.leaf_hash(LEAVES[index])
    path = [bytes.fromhex(each) for each in INCLUSION[index, size]]
    assert tool.root_by_inclusion(index, size, leaf, path).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_published_consistency_proofs(old: int, new: int) -> None:
    path = [bytes.fromhex(each) for each in CONSISTENCY[old, new]]
    roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    assert tool.is_consistent(old, roots[0], new, roots[1], path)
    assert not tool.is_consistent(old, roots[1], new, roots[0], path) or old == new


def test_published_roots() -> None:
    leaves = [tool.leaf_hash(each) for each in LEAVES]
    assert [tool_root(leaves[:size]).hex() for size in range(1, 9)] == ROOTS
    assert tool_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_proof_of_every_small_tree_agrees_with_an_independent_library() -> None:
    theirs = InmemoryTree(algorithm="sha256")
    for number in range(34):
        theirs.append_entry(b"%d" % number)
    leaves = hashed(34)
    nodes = nodes_over(leaves)
    for size in range(1, 35):
        root = root_of(leaves[:size])
        assert theirs.get_root(size) == root == tool_root(leaves[:size])
        for index in range(size):
            proof, ours = theirs.prove_inclusion(index + 1, size), inclusion_proof(index, size, nodes)
            verify_inclusion(leaves[index], root, proof)
            assert proof.path == [leaves[index], *ours]
            assert tool.root_by_inclusion(index, size, leaves[index], ours) == root
        for old in range(1, size + 1):
            proof, path = theirs.prove_consistency(old, size), consistency_proof(old, size, nodes)
            verify_consistency(root_of(leaves[:old]), root, proof)
            assert tool.is_consistent(old, root_of(leaves[:old]), size, root, path)


@given(st.integers(1, 300), st.data())
def test_inclusion_is_decided_alike(size: int, data: st.DataObject) -> None:
    leaves = hashed(size)
    index = data.draw(st.integers(0, size - 1))
    path, root = inclusion_proof(index, size, nodes_over(leaves)), root_of(leaves)
    assert tool.root_by_inclusion(index, size, leaves[index], path) == root
    cut = data.draw(st.integers(0, len(path)))
    for altered in (
        [*path[:cut], JUNK, *path[cut:]],
        [*path[:cut], *path[cut + 1 :]],
        [*path[:cut], JUNK, *path[cut + 1 :]],
    ):
        assert altered == path or tool.root_by_inclusion(index, size, leaves[index], altered) != root
    for other in (index + 1, index - 1, size, -1, index ^ 1):
        assert other == index or tool.root_by_inclusion(other, size, leaves[index], path) != root


@given(st.integers(1, 200), st.data())
def test_consistency_is_decided_alike(new: int, data: st.DataObject) -> None:
    leaves = hashed(new)
    old = data.draw(st.integers(1, new))
    path = consistency_proof(old, new, nodes_over(leaves))
    before, after = root_of(leaves[:old]), root_of(leaves)
    assert tool.is_consistent(old, before, new, after, path)
    for size, other in ((old + 1, new), (old - 1, new), (old, new + 1), (old, new - 1), (0, new), (new, old)):
        roots = data.draw(st.sampled_from([(before, after), (JUNK, after), (before, JUNK), (after, before)]))
        assert tool.is_consistent(size, roots[0], other, roots[1], path) == is_consistent(
            size, roots[0], other, roots[1], path
        )
    cut = data.draw(st.integers(0, len(path)))
    for altered in (
        [*path[:cut], JUNK, *path[cut:]],
        [*path[:cut], *path[cut + 1 :]],
        [*path[:cut], JUNK, *path[cut + 1 :]],
    ):
        assert altered == path or not tool.is_consistent(old, before, new, after, altered)
    assert old == new or not tool.is_consistent(old, root_of([JUNK, *leaves[1:old]]), new, after, path)


def test_a_node_passes_for_no_leaf() -> None:
    """A proof that ends too early leads to a root, but of a smaller tree."""
    leaves = hashed(8)
    root, half = root_of(leaves), root_of(leaves[:4])
    assert tool.root_by_inclusion(0, 8, root, []) is None
    assert tool.root_by_inclusion(0, 8, half, [root_of(leaves[4:])]) is None
    assert tool.root_by_inclusion(0, 2, half, [root_of(leaves[4:])]) == root
