"""What exactly verification says of the rows that stay of archived entries: without their files, and beside them."""

import asyncio
import shutil
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from security.audit import archive_check, archived_openings, verification
from security.audit.archive import archive, due
from security.audit.archive_check import in_files
from security.audit.archived_openings import openings_hashes, redacted_within
from security.audit.binding import digest
from security.audit.entries import Evidence
from security.audit.redaction import redact
from security.audit.sealing import Sealer
from security.audit.tiles import WIDTH
from security.audit.vault import Vault
from security.audit.verification import verify
from storage.schema import open_storage
from storage.sqlite import plain
from tests.test_audit.audit_world import MASTER, a_signer, a_world, evidence
from tests.test_tampering.test_opening_verdicts import (
    GONE,
    INDEXED,
    KEY,
    LAN,
    MAI,
    OTHER,
    PUT_BACK,
    REMOVED,
    STRAY,
    UNRECORDED,
)
from tests.test_tampering.test_verdicts import Told

OLD, LATER = datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
SINGLE, BULK, LAST = 12, 260, 281
FILES = {"audit-0-275.zip": (0, 275), "audit-275-282.zip": (275, 282)}
START, REDACTED, LATE = 3, 5, 278


def an_act(at: datetime, kind: str = "admin") -> Evidence:
    return Evidence(id=evidence().id, kind=kind, at=at, details={"action": "audit-archive"})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log whose first 275 entries lie in one file, seven more in another; one of each is redacted.

    The one was before it was archived, the other afterwards.
    """
    folder = tmp_path_factory.mktemp("archived-rows")
    (folder / "archive").mkdir()

    async def fill() -> None:
        async with a_world(f"sqlite:///{folder}/gateway.db", folder / "vault") as world:

            async def redacted(index: int, at: datetime) -> None:
                done = an_act(at, "redaction")
                await redact(world.storage, world.log, world.sealer, index, reason="court", evidence=done)

            for number in range(SINGLE):
                each = evidence(LAN, MAI, at=OLD)
                await world.log.record(an_act(OLD, "start") if number == START else each)
            await asyncio.gather(*(world.log.record(evidence(LAN, at=OLD)) for _ in range(BULK)))
            await redacted(REDACTED, OLD)
            for _ in range(LAST - SINGLE - BULK):
                await world.log.record(evidence(LAN, MAI, at=OLD, officer=MAI))
            await world.log.record(evidence(LAN, at=LATER))
            while (span := await due(world.storage, LATER, 275)) is not None:
                await archive(
                    world.storage, world.log, [world.signer.verifier], folder / "archive", span, an_act(LATER)
                )
            await redacted(LATE, LATER)

    asyncio.run(fill())
    return folder


def told(log: Path, *statements: str, with_vault: bool = False, files: Path | None = None) -> tuple[Told, Told]:
    """What verification says of a copy after these statements, and what the files add to it."""
    copy = log / "tampered.db"
    for leftover in log.glob("tampered.db*"):
        leftover.unlink()
    shutil.copy(log / "gateway.db", copy)
    with plain(copy) as connection:
        for statement in statements:
            connection.execute(statement)

    async def look() -> tuple[Told, Told]:
        storage = await open_storage(f"sqlite:///{copy}")
        try:
            keys = [a_signer().verifier]
            sealer = Sealer(Vault(log / "vault"), MASTER) if with_vault else None
            found = await verify(storage, keys, sealer)
            before = [(each.first, each.last, each.what) for each in found.found]
            await in_files(storage, files or log / "archive", keys, found, sealer)
            after = [(each.first, each.last, each.what) for each in found.found]
            return before, [each for each in after if after.count(each) > before.count(each)]
        finally:
            await storage.close()

    return asyncio.run(look())


@pytest.mark.parametrize("page", [None, 7])
def test_untouched_it_holds_with_its_files_and_opens_from_them(
    log: Path, page: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page is not None:
        # Read in steps as small as these, a log is the same.
        monkeypatch.setattr(archive_check, "_PAGE", page)
        monkeypatch.setattr(archived_openings, "_NOTES", page)
        monkeypatch.setattr(verification, "PAGE", WIDTH)
    assert told(log) == told(log, with_vault=True) == ([], [])
    assert told(log, "DELETE FROM audit_checkpoints WHERE size = 277")[1] == [
        (276, 276, "the checkpoint of 277 entries is missing")
    ]


MADE = "{0} are not those that were there when {1} was made"
REPEATS = "the columns of the row do not repeat the archived entry"
UNOPENED = "there is an index row for an entry without an opening"
UNMARKED = "the redaction of entry {0} that this entry records is not marked there"
LARGE, SMALL = FILES


def openings(first: int, last: int, file: str) -> tuple[int, int, str]:
    return first, last, MADE.format("openings or index rows", file)


@pytest.mark.parametrize(
    ("index", "before"),
    [
        (0, [(0, 0, UNOPENED), openings(0, 255, LARGE)]),
        (255, [openings(0, 255, LARGE), (255, 255, UNOPENED)]),
        (256, [(256, 256, UNOPENED), openings(256, 274, LARGE)]),
        (274, [openings(256, 274, LARGE), (274, 274, UNOPENED)]),
        (275, [(275, 275, UNOPENED), openings(275, 281, SMALL)]),
        (281, [openings(275, 281, SMALL), (281, 281, UNOPENED)]),
        (REDACTED, [openings(0, 255, LARGE), (272, 272, UNMARKED.format(REDACTED))]),
        (LATE, [openings(275, 281, SMALL), (285, 285, UNMARKED.format(LATE))]),
    ],
)
def test_what_opens_an_archived_entry_is_gone(log: Path, index: int, before: Told) -> None:
    assert told(log, f"DELETE FROM audit_openings WHERE idx = {index}") == (before, [(index, index, GONE)])


OPENING = "UPDATE audit_openings SET {1} WHERE idx = {0}"
TAG = "INSERT INTO audit_subjects VALUES (x'00', {0})"


@pytest.mark.parametrize(
    ("statement", "before", "after"),
    [
        (OPENING.format(7, "slot = slot + 1"), [openings(0, 255, LARGE)], [(7, 7, KEY)]),
        (OPENING.format(7, "period = period || 'x'"), [openings(0, 255, LARGE)], [(7, 7, KEY)]),
        (OPENING.format(7, "period = CAST(x'ff' AS TEXT)"), [openings(0, 255, LARGE)], [(7, 7, KEY)]),
        (OPENING.format(7, "sealed = x'00'"), [openings(0, 255, LARGE)], [(7, 7, OTHER)]),
        (OPENING.format(7, "sealed = NULL"), [openings(0, 255, LARGE), (7, 7, REMOVED)], [(7, 7, REMOVED)] * 2),
        (OPENING.format(REDACTED, "sealed = x'00'"), [(REDACTED, REDACTED, PUT_BACK)], [(REDACTED, REDACTED, OTHER)]),
        (OPENING.format(LATE, "sealed = x'00'"), [(LATE, LATE, PUT_BACK)], [(LATE, LATE, OTHER)]),
        (
            OPENING.format(LATE, "redacted_by = 'x'"),
            [openings(275, 281, SMALL), (LATE, LATE, UNRECORDED), (285, 285, UNMARKED.format(LATE))],
            [(LATE, LATE, UNRECORDED)] * 2,
        ),
        (
            OPENING.format(LATE, "redacted_by = NULL"),
            [openings(275, 281, SMALL), (LATE, LATE, REMOVED), (285, 285, UNMARKED.format(LATE))],
            [(LATE, LATE, REMOVED)] * 2,
        ),
        (
            f"INSERT INTO audit_openings VALUES ({START}, '2026-01', 1, x'00', NULL)",
            [openings(0, 255, LARGE)],
            [(START, START, STRAY)],
        ),
        (TAG.format(START), [(START, START, UNOPENED)], [(START, START, STRAY)]),
        (TAG.format(7), [openings(0, 255, LARGE)], [(7, 7, OTHER)]),
        (TAG.format(REDACTED), [(REDACTED, REDACTED, INDEXED)], [(REDACTED, REDACTED, INDEXED)] * 2),
        (
            "UPDATE audit_entries SET client = NULL WHERE idx = 255",
            [(0, 255, MADE.format("columns of rows", LARGE))],
            [(255, 255, REPEATS)],
        ),
        (
            "UPDATE audit_entries SET client = x'00' WHERE idx = 256",
            [(256, 274, MADE.format("columns of rows", LARGE))],
            [(256, 256, REPEATS)],
        ),
        (
            "UPDATE audit_entries SET kind = 'stop' WHERE idx = 281",
            [(275, 281, MADE.format("columns of rows", SMALL))],
            [(281, 281, REPEATS)],
        ),
        (
            "DELETE FROM audit_entries WHERE idx = 7",
            [(7, 7, "entries are missing; nothing from 8 on was verified")],
            [(7, 7, "the row of the archived entry is missing")],
        ),
        (
            "UPDATE audit_checkpoints SET note = note || 'x' WHERE size = 8",
            [
                (
                    0,
                    274,
                    f"{MADE.format('checkpoints', LARGE)}: signed anew, or signatures were taken away or put there",
                ),
                (7, 7, "the checkpoint of 8 entries is rejected: not a signed note"),
            ],
            [(7, 7, "the checkpoint of 8 entries is not the one that the archived entry behind it names")],
        ),
    ],
)
def test_a_row_that_stays_of_an_archived_entry_was_changed(
    log: Path, statement: str, before: Told, after: Told
) -> None:
    assert told(log, statement) == (before, after)


@pytest.mark.parametrize(("size", "file"), [(1, LARGE), (275, LARGE), (276, SMALL), (282, SMALL)])
def test_a_checkpoint_of_archived_entries_is_gone(log: Path, size: int, file: str) -> None:
    first, last = FILES[file]
    with plain(log / "gateway.db") as connection:
        query = "SELECT count(*) FROM audit_checkpoints WHERE size > ? AND size <= ?"
        (many,) = connection.execute(query, (first, last)).fetchone()
    before, after = told(log, f"DELETE FROM audit_checkpoints WHERE size = {size}")
    counted = (first, last - 1, f"there are {many - 1} checkpoints of {many} up to the end of {file}")
    if size == 282:
        # The entry behind it is here, and names it.
        missing = f"the checkpoint of {size} entries is missing: entries 281 to 282 are signed only together"
        assert (before, after) == ([counted, (281, 281, missing)], [])
    else:
        assert before == [counted]
        assert after == [(size - 1, size - 1, f"the checkpoint of {size} entries is missing")]


def test_another_hash_stands_for_an_archived_entry(log: Path) -> None:
    before, after = told(log, "UPDATE audit_entries SET leaf = zeroblob(32) WHERE idx = 280")
    assert before == [(280, 280, "the checkpoint of 281 entries signs another tree")]
    assert after == [(280, 280, "the row of the archived entry has another hash than the archive")]


@pytest.mark.parametrize(
    ("damage", "after"),
    [
        ("gone", [(275, 281, f"the archive {SMALL} cannot be verified: No such file or directory")]),
        (
            "exchanged",
            [
                (0, 274, f"{LARGE} is not the file that was archived"),
                (275, 281, f"{SMALL} is not the file that was archived"),
            ],
        ),
        ("text", [(275, 281, f"the archive {SMALL} cannot be verified: ")]),
    ],
)
def test_files_that_are_not_those(log: Path, tmp_path: Path, damage: str, after: Told) -> None:
    for name in FILES:
        shutil.copy(log / "archive" / name, tmp_path / name)
    if damage == "gone":
        (tmp_path / SMALL).unlink()
    elif damage == "text":
        (tmp_path / SMALL).write_text("moved to tape 7")
    else:
        (tmp_path / SMALL).rename(tmp_path / "x")
        (tmp_path / LARGE).rename(tmp_path / SMALL)
        (tmp_path / "x").rename(tmp_path / LARGE)
    before, found = told(log, files=tmp_path)
    assert before == []
    assert [each[:2] for each in found] == [each[:2] for each in after]
    assert all(said.startswith(what) for (*_, said), (*_, what) in zip(found, after, strict=True))


@pytest.mark.parametrize(
    ("first", "last", "many"),
    [(0, 282, 2), (REDACTED, LATE, 1), (REDACTED, REDACTED + 1, 1), (REDACTED + 1, LATE, 0), (0, LATE, 1)],
)
async def test_how_many_of_some_entries_are_redacted(log: Path, first: int, last: int, many: int) -> None:
    storage = await open_storage(f"sqlite:///{log}/gateway.db")
    try:
        assert await storage.read(lambda connection: redacted_within(connection, first, last)) == many
    finally:
        await storage.close()


async def test_what_an_archive_states_of_openings_is_as_the_format_says(log: Path) -> None:
    whole = ""
    with plain(log / "gateway.db") as connection:
        rows = connection.execute("SELECT idx, period, slot, sealed, redacted_by FROM audit_openings WHERE idx < 256")
        for index, period, slot, sealed, redacted_by in rows.fetchall():
            tags = connection.execute("SELECT tag FROM audit_subjects WHERE idx = ?", (index,)).fetchall()
            shown = "" if redacted_by is not None else digest(sealed, [tag for (tag,) in tags])
            whole += f"{index}\n{period}\n{slot}\n{shown}\n"
    storage = await open_storage(f"sqlite:///{log}/gateway.db")
    try:
        (found,) = await storage.read(lambda connection: openings_hashes(connection, 0, 256))
    finally:
        await storage.close()
    assert found == b64encode(sha256(whole.encode()).digest()).decode()
