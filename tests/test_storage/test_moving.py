"""Backup, restore and copy with a real log inside: nothing lost, nothing forked, no silent rollback."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from schemas.errors import EvidenceUnavailable
from security.audit.checkpoint import Checkpoint, opened
from security.audit.continuity import containing, root
from security.audit.tables import OPENINGS, SUBJECTS, TILES
from security.audit.verification import verify
from storage.backup import backup, drafted
from storage.commands import copy, status
from storage.errors import CopyDiffers, NotEmpty, SchemaUnknown, StorageMoved
from storage.metadata import METADATA
from storage.schema import open_storage, upgrade
from tests.restoring import restore
from tests.test_audit.audit_world import World, a_world, evidence

LAN = "001090123456"


async def fill(world: World, number: int) -> Checkpoint:
    await asyncio.gather(*(world.log.record(evidence(LAN)) for _ in range(number)))
    note = await world.reader.checkpoint()
    assert note is not None
    return opened(note, [world.signer.verifier])


async def whole(world: World, entries: int) -> None:
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid, found
    assert found.entries == entries
    assert len(await world.reader.search("personal-number", LAN, limit=500)) == entries


async def test_copy_moves_everything_and_retires_the_source(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        before = await fill(world, 300)
    copied = await copy(sqlite_url, postgres_url, root)
    assert copied.root == (300).to_bytes(8, "big") + before.root
    expected = {"audit_entries": 300, "audit_openings": 300, "audit_subjects": 300, "audit_tiles": 1, "audit_head": 1}
    assert copied.rows.items() >= expected.items()
    for use in (open_storage(sqlite_url), copy(sqlite_url, postgres_url, root)):
        with pytest.raises(StorageMoved, match="postgresql"):
            await use
    assert "postgresql" in str((await status(sqlite_url)).refusal)
    async with a_world(postgres_url, tmp_path / "vault") as world:
        await whole(world, 300)
        assert (await world.log.record(evidence(LAN))).index == 300
        await whole(world, 301)


async def test_running_gateway_stops_writing_when_its_database_is_moved(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await fill(world, 2)
        await copy(sqlite_url, postgres_url, root)
        results = await asyncio.gather(world.log.record(evidence()), return_exceptions=True)
        assert isinstance(results[0], EvidenceUnavailable)
        assert "postgresql" in str(results[0].__cause__)


async def test_copy_back_continues_sequences(postgres_url: str, sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world:
        await fill(world, 3)
    await copy(postgres_url, sqlite_url, root)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await whole(world, 3)


async def test_copy_refuses_a_target_with_contents(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    for url in (sqlite_url, postgres_url):
        async with a_world(url, tmp_path / "vault") as world:
            await fill(world, 1)
    with pytest.raises(NotEmpty):
        await copy(sqlite_url, postgres_url, root)
    with pytest.raises(NotEmpty):
        await copy(sqlite_url, sqlite_url, root)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await whole(world, 1)


async def test_copy_that_cannot_prove_itself_changes_nothing(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await fill(world, 2)
        await world.storage.write(lambda connection: connection.execute(text("CREATE TABLE stranger (id INTEGER)")))
    with pytest.raises(SchemaUnknown, match="stranger"):
        await copy(sqlite_url, postgres_url, root)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.storage.write(lambda connection: connection.execute(text("DROP TABLE stranger")))
    answers = iter([b"one", b"other"])
    with pytest.raises(CopyDiffers):
        await copy(sqlite_url, postgres_url, lambda _: next(answers))
    async with a_world(postgres_url, tmp_path / "vault") as world:
        assert await world.reader.size() == 0
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await whole(world, 2)


async def test_backup_of_a_busy_database_is_consistent(storage_url: str, tmp_path: Path) -> None:
    async with a_world(storage_url, tmp_path / "vault") as world:
        await fill(world, 50)
        writing = asyncio.create_task(fill(world, 200))
        made = await backup(storage_url, tmp_path / "backup", root)
        await writing
    assert made.size == (tmp_path / "backup").stat().st_size
    entries = int.from_bytes(made.root[:8], "big")
    assert 50 <= entries <= 250
    assert {path.name for path in tmp_path.iterdir() if "backup" in path.name} == {"backup"}
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        await backup(storage_url, tmp_path / "backup", root)
    async with a_world(f"sqlite:///{tmp_path}/backup", tmp_path / "vault") as world:
        await whole(world, entries)


async def test_restore_brings_everything_back(storage_url: str, tmp_path: Path) -> None:
    async with a_world(storage_url, tmp_path / "vault") as world:
        known = await fill(world, 270)
        await backup(storage_url, tmp_path / "backup", root)
        await world.storage.write(
            lambda connection: [connection.execute(table.delete()) for table in (OPENINGS, SUBJECTS, TILES)]
        )
        restored = await restore(tmp_path / "backup", storage_url, root=root, admit=containing([known]))
        assert restored.rows["audit_openings"] == 270
        await whole(world, 270)
        assert (await world.log.record(evidence(LAN))).index == 270
        await whole(world, 271)


async def test_a_rollback_is_seen_in_the_draft_which_replaces_nothing_by_itself(
    storage_url: str, tmp_path: Path
) -> None:
    async with a_world(storage_url, tmp_path / "vault") as world:
        old = await fill(world, 5)
        await backup(storage_url, tmp_path / "backup", root)
        known = await fill(world, 3)
        for admit in (containing([known]), containing([old, known]), containing([Checkpoint("x", 3, b"0" * 32)])):
            async with drafted(tmp_path / "backup", storage_url) as draft:
                assert await draft.read(admit) is not None
        await whole(world, 8)
        await restore(tmp_path / "backup", storage_url, root=root)
        await whole(world, 5)


async def test_a_restore_that_cannot_prove_itself_changes_nothing(storage_url: str, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path}/source"
    async with a_world(source, tmp_path / "vault") as world:
        await fill(world, 3)
    await backup(source, tmp_path / "backup", root)

    async def fails() -> None:
        answers = iter([b"one", b"other"])
        with pytest.raises(CopyDiffers):
            await restore(tmp_path / "backup", storage_url, root=lambda _: next(answers), admit=lambda _: None)

    await fails()
    # Tables without rows would be taken for the begin of a log.
    found = (await status(storage_url)).state
    assert found is None or found.version == 0
    async with a_world(storage_url, tmp_path / "other") as world:
        await fill(world, 2)
        await fails()
        assert (await verify(world.storage, [world.signer.verifier], world.sealer)).entries == 2
        assert (await world.log.record(evidence(LAN))).index == 2


async def test_restore_into_the_other_kind_of_database(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world:
        known = await fill(world, 4)
    await backup(postgres_url, tmp_path / "backup", root)
    await restore(tmp_path / "backup", sqlite_url, root=root, admit=containing([known]))
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await whole(world, 4)


async def test_restore_of_something_else_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await fill(world, 1)
    (tmp_path / "junk").write_bytes(b"not a database at all" * 1000)
    with pytest.raises(Exception, match="junk"):
        await restore(tmp_path / "junk", sqlite_url, root=root, admit=containing([]))
    with pytest.raises(FileNotFoundError):
        await restore(tmp_path / "none", sqlite_url, root=root, admit=containing([]))
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await whole(world, 1)


async def test_copied_numbers_are_not_handed_out_again(
    sqlite_url: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import Column, Integer, Table, Text

    numbered = Table("numbered_for_test", METADATA, Column("id", Integer, primary_key=True), Column("name", Text))
    try:
        await upgrade(sqlite_url)
        source = await open_storage(sqlite_url)
        await source.write(
            lambda connection: connection.execute(insert(numbered), [{"name": str(each)} for each in range(1200)])
        )
        await source.close()
        assert (await copy(sqlite_url, postgres_url, root)).rows["numbered_for_test"] == 1200
        target = await open_storage(postgres_url)
        await target.write(lambda connection: connection.execute(insert(numbered).values(name="next")))
        highest = await target.read(lambda connection: connection.execute(select(func.max(numbered.c.id))).scalar())
        await target.close()
        assert highest == 1201
    finally:
        METADATA.remove(numbered)
