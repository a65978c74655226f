"""In a log with tiles of tiles: one change shows in many places, and counts where it is told most narrowly."""

import sqlite3
from pathlib import Path

import pytest

from security.audit.merkle import HASH_SIZE, complete_root, leaf_hash
from security.audit.tiles import WIDTH
from tests.test_tampering.plain_logs import plain_log
from tests.test_tampering.test_signed import verdict

SIZE = WIDTH * WIDTH + 2
AT, TILE = 55_555, 217
WHOLE = (TILE * WIDTH, (TILE + 1) * WIDTH - 1)
FORGED = b'{"at":"2026-11-30T00:00:00Z","id":"55555","kind":"stopp","v":1}'


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the least size that has one, with a checkpoint long before and one long behind the change."""
    return plain_log(tmp_path_factory.mktemp("narrow") / "gateway.db", SIZE, [40_367, SIZE])


@pytest.mark.parametrize(
    ("depth", "first", "last"),
    [("body", AT, AT), ("leaf", AT, AT), ("tile", *WHOLE), ("root", *WHOLE), ("above", 40_367, SIZE - 1)],
)
def test_a_change_is_told_as_narrowly_as_what_was_left_alone_allows(
    log: Path, depth: str, first: int, last: int
) -> None:
    """Whoever changes an entry may go on to what repeats it, as far up as `depth`."""
    depths = ["body", "leaf", "tile", "root", "above"]
    reached = depths[: depths.index(depth) + 1]

    def tamper(connection: sqlite3.Connection) -> None:
        leaf = leaf_hash(FORGED)
        connection.execute("UPDATE audit_entries SET body = ?, kind = 'stopp' WHERE idx = ?", (FORGED, AT))
        if "leaf" in reached:
            connection.execute("UPDATE audit_entries SET leaf = ? WHERE idx = ?", (leaf, AT))
        ((hashes,),) = connection.execute("SELECT hashes FROM audit_tiles WHERE level = 0 AND number = ?", (TILE,))
        hashes = _put(hashes, AT % WIDTH, leaf)
        if "tile" in reached:
            connection.execute("UPDATE audit_tiles SET hashes = ? WHERE level = 0 AND number = ?", (hashes, TILE))
        if "root" in reached:
            new = (complete_root(hashes), TILE)
            connection.execute("UPDATE audit_tiles SET root = ? WHERE level = 0 AND number = ?", new)
        if "above" in reached:
            ((upper,),) = connection.execute("SELECT hashes FROM audit_tiles WHERE level = 1")
            upper = _put(upper, TILE, complete_root(hashes))
            both = (upper, complete_root(upper))
            connection.execute("UPDATE audit_tiles SET hashes = ?, root = ? WHERE level = 1", both)

    found = verdict(log, tamper)
    assert found.first_bad == first
    assert ("the checkpoint of 65538 entries signs another tree", first, last) in [
        (each.what, each.first, each.last) for each in found.found
    ]


def test_a_tile_above_that_shows_more_than_those_below_it_is_told_with_that(log: Path) -> None:
    def tamper(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE audit_entries SET body = ?, kind = 'stopp' WHERE idx = ?", (FORGED, AT))
        ((upper,),) = connection.execute("SELECT hashes FROM audit_tiles WHERE level = 1")
        changed = _put(upper, 240, bytes(HASH_SIZE))
        connection.execute("UPDATE audit_tiles SET hashes = ? WHERE level = 1", (changed,))

    found = [(each.first, each.last) for each in verdict(log, tamper).found if "tile 1/0" in each.what]
    assert found == [(240 * WIDTH, 241 * WIDTH - 1)]


def _put(hashes: bytes, place: int, put: bytes) -> bytes:
    return hashes[: place * HASH_SIZE] + put + hashes[(place + 1) * HASH_SIZE :]
