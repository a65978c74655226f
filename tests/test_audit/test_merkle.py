"""The tree against the published vectors of RFC 6962 / 9162 implementations, and against its own definition."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root_of,
)

# The eight leaves and the roots over the first n of them that Certificate Transparency implementations share.
LEAVES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
INCLUSION = {
    (0, 1): [],
    (0, 8): [A, B, C],
    (5, 8): [D, E, ROOTS[3]],
    (2, 3): [ROOTS[1]],
    (1, 5): [ROOTS[0], B, D],
}
CONSISTENCY = {(1, 1): [], (1, 8): [A, B, C], (6, 8): [F, E, ROOTS[3]], (2, 5): [B, D]}


def nodes_over(leaves: list[bytes]):  # type: ignore[no-untyped-def]
    def nodes(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only complete subtrees may be asked for"
        return defined_root(part)

    return nodes


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 9162 section 2.1.1 defines it, recursively."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


def hashed(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % each) for each in range(count)]


def test_empty_tree() -> None:
    assert (
        root_of([]) == EMPTY_ROOT == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size: int) -> None:
    assert root_of(map(leaf_hash, LEAVES[:size])).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_inclusion_proofs(index: int, size: int) -> None:
    leaves = [leaf_hash(each) for each in LEAVES]
    path = inclusion_proof(index, size, nodes_over(leaves))
    assert [each.hex() for each in path] == INCLUSION[index, size]
    assert is_included(index, size, leaves[index], path, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_published_consistency_proofs(old: int, new: int) -> None:
    path = consistency_proof(old, new, nodes_over([leaf_hash(each) for each in LEAVES]))
    assert [each.hex() for each in path] == CONSISTENCY[old, new]
    assert is_consistent(old, bytes.fromhex(ROOTS[old - 1]), new, bytes.fromhex(ROOTS[new - 1]), path)


def test_every_proof_of_every_small_tree() -> None:
    leaves = hashed(33)
    nodes = nodes_over(leaves)
    roots = [defined_root(leaves[:size]) for size in range(34)]
    for size in range(1, 34):
        for index in range(size):
            path = inclusion_proof(index, size, nodes)
            assert is_included(index, size, leaves[index], path, roots[size])
            for other in range(size):
                assert is_included(other, size, leaves[index], path, roots[size]) is (other == index)
        for old in range(1, size + 1):
            path = consistency_proof(old, size, nodes)
            assert is_consistent(old, roots[old], size, roots[size], path)


@given(st.integers(1, 300), st.data())
def test_frontier_is_the_definition_and_survives_encoding(size: int, data: st.DataObject) -> None:
    leaves = hashed(size)
    cut = data.draw(st.integers(0, size))
    tree = Frontier()
    for leaf in leaves[:cut]:
        tree.append(leaf)
    tree = Frontier.decode(tree.size, tree.encode())
    for leaf in leaves[cut:]:
        tree.append(leaf)
    assert (tree.size, tree.root()) == (size, defined_root(leaves))


@given(st.integers(1, 200), st.data())
def test_altered_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    leaves = hashed(size)
    root, index = defined_root(leaves), data.draw(st.integers(0, size - 1))
    path = inclusion_proof(index, size, nodes_over(leaves))
    where = data.draw(st.integers(0, len(path)))
    junk = data.draw(st.binary(min_size=32, max_size=32))
    assert not is_included(index, size, leaves[index], [*path[:where], junk, *path[where:]], root)
    if path:
        cut = where % len(path)
        assert not is_included(index, size, leaves[index], [*path[:cut], *path[cut + 1 :]], root)
        assert not is_included(index, size, leaves[index], [*path[:cut], junk, *path[cut + 1 :]], root)
    assert not is_included(index, size, junk, path, root)
    assert not is_included(size, size, leaves[index], path, root)


@given(st.integers(2, 200), st.data())
def test_altered_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    leaves = hashed(new)
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root = defined_root(leaves[:old]), defined_root(leaves)
    path = consistency_proof(old, new, nodes_over(leaves))
    junk = data.draw(st.binary(min_size=32, max_size=32))
    cut = data.draw(st.integers(0, len(path) - 1))
    assert is_consistent(old, old_root, new, new_root, path)
    assert not is_consistent(old, junk, new, new_root, path)
    assert not is_consistent(old, old_root, new, junk, path)
    assert not is_consistent(old, old_root, new, new_root, [*path[:cut], junk, *path[cut + 1 :]])
    assert not is_consistent(old, old_root, new, new_root, [*path[:cut], *path[cut + 1 :]])
    assert not is_consistent(old, old_root, new, new_root, [*path, junk])
    fork = defined_root([junk, *leaves[1:old]])
    assert not is_consistent(old, fork, new, new_root, path)


@pytest.mark.parametrize(("size", "packed"), [(1, b""), (3, bytes(32)), (2, bytes(33)), (-1, b"")])
def test_frontier_that_does_not_fit_its_size_is_refused(size: int, packed: bytes) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier.decode(size, packed)


@pytest.mark.parametrize(("index", "size"), [(1, 1), (-1, 5), (0, 0)])
def test_no_inclusion_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        inclusion_proof(index, size, nodes_over(hashed(8)))


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3)])
def test_no_consistency_proof_for_impossible_sizes(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="sizes"):
        consistency_proof(old, new, nodes_over(hashed(8)))
    assert not is_consistent(old, EMPTY_ROOT, new, EMPTY_ROOT, [])
