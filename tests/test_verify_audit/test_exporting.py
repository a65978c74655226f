"""An export is made of a log that holds, or not at all."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from security.audit.checkpoint import CheckpointRejected
from security.audit.export import LogDamaged, write_export
from security.audit.packing import Package
from security.audit.reading import NoEntry
from security.audit.tables import CHECKPOINTS, ENTRIES
from tests.test_audit.audit_world import World, a_signer, a_world, evidence

CASES = {
    "altered": (update(ENTRIES).where(ENTRIES.c.idx == 5).values(body=b"{}"), "do not give the root"),
    "line-feed": (update(ENTRIES).where(ENTRIES.c.idx == 5).values(body=b"{\n}"), "entry 5 is not canonical"),
    "missing": (delete(ENTRIES).where(ENTRIES.c.idx == 5), "entries are missing between"),
}


@pytest.fixture
async def ten(storage_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(storage_url, tmp_path / "vault") as world:
        await asyncio.gather(*(world.log.record(evidence(f"00109012{n:04}")) for n in range(10)))
        yield world


@pytest.mark.parametrize("name", CASES)
async def test_a_damaged_log_is_not_exported(ten: World, name: str) -> None:
    change, said = CASES[name]
    await ten.storage.write(lambda connection: connection.execute(change))
    out = io.BytesIO()
    with pytest.raises(LogDamaged, match=said):
        await write_export(ten.storage, [ten.signer.verifier], out)
    assert "manifest.json" not in zipfile.ZipFile(out).namelist()


async def test_a_checkpoint_by_another_key_is_not_exported(ten: World) -> None:
    with pytest.raises(CheckpointRejected):
        await write_export(ten.storage, [a_signer(seed=b"x" * 32).verifier], io.BytesIO())


async def test_it_ends_with_a_checkpoint_that_covers_what_was_asked_for(ten: World) -> None:
    await ten.log.record(evidence("001090999999"))
    await ten.storage.write(lambda connection: connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.size < 10)))
    done = await write_export(ten.storage, [ten.signer.verifier], io.BytesIO(), last=4)
    assert (done.first, done.last) == (0, 10)
    done = await write_export(ten.storage, [ten.signer.verifier], io.BytesIO(), first=3)
    assert (done.first, done.last) == (3, 11)
    for first, last in ((0, 12), (11, None), (10, 10), (-1, None)):
        with pytest.raises(NoEntry):
            await write_export(ten.storage, [ten.signer.verifier], io.BytesIO(), first=first, last=last)


def test_a_package_is_written_where_it_can_be_corrected_and_names_nothing_twice() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(ValueError, match="two places"):
        Package(Pipe())
    with Package(io.BytesIO()) as package:
        package.add("a", b"")
        for name in ("a", "manifest.json"):
            with pytest.raises(ValueError, match="there already"):
                package.add(name, b"")
        with pytest.raises(ValueError, match="ASCII"):
            package.add("é", b"")
