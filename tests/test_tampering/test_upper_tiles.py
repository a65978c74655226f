"""Tiles above the lowest, which a log has from 65,536 entries on: what is wrong with one is told with its entries."""

import asyncio
import shutil
from pathlib import Path

import pytest

from security.audit.merkle import HASH_SIZE
from security.audit.tiles import WIDTH
from storage.sqlite import plain
from tests.test_tampering.plain_logs import plain_log
from tests.test_tampering.tables import verified

SIZE = WIDTH * WIDTH + 2


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the least size that has one, under one checkpoint."""
    return plain_log(tmp_path_factory.mktemp("large") / "gateway.db", SIZE, [SIZE])


@pytest.mark.parametrize(
    ("damage", "first", "last"),
    [
        ("UPDATE audit_tiles SET hashes = :seventh WHERE level = 1", 7 * WIDTH, 8 * WIDTH - 1),
        ("UPDATE audit_tiles SET root = zeroblob(32) WHERE level = 1", 0, 65_535),
        ("DELETE FROM audit_tiles WHERE level = 1", 0, 65_535),
        ("DELETE FROM audit_tiles WHERE level = 0 AND number = 3", 3 * WIDTH, 4 * WIDTH - 1),
        ("INSERT INTO audit_tiles VALUES (1, -1, x'00', x'00')", SIZE, SIZE),
        # Its hash, its text, the tile with it, the one above and the checkpoint.
        ("UPDATE audit_entries SET body = body || ' ' WHERE idx = 1800", 1800, 1800),
    ],
    ids=["hash", "root", "missing", "below", "beside", "entry"],
)
def test_a_tile_of_tiles_is_proven_too(large: Path, damage: str, first: int, last: int) -> None:
    copy = large.with_name("tampered.db")
    shutil.copy(large, copy)
    with plain(copy) as connection:
        ((hashes,),) = connection.execute("SELECT hashes FROM audit_tiles WHERE level = 1")
        seventh = hashes[: 7 * HASH_SIZE] + bytes(HASH_SIZE) + hashes[8 * HASH_SIZE :]
        connection.execute(damage, {"seventh": seventh})
    found = asyncio.run(verified(f"sqlite:///{copy}"))
    many = 5 if "body" in damage else 1
    assert repr([(each.first, each.last) for each in found.found]) == repr([(first, last)] * many)
    assert (found.entries, found.checkpoints) == (SIZE, 1)
