"""Tiles above the lowest, which a log has from 65,536 entries on: what is wrong with one is told with its entries."""

import asyncio
import shutil
from pathlib import Path

import pytest

from security.audit.merkle import HASH_SIZE, Frontier, complete_root, leaf_hash
from security.audit.tiles import WIDTH
from storage.schema import upgrade
from storage.sqlite import plain
from tests.test_audit.audit_world import a_signer
from tests.test_tampering.tables import verified

SIZE = WIDTH * WIDTH + 2
AT = "2026-11-30T00:00:00Z"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the least size that has one; its entries are starts, which nothing opens, under one checkpoint."""
    path = tmp_path_factory.mktemp("large") / "gateway.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    bodies = [b'{"at":"%b","id":"%d","kind":"start","v":1}' % (AT.encode(), number) for number in range(SIZE)]
    leaves = [leaf_hash(body) for body in bodies]
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    tiles = [b"".join(leaves[begin : begin + WIDTH]) for begin in range(0, WIDTH * WIDTH, WIDTH)]
    roots = [complete_root(tile) for tile in tiles]
    above = b"".join(roots)
    with plain(path) as connection:
        connection.execute("BEGIN")
        rows = zip(range(SIZE), leaves, bodies, map(str, range(SIZE)), strict=True)
        connection.executemany(
            f"INSERT INTO audit_entries (idx, leaf, body, id, at, kind) VALUES (?, ?, ?, ?, '{AT}', 'start')", rows
        )
        connection.executemany(
            "INSERT INTO audit_tiles VALUES (0, ?, ?, ?)", zip(range(WIDTH), tiles, roots, strict=True)
        )
        connection.execute("INSERT INTO audit_tiles VALUES (1, 0, ?, ?)", (above, complete_root(above)))
        connection.execute("INSERT INTO audit_checkpoints VALUES (?, ?)", (SIZE, a_signer().sign(SIZE, tree.root())))
        connection.execute("INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?)", (SIZE, tree.encode()))
        connection.execute("COMMIT")
    return path


@pytest.mark.parametrize(
    ("damage", "first", "last"),
    [
        ("UPDATE audit_tiles SET hashes = :seventh WHERE level = 1", 7 * WIDTH, 8 * WIDTH - 1),
        ("UPDATE audit_tiles SET root = zeroblob(32) WHERE level = 1", 0, 65_535),
        ("DELETE FROM audit_tiles WHERE level = 1", 0, 65_535),
        ("DELETE FROM audit_tiles WHERE level = 0 AND number = 3", 3 * WIDTH, 4 * WIDTH - 1),
    ],
    ids=["hash", "root", "missing", "below"],
)
def test_a_tile_of_tiles_is_proven_too(large: Path, damage: str, first: int, last: int) -> None:
    copy = large.with_name("tampered.db")
    shutil.copy(large, copy)
    with plain(copy) as connection:
        ((hashes,),) = connection.execute("SELECT hashes FROM audit_tiles WHERE level = 1")
        seventh = hashes[: 7 * HASH_SIZE] + bytes(HASH_SIZE) + hashes[8 * HASH_SIZE :]
        connection.execute(damage, {"seventh": seventh})
    found = asyncio.run(verified(f"sqlite:///{copy}"))
    assert [(each.first, each.last) for each in found.found] == [(first, last)]
    assert (found.entries, found.checkpoints) == (SIZE, 1)
