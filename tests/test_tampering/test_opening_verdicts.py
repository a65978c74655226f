"""What exactly verification says of what opens entries: rows that are gone, others, those of no entry, and values."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from security.audit.canonical import canonical
from security.audit.entries import Evidence, Secrets
from security.audit.findings import Findings
from security.audit.redaction import redact
from security.audit.sealing import Plain, Sealer
from security.audit.subjects import placed
from security.audit.vault import Vault
from security.audit.verification import verify
from storage.sqlite import plain
from tests.test_audit.audit_world import MASTER, a_world, evidence
from tests.test_audit.test_verification import verdict
from tests.test_tampering.plain_logs import without_schema
from tests.test_tampering.test_verdicts import Told, sql

LAN, MAI = "001090123456", "001090999999"
# Two that say what opens them; one that nothing opens; an officer alone; the redaction; two of an older release.
FIRST, REDACTED, START, OFFICER, ACT, OLD, OLD_REDACTED, OLD_ACT = range(8)
LAST = 7


def act(kind: str) -> Evidence:
    each = evidence(data=None)
    return Evidence(id=each.id, kind=kind, at=each.at)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log; `before.db` is it before anything was redacted."""
    folder = tmp_path_factory.mktemp("opened")

    async def fill() -> None:
        async with a_world(f"sqlite:///{folder}/gateway.db", folder / "vault") as world:

            async def record(*those: Evidence) -> None:
                for each in those:
                    await world.log.record(each)

            async def redacted(index: int) -> None:
                done = act("redaction")
                await redact(world.storage, world.log, world.sealer, index, reason="court", evidence=done)

            alone = replace(act("exchange"), officer=LAN)
            await record(evidence(LAN, MAI), evidence(LAN), act("start"), alone)
            with plain(folder / "gateway.db") as connection:
                connection.execute(f"VACUUM INTO '{folder}/before.db'")
            await redacted(REDACTED)
            with pytest.MonkeyPatch.context() as older:
                older.setattr("security.audit.batch.bound", lambda body, sealed, *, subjects: body)
                await record(replace(evidence(LAN, MAI, archive=True), provable=True, officer=MAI), evidence(LAN, MAI))
            with plain(folder / "gateway.db") as connection:
                connection.execute(f"ATTACH '{folder}/before.db' AS before")
                for table in ("audit_openings", "audit_subjects"):
                    connection.execute(f"INSERT INTO before.{table} SELECT * FROM {table} WHERE idx = {OLD_REDACTED}")
                connection.commit()
            await redacted(OLD_REDACTED)

    asyncio.run(fill())
    return folder


def found(log: Path, *statements: str, with_vault: bool = False) -> Findings:
    attached = f"ATTACH '{log}/before.db' AS before"
    return verdict(log, sql(attached, *statements), with_vault=with_vault)


def told(log: Path, *statements: str, with_vault: bool = False) -> Told:
    seen = without_schema(found(log, *statements, with_vault=with_vault))
    return [(each.first, each.last, each.what) for each in seen]


def test_untouched_it_holds_and_everything_that_is_left_opens(log: Path) -> None:
    plainly, opened = found(log), found(log, with_vault=True)
    assert (plainly.found, plainly.entries, plainly.opened, plainly.openings) == ([], 8, 0, 0)
    # Of the first two subjects, of the second an officer, of the third two subjects, an officer and the answer.
    assert (opened.found, opened.opened, opened.openings, opened.recomputed) == ([], 3, 3, 7)


GONE = "what opens the entry is missing and no redaction says why"
REMOVED = "the opening was removed and no redaction says why"
KEY = "the opening names another key than the entry"
OTHER = "the opening or the index rows are not those that the entry names"
STRAY = "there is an opening or an index row for an entry without commitments"
UNRECORDED = "the opening is marked as redacted, but no entry records it"
INDEXED = "the entry was redacted and still stands in the index"
PUT_BACK = "the entry was redacted, and there is an opening that is not the one that was to be removed"


def opening(index: int, change: str) -> str:
    return f"UPDATE audit_openings SET {change} WHERE idx = {index}"


def tagged(index: int, tag: str) -> str:
    return f"UPDATE audit_subjects SET tag = {tag} WHERE idx = {index}"


def unmarked(of: int, act: int) -> tuple[int, int, str]:
    return act, act, f"the redaction of entry {of} that this entry records is not marked there"


def put_back(index: int) -> tuple[str, str]:
    """Statements that put back what a redaction removed, its mark beside it."""
    sealed = f"(SELECT sealed FROM before.audit_openings WHERE idx = {index})"
    return (
        opening(index, f"sealed = {sealed}"),
        f"INSERT INTO audit_subjects SELECT * FROM before.audit_subjects WHERE idx = {index}",
    )


OPENING = "INSERT INTO audit_openings VALUES ({0}, '2026-12', 1, x'00', NULL)"
TAG = "INSERT INTO audit_subjects VALUES (x'00', {0})"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([f"DELETE FROM audit_openings WHERE idx = {FIRST}"], [(FIRST, FIRST, GONE)]),
        ([f"DELETE FROM audit_openings WHERE idx = {OFFICER}"], [(OFFICER, OFFICER, GONE)]),
        ([f"DELETE FROM audit_openings WHERE idx = {OLD}"], [(OLD, OLD, GONE)]),
        (
            [f"DELETE FROM audit_openings WHERE idx = {REDACTED}"],
            [(REDACTED, REDACTED, GONE), unmarked(REDACTED, ACT)],
        ),
        ([opening(FIRST, "sealed = NULL")], [(FIRST, FIRST, REMOVED)]),
        ([opening(OLD, "sealed = NULL")], [(OLD, OLD, REMOVED)]),
        ([opening(FIRST, "sealed = x''")], [(FIRST, FIRST, OTHER)]),
        ([opening(FIRST, "slot = slot + 1")], [(FIRST, FIRST, KEY)]),
        ([opening(FIRST, "period = '2026-1'")], [(FIRST, FIRST, KEY)]),
        ([opening(OLD, "period = period || 'x'")], [(OLD, OLD, KEY)]),
        ([f"DELETE FROM audit_subjects WHERE idx = {FIRST}"], [(FIRST, FIRST, OTHER)]),
        ([TAG.format(FIRST)], [(FIRST, FIRST, OTHER)]),
        ([tagged(FIRST, "CAST(x'00000001' || substr(tag, 5) AS BLOB)")], [(FIRST, FIRST, OTHER)]),
        ([tagged(FIRST, "CAST(tag AS TEXT)")], [(FIRST, FIRST, OTHER)]),
        ([tagged(FIRST, "substr(tag, 5)")], [(FIRST, FIRST, OTHER)]),
        ([opening(FIRST, "redacted_by = 'x'")], [(FIRST, FIRST, UNRECORDED)]),
        ([opening(OLD, "redacted_by = 'x'")], [(OLD, OLD, UNRECORDED)]),
        ([opening(OLD, "redacted_by = 'é'")], [(OLD, OLD, UNRECORDED)]),
        ([opening(OLD, "redacted_by = 7")], [(OLD, OLD, UNRECORDED)]),
        (
            [opening(FIRST, f"redacted_by = (SELECT id FROM audit_entries WHERE idx = {ACT})")],
            [(FIRST, FIRST, UNRECORDED)],
        ),
        (
            [opening(FIRST, f"redacted_by = (SELECT id FROM audit_entries WHERE idx = {START})")],
            [(FIRST, FIRST, UNRECORDED)],
        ),
        (
            [opening(REDACTED, "redacted_by = NULL")],
            [(REDACTED, REDACTED, REMOVED), unmarked(REDACTED, ACT)],
        ),
        ([put_back(REDACTED)[1]], [(REDACTED, REDACTED, INDEXED)]),
        ([put_back(OLD_REDACTED)[1]], [(OLD_REDACTED, OLD_REDACTED, INDEXED)]),
        # A redaction that is not carried out yet.
        (put_back(REDACTED), []),
        (put_back(OLD_REDACTED), []),
        ([put_back(REDACTED)[0]], [(REDACTED, REDACTED, OTHER)]),
        ([put_back(OLD_REDACTED)[0]], [(OLD_REDACTED, OLD_REDACTED, PUT_BACK)]),
        ([opening(REDACTED, "sealed = x'00'")], [(REDACTED, REDACTED, OTHER)]),
        (
            [opening(OLD_REDACTED, "sealed = x'00'")],
            [(OLD_REDACTED, OLD_REDACTED, PUT_BACK)],
        ),
        ([OPENING.format(START)], [(START, START, STRAY)]),
        ([TAG.format(START)], [(START, START, STRAY)]),
        ([OPENING.format(START), TAG.format(START)], [(START, START, STRAY)] * 2),
        ([OPENING.format(ACT)], [(ACT, ACT, STRAY)]),
        ([TAG.format(ACT)], [(ACT, ACT, STRAY)]),
        ([OPENING.format(8)], [(8, 8, "there are 1 openings that belong to no entry")]),
        ([TAG.format(8), TAG.format(-1)], [(8, 8, "there are 2 index rows that belong to no entry")]),
    ],
)
def test_what_is_wrong_with_what_opens_an_entry(log: Path, statements: Sequence[str], expected: Told) -> None:
    assert told(log, *statements) == expected
    # The vault changes nothing about it; what does not hold is not opened.
    assert told(log, *statements, with_vault=True) == expected


def test_what_is_being_redacted_is_not_to_be_opened(log: Path) -> None:
    opened = found(log, *put_back(REDACTED), with_vault=True)
    assert (opened.found, opened.opened, opened.openings) == ([], 3, 3)


def test_what_was_put_back_as_if_nobody_had_redacted_it_has_no_key(log: Path) -> None:
    statements = *put_back(REDACTED), opening(REDACTED, "redacted_by = NULL")
    assert told(log, *statements) == [unmarked(REDACTED, ACT)]
    closed, unmarked_there = told(log, *statements, with_vault=True)
    assert unmarked_there == unmarked(REDACTED, ACT)
    assert closed[:2] == (REDACTED, REDACTED)
    assert closed[2].startswith("the entry does not open: ")


def test_an_entry_that_only_looks_like_one_is_not_opened(log: Path) -> None:
    broken = """replace(CAST(body AS TEXT), '["full_name"]', '[x]')"""
    spoil = f"UPDATE audit_entries SET body = CAST({broken} AS BLOB) WHERE idx = {OLD}"
    unread = OLD, OLD, "the entry cannot be read"
    opened = found(log, spoil, with_vault=True)
    assert unread in [(each.first, each.last, each.what) for each in opened.found]
    # The pattern that plain verification reads by does not look into lists.
    assert (opened.opened, opened.openings, unread in told(log, spoil)) == (2, 3, False)


@pytest.mark.parametrize("member", ["subjects", "officer"])
def test_an_entry_without_its_commitments_is_opened_by_nothing(log: Path, member: str) -> None:
    def spoil(connection: sqlite3.Connection) -> None:
        (body,) = connection.execute("SELECT body FROM audit_entries WHERE idx = ?", (OLD,)).fetchone()
        entry = json.loads(body)
        del (entry["officer"] if member == "officer" else entry["subjects"][0])["commitment"]
        connection.execute("UPDATE audit_entries SET body = ? WHERE idx = ?", (canonical(entry), OLD))

    found = verdict(log, spoil, with_vault=True).found
    assert ALTERED[0] in [(each.first, each.last, each.what) for each in found]


async def test_the_first_entry_may_be_redacted_too(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence(LAN))
        await redact(world.storage, world.log, world.sealer, 0, reason="court", evidence=act("redaction"))
        assert (await verify(world.storage, [world.signer.verifier])).valid


async def test_an_answer_opens_kept_or_provable_or_both(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        for archive, provable in ((True, False), (False, True), (True, True)):
            await world.log.record(replace(evidence(archive=archive), provable=provable))
        found = await verify(world.storage, [world.signer.verifier], world.sealer)
        assert (found.found, found.opened, found.recomputed) == ([], 3, 2)


def test_a_number_that_is_none_is_told_of_the_page(log: Path) -> None:
    freed = "CREATE TABLE freed AS SELECT * FROM audit_subjects", "DROP TABLE audit_subjects"
    name = "ALTER TABLE freed RENAME TO audit_subjects"
    assert (0, LAST, STRAY) in told(log, *freed, name, "INSERT INTO audit_subjects VALUES (x'00', 2.5)")


def sealed_anew(
    log: Path, change: Callable[[Secrets], Secrets], subjects: Sequence[tuple[str, str]] | None = None
) -> Told:
    """Who has the vault seals other secrets for the older entry, which does not say what opens it."""
    sealer = Sealer(Vault(log / "vault"), MASTER)
    with plain(log / "gateway.db") as connection:
        columns = "id, period, slot, sealed"
        query = f"SELECT {columns} FROM audit_openings JOIN audit_entries USING (idx) WHERE idx = {OLD}"
        name, period, slot, sealed = connection.execute(query).fetchone()
    secrets = change(Secrets.decode(sealer.open(name, period, slot, sealed)))
    (anew,) = sealer.seal([Plain(name, period, secrets.encode(), secrets.subjects if subjects is None else subjects)])
    rows = [f"INSERT INTO audit_subjects VALUES (x'{placed(tag, OLD).hex()}', {OLD})" for tag in anew.tags]
    row = opening(OLD, f"slot = {anew.slot}, sealed = x'{anew.sealed.hex()}'")
    statements = (row, f"DELETE FROM audit_subjects WHERE idx = {OLD}", *rows)
    assert told(log, *statements) == []
    return told(log, *statements, with_vault=True)


ALTERED = [(OLD, OLD, "the opening does not open the commitments of the entry")]
MISPLACED = [(OLD, OLD, "the index rows are not those of the entry's subjects")]


def test_what_was_sealed_anew_opens_as_before(log: Path) -> None:
    assert sealed_anew(log, lambda secrets: secrets) == []


def without(secrets: Secrets, name: str) -> Secrets:
    return replace(secrets, salts={key: salt for key, salt in secrets.salts.items() if key != name})


@pytest.mark.parametrize("name", ["data", "fields", "question", "officer", "subjects/0", "subjects/1"])
def test_every_salt_is_needed(log: Path, name: str) -> None:
    assert sealed_anew(log, lambda secrets: replace(secrets, salts={**secrets.salts, f"{name}x": b"x" * 32})) == ALTERED
    if name == "question":
        # What it was is not kept: another salt for it cannot be told from the right one.
        assert sealed_anew(log, lambda secrets: without(secrets, name)) == ALTERED
    else:
        assert sealed_anew(log, lambda secrets: replace(secrets, salts={**secrets.salts, name: bytes(32)})) == ALTERED


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda secrets: replace(secrets, data=b'{"full_name":"y"}'), ALTERED),
        (lambda secrets: replace(secrets, officer=LAN), ALTERED),
        (lambda secrets: replace(secrets, subjects=[("personal-number", LAN), ("personal-number", LAN)]), ALTERED),
        (lambda secrets: replace(secrets, subjects=secrets.subjects[::-1]), ALTERED),
    ],
)
def test_every_value_is_held_to_its_commitment(log: Path, change: Callable[[Secrets], Secrets], expected: Told) -> None:
    assert sealed_anew(log, change) == expected


@pytest.mark.parametrize(
    "subjects",
    [[], [("personal-number", LAN)], [("tax-code", LAN), ("personal-number", MAI)]],
)
def test_index_rows_are_held_to_the_subjects(log: Path, subjects: Sequence[tuple[str, str]]) -> None:
    assert sealed_anew(log, lambda secrets: secrets, subjects) == MISPLACED
