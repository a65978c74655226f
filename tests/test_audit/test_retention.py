"""Values of a record class end when they are beyond its days; entries, holds and other classes stay as they are."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from config.retention import Retention
from security.audit import log, retention
from security.audit.archive import archive, due
from security.audit.archive_check import in_files
from security.audit.entries import Evidence
from security.audit.reading import NoEntry
from security.audit.redaction import redact_together
from security.audit.retention import Kept, Term, applied
from security.audit.tables import OPENINGS, SUBJECTS
from security.audit.vault import Destroyed
from security.audit.verification import verify
from storage.engine import Run, Work
from tests.test_audit.audit_world import World, evidence

T = TypeVar("T")
LAN = "001090123456"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CASE = "000.00.00.G15-261122-0007"


def aged(days: float, **members: object) -> Evidence:
    return replace(evidence(LAN, at=NOW - timedelta(days=days)), **members)  # type: ignore[arg-type]


def act(name: str) -> Evidence:
    bare = replace(evidence(data=None, officer=None), question=None, request_messages=[], answer_messages=[])
    return replace(bare, details={"class": name})


async def recorded(world: World, events: Sequence[Evidence]) -> None:
    for event in events:
        await world.log.record(event)


async def apply(world: World, rule: Retention) -> dict[int, int]:
    done: dict[int, int] = {}
    term = Term(rule, NOW, world.sealer)
    async for part in applied(world.storage, world.log, world.sealer, term, "retention of 2026", act):
        done |= part
    return done


async def opens(world: World) -> list[int]:
    found = []
    for index in range(await world.reader.size()):
        try:
            await world.reader.open(index)
        except NoEntry:
            continue
        found.append(index)
    return found


RULE = Retention(default=400, days={"population": 100, "land": "forever", "readings": 50}, hold=(CASE,))
EVENTS = [
    aged(900),  # 0: population, beyond
    aged(900, dossier=CASE),  # 1: on hold
    aged(900, database="land"),  # 2: for ever
    aged(900, database="dossiers", dossier=None),  # 3: by default, beyond
    aged(300, database="dossiers"),  # 4
    aged(101),  # 5: beyond
    aged(60, kind="reading", database="population"),  # 6: a reading, beyond
    aged(60, kind="reading", database="audit", dossier=None),  # 7: another
    aged(60),  # 8
    aged(900, database=None),  # 9: other, beyond
    aged(99.9),  # 10
]
BEYOND = [0, 3, 5, 6, 7, 9]


async def test_what_is_beyond_its_days_ends_and_nothing_else(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    await recorded(world, EVENTS)
    # Half of them lie in an archive.
    directory = tmp_path / "archive"
    directory.mkdir()
    span = await due(world.storage, NOW, 5)
    assert span == (0, 5)
    made = replace(act("x"), kind="admin", details={"action": "audit-archive"})
    await archive(world.storage, world.log, [world.signer.verifier], directory, span, made)
    term = Term(RULE, NOW, world.sealer)
    assert await world.storage.read(term.kept) == [
        Kept("dossiers", 400, 2, 3, NOW - timedelta(days=900), 1, 0),
        Kept("land", None, 1, 2, NOW - timedelta(days=900), 0, 0),
        Kept("other", 400, 1, 9, NOW - timedelta(days=900), 1, 0),
        Kept("population", 100, 5, 0, NOW - timedelta(days=900), 3, 1),
        Kept("readings", 50, 2, 6, NOW - timedelta(days=60), 2, 0),
    ]
    size = await world.reader.size()
    done = await apply(world, RULE)
    assert list(done) == BEYOND
    assert list(done.values()) == list(range(size, size + 6))
    assert await opens(world) == [index for index in range(len(EVENTS)) if index not in BEYOND]
    assert [each.index for each in await world.reader.search("personal-number", LAN)] == [1, 2, 4, 8, 10]
    told = (await world.reader.show(done[3])).entry
    details = told["details"]
    assert isinstance(details, dict)
    assert told["kind"] == "redaction"
    assert details.items() >= {"class": "dossiers", "index": 3, "reason": "retention of 2026"}.items()
    rows = await world.storage.read(lambda connection: connection.execute(select(OPENINGS)).all())
    for row in (row for row in rows if row.idx in BEYOND):
        assert row.sealed is None
        with pytest.raises(Destroyed):
            world.sealer.open("any", row.period, row.slot, b"")
    assert await apply(world, RULE) == {}
    assert await world.reader.size() == size + 6
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    await in_files(world.storage, directory, [world.signer.verifier], found)
    assert (found.valid, found.in_files) == (True, 5), found


async def test_without_configuration_everything_is_kept(world: World) -> None:
    await recorded(world, EVENTS[:4])
    assert await apply(world, Retention()) == {}
    kept = await world.storage.read(Term(Retention(), NOW, world.sealer).kept)
    assert [(each.name, each.days, each.beyond) for each in kept] == [
        ("dossiers", None, 0),
        ("land", None, 0),
        ("population", None, 0),
    ]
    # What nobody can open any more is not counted and needs no redaction.
    world.sealer.destroy_period(f"{NOW - timedelta(days=900):%Y-%m}")
    assert await world.storage.read(Term(RULE, NOW, world.sealer).kept) == [
        Kept("land", None),
        Kept("population", 100),
        Kept("readings", 50),
    ]
    assert await apply(world, RULE) == {}


@pytest.mark.parametrize("killed", ["before-keys", "before-rows", "between-batches"])
async def test_what_was_interrupted_is_gone_on_with(world: World, killed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    await recorded(world, EVENTS)
    size = await world.reader.size()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if killed == "before-keys":
            patch.setattr(world.sealer, "destroy_entry", die)
        elif killed == "before-rows":
            patch.setattr(world.storage, "write", _dying(world.storage.write, 2))
        else:
            patch.setattr(world.log, "record_together", _dying(world.log.record_together, 2))
        with pytest.raises(KeyboardInterrupt):
            await apply(world, RULE)
    # The entries of a batch are there together or not at all.
    assert await world.reader.size() == size + 2
    done = await apply(world, RULE)
    assert list(done) == BEYOND[2:]
    assert await opens(world) == [index for index in range(len(EVENTS)) if index not in BEYOND]
    left = await world.storage.read(
        lambda connection: connection.execute(
            select(func.count()).select_from(SUBJECTS).where(SUBJECTS.c.idx.in_(BEYOND))
        ).scalar_one()
    )
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert (left, await world.reader.size(), found.valid) == (0, size + 6, True)


def _dying(genuine: object, call: int) -> object:
    """What works as before until that call of it."""
    calls = 0

    async def work(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return await genuine(*arguments, **options)  # type: ignore[operator]

    return work


async def test_two_who_apply_at_once_redact_nothing_twice(world: World) -> None:
    await recorded(world, EVENTS)
    other = await log.AuditLog.open(world.storage, world.signer, world.sealer)
    term = Term(RULE, NOW, world.sealer)
    found = await world.storage.read(lambda connection: term.due(connection, -1, 100))
    assert [index for index, _ in found] == BEYOND
    acts = {index: act(name) for index, name in found}
    first = await redact_together(world.storage, other, world.sealer, dict(list(acts.items())[:2]), reason="x")
    second = await redact_together(world.storage, world.log, world.sealer, acts, reason="x")
    await other.close()
    assert [isinstance(each, NoEntry) for each in (*first, *second)] == [False] * 2 + [True] * 2 + [False] * 4
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid


@pytest.mark.parametrize("wrong", [29, 0, -1, 36_526, True, 400.0, "never", "40 days"])
def test_days_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match='number of days from 30 to 36525, or "forever"'):
        Retention(default=wrong)
    assert Retention(default="400", days={"land": "forever"}).of("land") is None


async def test_what_is_redacted_while_values_are_verified_is_no_finding(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(world, [aged(900), aged(900), aged(10)])
    reading, done, begun = world.storage.reading, dict[int, int](), list[int]()

    @asynccontextmanager
    async def interrupted() -> AsyncIterator[Run]:
        steps = 0

        async def step(work: Work[T], /) -> T:
            nonlocal steps
            taken, steps = await run(work), steps + 1
            if steps == 2 and not begun:
                # The snapshot is there; the vault goes on.
                begun.append(steps)
                done.update(await apply(world, Retention(default=800)))
            return taken

        async with reading() as run:
            yield step

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(world.storage, "reading", interrupted)
        found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert (found.found, found.opened, sorted(done)) == ([], 1, [0, 1])
    # Nobody recorded that this one was to open no more.
    opening = select(OPENINGS.c.period, OPENINGS.c.slot).where(OPENINGS.c.idx == 2)
    period, slot = (await world.storage.read(lambda connection: connection.execute(opening).all()))[0]
    world.sealer.destroy_entry(period, slot)
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert [(each.first, each.what.partition(":")[0]) for each in found.found] == [(2, "the entry does not open")]
