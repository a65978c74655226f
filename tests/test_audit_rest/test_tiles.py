"""The tree as C2SP tlog-tiles serves it: a client of its own rebuilds the root of the checkpoint, and every entry."""

import pytest

from routes.audit.tiles import tile_of
from schemas.errors import NotFound
from security.audit.merkle import leaf_hash, node_hash
from tests.test_audit_rest.office import Office, asked_about


def path_of(number: int) -> str:
    """The number of a tile as the specification spells it."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    return "/".join(groups)


def tiles_of(size: int) -> list[tuple[int, int, int]]:
    """Level, number and width of all tiles of a tree."""
    found, level = [], 0
    while count := size >> (8 * level):
        found += [(level, number, min(256, count - number * 256)) for number in range(-(-count // 256))]
        level += 1
    return found


def root_of_tiles(tiles: dict[tuple[int, int], list[bytes]], begin: int, end: int) -> bytes:
    """MTH(D[begin:end]) of RFC 6962 section 2.1, out of tiles alone."""
    length = end - begin
    level, rest = divmod(length.bit_length() - 1, 8)
    if length == 1 << (8 * level + rest) and rest == 0:
        index = begin >> (8 * level)
        hashes = tiles.get((level, index // 256))
        if hashes is not None and index % 256 < len(hashes):
            return hashes[index % 256]
    split = 1 << ((length - 1).bit_length() - 1)
    return node_hash(root_of_tiles(tiles, begin, begin + split), root_of_tiles(tiles, begin + split, end))


def fetched(office: Office, level: int, number: int, width: int) -> list[bytes]:
    suffix = "" if width == 256 else f".p/{width}"
    told = office.ask(f"/v1/audit/log/tile/{level}/{path_of(number)}{suffix}", client=None)
    assert (told.status, told.headers["Content-Type"]) == (200, "application/octet-stream")
    assert "immutable" in told.headers["Cache-Control"]
    assert len(told.body) == 32 * width
    return [told.body[at : at + 32] for at in range(0, len(told.body), 32)]


def test_a_client_rebuilds_the_root_from_tiles_alone(office: Office) -> None:
    office.log(*(asked_about("001085012345") for _ in range(600)))
    head = office.checkpoint()
    assert head.size > 512
    tiles = {(level, number): fetched(office, level, number, width) for level, number, width in tiles_of(head.size)}
    assert max(level for level, _ in tiles) == 1
    assert root_of_tiles(tiles, 0, head.size) == head.root


def test_tiles_of_smaller_trees_are_the_beginning_of_those_of_larger_ones(office: Office) -> None:
    office.log(*(asked_about("001085012345") for _ in range(300)))
    whole = fetched(office, 0, 0, 256)
    assert fetched(office, 0, 0, 112) == whole[:112]
    assert fetched(office, 1, 0, 1) == [root_of_tiles({(0, 0): whole}, 0, 256)]


def test_bundles_hash_to_the_tile_and_are_for_auditors(office: Office) -> None:
    office.log(*(asked_about("001085012345") for _ in range(300)))
    for width, suffix in ((256, ""), (7, ".p/7")):
        told = office.ask(f"/v1/audit/log/tile/entries/000{suffix}")
        assert (told.status, told.headers["Content-Type"]) == (200, "application/octet-stream")
        assert told.headers["Cache-Control"] == "no-store"
        rest, leaves = told.body, []
        while rest:
            end = 2 + int.from_bytes(rest[:2], "big")
            leaves.append(leaf_hash(rest[2:end]))
            rest = rest[end:]
        assert leaves == fetched(office, 0, 0, width)
        reading = office.entry(int(told.headers["Lgsp-Reading"]))
        assert reading["details"] == {"action": "audit-tile", "entries": [], "first": 0, "last": width - 1}
    refused = office.ask("/v1/audit/log/tile/entries/000", client="ministry")
    assert (refused.status, refused.json["reason"]) == (403, "no-right")


@pytest.mark.parametrize("path", ["999", "x001/000", "999.p/1"])
def test_bundles_that_the_log_does_not_have_are_not_there(local: Office, path: str) -> None:
    assert local.ask(f"/v1/audit/log/tile/entries/{path}").status == 404


def test_the_checkpoint_stands_beside_the_tiles(local: Office) -> None:
    assert (
        local.ask("/v1/audit/log/checkpoint", client=None).body == local.ask("/v1/audit/checkpoint", client=None).body
    )


@pytest.mark.parametrize(
    ("path", "number", "width"),
    [
        pytest.param("x001/x234/067", 1234067, 256, id="of-the-specification"),
        pytest.param("000", 0, 256, id="first"),
        pytest.param("999", 999, 256, id="last-of-one-group"),
        pytest.param("x001/000", 1000, 256, id="first-of-two-groups"),
        pytest.param("273.p/112", 273, 112, id="of-a-tree-of-70000"),
        pytest.param("x001/x234/067.p/1", 1234067, 1, id="narrow"),
        pytest.param("000.p/255", 0, 255, id="widest-part"),
    ],
)
def test_numbers_are_spelt_as_the_specification_spells_them(path: str, number: int, width: int) -> None:
    assert tile_of(path) == (number, width)
    assert path.startswith(path_of(number))


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    tiles = tiles_of(70_000)
    assert [sum(level == of and width == 256 for of, _, width in tiles) for level in range(3)] == [273, 1, 0]
    assert [(level, width) for level, _, width in tiles if width < 256] == [(0, 112), (1, 17), (2, 1)]
    assert [(level, width) for level, _, width in tiles_of(256)] == [(0, 256), (1, 1)]


@pytest.mark.parametrize(
    "path",
    [
        *("0", "00", "0000", "x000", "x000/001", "001/002", "x001/2", "000.p/0", "000.p/256", "000.p/01", "000.p/"),
        *("000.p", "-01", "000/", "/000", "x001/x", "000.P/1", "00٣", " 000", "000\n", "x999/" * 6 + "999"),
    ],
    ids=repr,
)
def test_other_spellings_are_no_tiles(path: str) -> None:
    with pytest.raises(NotFound):
        tile_of(path)


@pytest.mark.parametrize(
    "path",
    [
        *("0/x001/000", "0/999", "64/000", "00/000", "5/000", "1/000", "2/000.p/1", "0/000.p/0"),
        *("0/..%2Fentries%2F000", "0/%00", "0/000%2Fp", "99999999999999999999/000"),
    ],
)
def test_tiles_that_the_tree_does_not_have_are_not_there(local: Office, path: str) -> None:
    told = local.ask(f"/v1/audit/log/tile/{path}", client=None)
    assert (told.status, told.json["code"]) == (404, "not-found")
    assert told.headers["Cache-Control"] == "no-store"
