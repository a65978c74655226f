"""Archives that something happened to: runs that broke off, bytes that were changed, entries that nobody can read."""

import asyncio
import os
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from security.audit.archive import archive, due
from security.audit.archive_check import in_files
from security.audit.export_reading import ExportDamaged, bodies, examine
from security.audit.findings import Findings
from security.audit.log import AuditLog
from security.audit.sealing import Sealer
from security.audit.vault import Vault
from security.audit.verification import verify
from storage.schema import open_storage
from tests.test_audit.audit_world import MASTER, a_signer, a_world
from tests.test_audit.test_archive import LATER, OLD, an_act, fill, moved
from tests.test_tampering.plain_logs import AT, plain_log

KEYS = [a_signer().verifier]
DEFLATED, LZMA = b"\x08", b"\x0e"


def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the files and directories that are made durable from now on."""
    seen: list[int] = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        seen.append(os.fstat(fd).st_ino)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    return seen


async def test_a_file_that_is_found_is_durable_before_anything_is_emptied(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(directory: Path) -> None:
        raise OSError(5, "the disk does not answer", str(directory))

    shelf = tmp_path / "archive"
    shelf.mkdir()
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await fill(world, 5, OLD)
        with monkeypatch.context() as broken:
            broken.setattr("storage.files.sync_names", full)
            with pytest.raises(OSError, match="does not answer"):
                await moved(world, shelf)
        (file,) = shelf.iterdir()
        assert await due(world.storage, LATER) == (0, 5)
        seen = written(monkeypatch)
        (part,) = await moved(world, shelf)
        assert part.file == file.name
        assert {file.stat().st_ino, shelf.stat().st_ino} <= set(seen)


async def test_one_changed_byte_is_damage_whatever_it_makes_of_the_method(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        # So many that a reader of the other method has enough to begin with.
        await fill(world, 300, OLD)
        (part,) = await moved(world, tmp_path)
        path = tmp_path / part.file
        raw = path.read_bytes()
        # The method of each member, as the directory of a ZIP says it.
        for place in [found.start() + 10 for found in re.finditer(rb"PK\x01\x02", raw)]:
            assert raw[place : place + 1] == DEFLATED
            path.write_bytes(raw[:place] + LZMA + raw[place + 1 :])
            with pytest.raises(ExportDamaged):
                examine(path, KEYS)
            with pytest.raises(ExportDamaged):
                list(bodies(path))
        found = await verify(world.storage, KEYS)
        await in_files(world.storage, tmp_path, KEYS, found)
        assert (found.first_bad, found.in_files) == (0, 0)


def test_an_archived_entry_that_nobody_can_read_is_a_finding(tmp_path: Path) -> None:
    """Only who has the key of the log can write one."""
    strange = f'{{"at":"{AT}","id":"3","kind":"start","sealed":7,"v":1}}'
    path = plain_log(tmp_path / "gateway.db", 8, [8], {3: strange})

    async def verdict() -> Findings:
        storage = await open_storage(f"sqlite:///{path}")
        log = await AuditLog.open(storage, a_signer(), Sealer(Vault(tmp_path / "vault"), MASTER))
        try:
            await archive(storage, log, KEYS, tmp_path, (0, 8), an_act())
            found = await verify(storage, KEYS)
            assert found.valid
            await in_files(storage, tmp_path, KEYS, found)
            return found
        finally:
            await log.close()
            await storage.close()

    found = asyncio.run(verdict())
    assert [(each.first, each.last, each.what) for each in found.found] == [(3, 3, "the archived entry cannot be read")]
    assert found.in_files == 8


async def test_rows_about_archives_that_are_no_text_do_not_hide_what_was_found(sqlite_url: str, tmp_path: Path) -> None:
    strange = text("INSERT INTO audit_archived VALUES (5, 9, CAST(x'ff' AS TEXT), CAST(x'fe' AS TEXT), 5)")
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await fill(world, 5, OLD)
        await moved(world, tmp_path)
        await world.storage.write(lambda connection: connection.execute(strange))
        found = await verify(world.storage, KEYS)
        assert (found.first_bad, found.archived) == (5, 5)
        await in_files(world.storage, tmp_path, KEYS, found)
        assert found.in_files == 5
