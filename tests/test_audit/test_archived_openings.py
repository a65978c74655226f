"""What stays of archived entries is bound by what the entry of the archive states; with the files, entry by entry."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from security.audit import archive as archiving
from security.audit.archive import ArchiveRefused, archive, due
from security.audit.archive_check import in_files
from security.audit.archived_openings import redacted_within
from security.audit.entries import Evidence
from security.audit.findings import Findings
from security.audit.redaction import redact
from security.audit.verification import verify
from tests.test_audit.audit_world import World, a_world, evidence

LAN = "001090123456"
OLD = datetime(2026, 1, 5, 8, tzinfo=UTC)
LATER = datetime(2026, 6, 1, tzinfo=UTC)


def an_act() -> Evidence:
    return replace(evidence(data=None, officer=None), kind="admin", question=None, details={"action": "audit-archive"})


async def archived(world: World, shelf: Path) -> None:
    """Thirty entries, the second of them redacted; all of it archived in two files but what is newer."""
    for _ in range(30):
        await world.log.record(evidence(LAN, "001090999999", at=OLD))
    await redact(world.storage, world.log, world.sealer, 1, reason="court", evidence=replace(an_act(), at=OLD))
    for _ in range(3):
        await world.log.record(evidence(LAN, at=LATER))
    while (span := await due(world.storage, LATER, 20)) is not None:
        await archive(world.storage, world.log, [world.signer.verifier], shelf, span, an_act())


@pytest.fixture
async def local(sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "archive").mkdir()
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await archived(world, tmp_path / "archive")
        yield world


async def changed(world: World, *statements: str) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0

    await world.storage.write(work)


async def plainly(world: World) -> Findings:
    return await verify(world.storage, [world.signer.verifier])


@pytest.mark.parametrize(
    ("statement", "plain", "with_files"),
    [
        ("DELETE FROM audit_openings WHERE idx = 7", (0, 19), 7),
        ("UPDATE audit_openings SET sealed = zeroblob(600) WHERE idx = 7", (0, 19), 7),
        ("UPDATE audit_openings SET slot = slot + 1 WHERE idx = 7", (0, 19), 7),
        ("UPDATE audit_openings SET period = '1999-01' WHERE idx = 7", (0, 19), 7),
        ("UPDATE audit_openings SET idx = 700 WHERE idx = 25", (20, 30), 25),
        ("DELETE FROM audit_subjects WHERE idx = 25", (20, 30), 25),
        ("UPDATE audit_subjects SET tag = substr(tag, 5) WHERE idx = 25", (20, 30), 25),
        ("INSERT INTO audit_subjects VALUES (x'00', 25)", (20, 30), 25),
        ("UPDATE audit_entries SET client = NULL WHERE idx = 25", (20, 30), 25),
        ("UPDATE audit_entries SET kind = CAST(kind AS BLOB) WHERE idx = 7", (0, 19), 7),
        ("DELETE FROM audit_checkpoints WHERE size = 7", (0, 19), 6),
        ("UPDATE audit_checkpoints SET note = note || 'x' WHERE size = 7", (0, 19), 6),
        ("DELETE FROM audit_checkpoints WHERE size = 20", (0, 19), 19),
    ],
)
async def test_change_of_what_stays_is_found(
    local: World, tmp_path: Path, statement: str, plain: tuple[int, int], with_files: int
) -> None:
    await changed(local, statement)
    found = await plainly(local)
    assert (found.found[0].first, found.found[0].last) == plain, found
    await in_files(local.storage, tmp_path / "archive", [local.signer.verifier], found)
    assert with_files in [item.first for item in found.found if item.first == item.last], found


async def test_redactions_before_and_after_are_no_change(world: World, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    await archived(world, tmp_path / "archive")
    for index in (7, 25):
        await redact(world.storage, world.log, world.sealer, index, reason="court", evidence=an_act())
    keys = [world.signer.verifier]
    found = await verify(world.storage, keys, world.sealer)
    opened = found.opened
    await in_files(world.storage, tmp_path / "archive", keys, found, world.sealer)
    assert found.valid, found
    assert (found.in_files, found.opened - opened) == (31, 27)
    await changed(world, "DELETE FROM audit_openings WHERE idx = 7")
    assert not (await plainly(world)).valid


async def test_redacted_entry_that_stands_in_the_index_again_is_found(local: World) -> None:
    await changed(local, "INSERT INTO audit_subjects SELECT tag, 1 FROM audit_subjects WHERE idx = 2 LIMIT 1")
    assert (await plainly(local)).first_bad == 1


async def test_what_an_older_release_archived_is_valid(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_staying", lambda *span: ({}, redacted_within(*span)))
    (tmp_path / "archive").mkdir()
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await archived(world, tmp_path / "archive")
        assert (await plainly(world)).valid


async def test_redaction_of_an_older_release_is_valid(local: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.audit.redaction.opening_hashes", lambda *_: {})
    await redact(local.storage, local.log, local.sealer, 7, reason="court", evidence=an_act())
    assert (await plainly(local)).valid


async def test_archive_is_refused_where_an_entry_is_redacted_meanwhile(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "archive").mkdir()
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        for _ in range(5):
            await world.log.record(evidence(LAN, at=OLD))
        record = world.log.record

        async def redacted_before(act: Evidence, **writes: object) -> object:
            await redact(world.storage, world.log, world.sealer, 2, reason="court", evidence=an_act())
            return await record(act, **writes)  # type: ignore[arg-type]

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(world.log, "record", redacted_before)
            with pytest.raises(ArchiveRefused, match="redacted meanwhile"):
                await archive(world.storage, world.log, [world.signer.verifier], tmp_path / "archive", (0, 5), an_act())
        await archive(world.storage, world.log, [world.signer.verifier], tmp_path / "archive", (0, 5), an_act())
        assert (await plainly(world)).valid
