"""Archiving moves bodies into files that verify by themselves; everything else goes on as if they were there."""

import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from security.audit.archive import ArchiveRefused, archive, due
from security.audit.archive_check import in_files
from security.audit.archived import InArchive, Part, archived, parts
from security.audit.checkpoint import opened
from security.audit.continuity import containing, root
from security.audit.entries import Evidence
from security.audit.export import write_export
from security.audit.export_reading import ExportDamaged, bodies, examine
from security.audit.merkle import is_consistent, is_included
from security.audit.reading import AuditReader, Filter, NoEntry
from security.audit.redaction import redact
from security.audit.tables import ARCHIVED, ENTRIES, OPENINGS
from security.audit.verification import verify
from storage.backup import backup
from storage.commands import copy
from tests.restoring import restore
from tests.test_audit.audit_world import ORIGIN, World, a_world, evidence

LAN = "001090123456"
OLD = datetime(2026, 1, 5, 8, tzinfo=UTC)
LATER = datetime(2026, 6, 1, tzinfo=UTC)
TOOL = Path(__file__).parents[2] / "tools" / "verify_audit.py"


def an_act() -> Evidence:
    return replace(evidence(data=None, officer=None), kind="admin", question=None, details={"action": "audit-archive"})


async def fill(world: World, number: int, at: datetime) -> None:
    for _ in range(number):
        await world.log.record(evidence(LAN, at=at))


async def moved(world: World, directory: Path, most: int = 50_000) -> list[Part]:
    done = []
    while (span := await due(world.storage, LATER, most)) is not None:
        keys = [world.signer.verifier]
        done.append(await archive(world.storage, world.log, keys, directory, span, an_act()))
    return done


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


@pytest.fixture
async def local(sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """On SQLite, for what is the same on both."""
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        yield world


async def test_bodies_move_and_everything_else_goes_on(world: World, shelf: Path) -> None:
    await fill(world, 300, OLD)
    await fill(world, 20, LATER + timedelta(days=1))
    before = await world.reader.show(7)
    old = opened(str(await world.reader.checkpoint()), [world.signer.verifier])
    before_root = await world.storage.read(root)
    done = await moved(world, shelf, 120)
    assert [(part.first, part.last) for part in done] == [(0, 120), (120, 240), (240, 300)]
    assert files(shelf) == ["audit-0-120.zip", "audit-120-240.zip", "audit-240-300.zip"]
    assert await due(world.storage, LATER) is None
    acts = [(await world.reader.show(part.act)).entry["details"] for part in done]
    assert [(act["first"], act["last"], act["file"], act["sha256"]) for act in acts] == [  # type: ignore[index, call-overload]
        (part.first, part.last - 1, part.file, sha256((shelf / part.file).read_bytes()).hexdigest()) for part in done
    ]

    # Reading says where it is; what proves it is still here.
    with pytest.raises(InArchive) as gone:
        await world.reader.show(7)
    assert gone.value.file == "audit-0-120.zip"
    assert list(bodies(shelf / gone.value.file))[7] == before.body
    listed = (await world.reader.entries(Filter(client="ministry"), after=6, limit=1))[0]
    assert (listed.index, listed.file, listed.entry["kind"]) == (7, "audit-0-120.zip", "exchange")
    assert listed.entry["caller"] == {"client": "ministry"}
    found = await world.reader.search("personal-number", LAN, limit=500)
    assert len(found) == 320
    assert [each.file for each in found[295:302]] == ["audit-240-300.zip"] * 5 + [None] * 2
    proof = await world.reader.prove(7)
    signed = opened(proof.checkpoint, [world.signer.verifier])
    assert is_included(7, proof.size, before.leaf, proof.path, signed.root)
    assert is_consistent(old.size, old.root, signed.size, signed.root, await world.reader.consistency(320, proof.size))
    assert (await world.reader.open(7)).subjects == (("personal-number", LAN),)
    # With the files at hand they are read from there, if they are what the tree has.
    at_hand = AuditReader(world.storage, world.sealer, shelf)
    assert await at_hand.show(7) == before
    both = await at_hand.search("personal-number", LAN, limit=500)
    assert [each.file for each in both] == [None] * 320
    assert [sha256(b"\x00" + each.body).digest() for each in both] == [each.leaf for each in both]
    (shelf / "audit-0-120.zip").rename(shelf / "elsewhere.zip")
    (shelf / "audit-120-240.zip").rename(shelf / "audit-0-120.zip")
    with pytest.raises(InArchive):
        await at_hand.show(7)
    assert (await at_hand.show(250)).body
    (shelf / "audit-0-120.zip").rename(shelf / "audit-120-240.zip")
    (shelf / "elsewhere.zip").rename(shelf / "audit-0-120.zip")
    # Whole ranges likewise, over the ends of files and the first entry that is here.
    ranges = [await at_hand.bundle(0, 256), await at_hand.bundle(1, 64)]
    assert [body for part in ranges for body in part or ()] == [each.body for each in both]
    with (shelf / "x").open("w+b") as out, pytest.raises(InArchive, match=r"audit-0-120\.zip"):
        await write_export(world.storage, [world.signer.verifier], out)
    with (shelf / "x").open("w+b") as out:
        done_again = await write_export(world.storage, [world.signer.verifier], out, last=320, archives=shelf)
    assert [each.body for each in both] == list(bodies(shelf / "x"))
    assert (done_again.first, done_again.last) == (0, 320)
    (shelf / "x").unlink()
    with pytest.raises(InArchive):
        await world.reader.bundle(0, 256)

    # Redaction works on keys and index rows.
    await redact(world.storage, world.log, world.sealer, 7, reason="court", evidence=an_act())
    with pytest.raises(NoEntry):
        await world.reader.open(7)
    assert len(await world.reader.search("personal-number", LAN, limit=500)) == 319

    found_by_verify = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found_by_verify.valid, found_by_verify
    assert (found_by_verify.entries, found_by_verify.archived, found_by_verify.in_files) == (324, 300, 0)
    await in_files(world.storage, shelf, [world.signer.verifier], found_by_verify)
    assert (found_by_verify.valid, found_by_verify.in_files) == (True, 300)

    # The log goes on, and what is known elsewhere is still found to be in it.
    assert (await world.log.record(evidence(LAN))).index == 324
    assert await world.storage.read(containing([old, signed])) is None
    assert (await world.storage.read(root)) != before_root


async def test_archives_and_the_rest_verify_together_without_the_gateway(local: World, shelf: Path) -> None:
    await fill(local, 40, OLD)
    await fill(local, 5, LATER)
    await moved(local, shelf, 25)
    with (shelf / "rest.zip").open("w+b") as out:
        await write_export(local.storage, [local.signer.verifier], out, first=40)
    key = shelf.parent / "log.vkey"
    key.write_text(local.signer.verifier.encode() + "\n")
    told = subprocess.run(
        [sys.executable, TOOL, *sorted(shelf.glob("*.zip")), "--key", key, "--lang", "en"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    for path in shelf.glob("audit-*.zip"):
        found = examine(path, [local.signer.verifier])
        assert found.origin == ORIGIN
        assert len(found.leaves) == found.last - found.first


async def test_a_file_that_is_damaged_is_not_taken(local: World, shelf: Path) -> None:
    await fill(local, 10, OLD)
    span = await due(local.storage, LATER)
    assert span == (0, 10)
    path = shelf / "audit-0-10.zip"
    path.write_bytes(b"PK something else")
    keys = [local.signer.verifier]
    with pytest.raises(ArchiveRefused, match=rf"{span[1]}\.zip is no archive .* move it away"):
        await archive(local.storage, local.log, keys, shelf, span, an_act())
    path.unlink()
    with path.open("w+b") as out:
        await write_export(local.storage, keys, out, first=0, last=5)
    with pytest.raises(ArchiveRefused):
        await archive(local.storage, local.log, keys, shelf, span, an_act())
    assert await local.storage.read(archived) == 0
    assert await local.reader.size() == 10


async def test_a_finished_file_is_taken_after_a_crash(
    local: World, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(local, 10, OLD)
    keys = [local.signer.verifier]

    async def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local.log, "record", crash)
        with pytest.raises(KeyboardInterrupt):
            await archive(local.storage, local.log, keys, shelf, (0, 10), an_act())
    assert files(shelf) == ["audit-0-10.zip"]
    assert (await local.reader.show(3)).body
    written = (shelf / "audit-0-10.zip").stat().st_mtime_ns
    (part,) = await moved(local, shelf)
    assert (shelf / "audit-0-10.zip").stat().st_mtime_ns == written
    assert part.act == 10


async def test_nothing_is_emptied_where_the_file_cannot_be_written(
    local: World, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(local, 10, OLD)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="space"):
            await archive(local.storage, local.log, [local.signer.verifier], shelf, (0, 10), an_act())
    assert files(shelf) == []
    assert (await local.reader.show(3)).body
    assert [part.last for part in await moved(local, shelf)] == [10]


async def test_two_who_archive_at_once_do_not_archive_twice(world: World, shelf: Path) -> None:
    await fill(world, 10, OLD)
    keys = [world.signer.verifier]
    await archive(world.storage, world.log, keys, shelf, (0, 10), an_act())
    with pytest.raises((ArchiveRefused, InArchive)):
        await archive(world.storage, world.log, keys, shelf, (0, 5), an_act())
    with pytest.raises(ArchiveRefused):
        await archive(world.storage, world.log, keys, shelf, (0, 10), an_act())
    assert len(await world.storage.read(parts)) == 1


async def test_changed_rows_are_noticed_before_they_are_emptied(local: World, shelf: Path) -> None:
    await fill(local, 10, OLD)
    await local.storage.write(
        lambda connection: connection.execute(update(ENTRIES).where(ENTRIES.c.idx == 4).values(leaf=b"x" * 32))
    )
    with pytest.raises(ArchiveRefused):
        await archive(local.storage, local.log, [local.signer.verifier], shelf, (0, 10), an_act())
    bodies_here = await local.storage.read(
        lambda connection: connection.execute(select(ENTRIES.c.body)).scalars().all()
    )
    assert all(bodies_here)


async def test_a_later_entry_with_an_old_time_waits_for_those_before_it(local: World, shelf: Path) -> None:
    await fill(local, 3, OLD)
    await fill(local, 1, LATER)
    await fill(local, 3, OLD)
    assert [(part.first, part.last) for part in await moved(local, shelf)] == [(0, 3)]


async def test_what_is_archived_survives_backup_and_copy(
    sqlite_url: str, postgres_url: str, tmp_path: Path, shelf: Path
) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await fill(world, 20, OLD)
        await fill(world, 2, LATER)
        await moved(world, shelf)
        known = opened(str(await world.reader.checkpoint()), [world.signer.verifier])
        made = await backup(sqlite_url, tmp_path / "backup", root)
        assert made.root == await world.storage.read(root)
        await restore(tmp_path / "backup", sqlite_url, root=root, admit=containing([known]))
    copied = await copy(sqlite_url, postgres_url, root)
    assert copied.root == made.root
    assert copied.rows["audit_archived"] == 1
    async with a_world(postgres_url, tmp_path / "vault") as world:
        with pytest.raises(InArchive):
            await world.reader.show(3)
        assert (await world.log.record(evidence(LAN))).index == 23


@pytest.mark.parametrize("damage", ["lost", "cut", "flipped", "other", "text"])
async def test_a_file_that_cannot_be_read_is_named(local: World, shelf: Path, damage: str) -> None:
    await fill(local, 20, OLD)
    await fill(local, 2, LATER)
    first, second = await moved(local, shelf, 10)
    path = shelf / second.file
    content = path.read_bytes()
    middle = content.index(b"entries.jsonl") + 2000
    path.write_bytes(
        {
            "lost": b"",
            "cut": content[:-40],
            "flipped": content[:middle]
            + bytes(byte ^ 0xFF for byte in content[middle : middle + 60])
            + content[middle + 60 :],
            "other": (shelf / first.file).read_bytes(),
            "text": b"moved to tape 7",
        }[damage]
    )
    if damage == "lost":
        path.unlink()
    reader = AuditReader(local.storage, local.sealer, shelf)
    assert (await reader.show(9)).body
    for reading in (
        reader.show(19),
        reader.bundle(0, 20),
        write_export(local.storage, [local.signer.verifier], io.BytesIO(), archives=shelf),
    ):
        with pytest.raises(InArchive, match=second.file):
            await reading
    if damage in ("cut", "flipped", "text"):
        with pytest.raises(ExportDamaged):
            examine(path, [local.signer.verifier])


CHANGES = {
    "leaf": (update(ENTRIES).where(ENTRIES.c.idx == 7).values(leaf=b"x" * 32), 7),
    "column": (update(ENTRIES).where(ENTRIES.c.idx == 7).values(client="province"), 0),
    "row": (delete(ENTRIES).where(ENTRIES.c.idx == 7), 7),
    "emptied": (update(ENTRIES).where(ENTRIES.c.idx == 33).values(body=b""), 33),
    "unrecorded": (update(ARCHIVED).values(act=31), 0),
    "digest": (update(ARCHIVED).values(sha256="0" * 64), 0),
    "longer": (update(ARCHIVED).values(last=32), 0),
    "forgotten": (delete(ARCHIVED), 0),
    "opening": (update(OPENINGS).where(OPENINGS.c.idx == 7).values(sealed=None), 0),
    "redacted": (update(OPENINGS).where(OPENINGS.c.idx == 7).values(redacted_by="x"), 0),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_tampering_with_what_is_archived_is_found(local: World, shelf: Path, change: str) -> None:
    await fill(local, 30, OLD)
    await fill(local, 5, LATER)
    await moved(local, shelf)
    statement, where = CHANGES[change]
    await local.storage.write(lambda connection: connection.execute(statement))
    keys = [local.signer.verifier]
    found = await verify(local.storage, keys)
    assert found.first_bad == where, found


@pytest.mark.parametrize("change", ["lost", "cut", "other"])
async def test_files_that_are_not_those_that_were_archived_are_found(local: World, shelf: Path, change: str) -> None:
    await fill(local, 30, OLD)
    await fill(local, 5, LATER)
    first, second = await moved(local, shelf, 20)
    path = shelf / second.file
    if change == "lost":
        path.unlink()
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        path.write_bytes((shelf / first.file).read_bytes())
    found = await verify(local.storage, [local.signer.verifier])
    assert found.valid
    await in_files(local.storage, shelf, [local.signer.verifier], found)
    assert (found.first_bad, found.in_files) == (20, 20)
