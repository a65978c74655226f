"""What is remembered of the gateway's runs repeats entries of the log: changed, it would hide a change of settings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from config.effective import effective
from config.settings import load
from schemas.ids import new_id
from security.audit import runs
from security.audit.archive import archive, due
from security.audit.continuity import root
from security.audit.findings import Findings
from security.audit.reading import Filter
from security.audit.runs import RUNS, Run
from security.audit.verification import verify
from storage.backup import backup
from storage.commands import copy
from tests.restoring import restore
from tests.test_audit.audit_world import World, a_world, evidence
from tests.test_tampering.changes import HOW
from tests.test_tampering.test_kept_evidence import genuine

COLUMNS = ("place", "run", "ended", "settings")
LENGTHS = {"place": 96, "run": 36}
NODES = ("a" * 16, "b" * 16)


def settings_for(listen: str, **other: str) -> dict[str, str]:
    """As the gateway tells them, which is configured to listen there."""
    defaults = load(None)
    server = defaults.server.model_copy(update={"listen": listen})
    return effective(defaults.model_copy(update={"server": server})) | other


def serving(node: str, port: int) -> Run:
    return Run(new_id(), "serve", node, f"127.0.0.1:{port}", "operator")


def working(node: str) -> Run:
    return Run(new_id(), "worker", node, "", "operator")


async def begun(world: World, run: Run, **other: str) -> Run:
    await runs.begin(world.storage, world.log, run, settings_for(run.address or "127.0.0.1:1", **other), {"keys": {}})
    return run


async def reloaded(world: World, run: Run, **other: str) -> None:
    await runs.reload(world.storage, world.log, run, settings_for(run.address, **other), {"keys": {}})


async def found(world: World) -> Findings:
    return await verify(world.storage, [world.signer.verifier])


async def lived(world: World) -> dict[str, Run]:
    """Two nodes: runs that ended, that were killed, that go on; a reload, one that was refused, and entries between."""
    await world.log.record(evidence())
    first = await begun(world, serving(NODES[0], 8080))
    await runs.end(world.log, first, failed=False)
    killed = await begun(world, serving(NODES[0], 8080), other="x")
    there = {
        "former": first,
        "killed": killed,
        "other-node": await begun(world, serving(NODES[1], 8080)),
        "worker": await begun(world, working(NODES[0])),
        "other-port": await begun(world, serving(NODES[0], 9090)),
    }
    await world.log.record(evidence())
    await reloaded(world, there["other-port"], other="y")
    await runs.refuse(world.log, there["other-port"], "ConfigurationError")
    there["again"] = await begun(world, serving(NODES[0], 8080), other="z")
    await reloaded(world, there["again"], other="w")
    await runs.end(world.log, there["worker"], failed=True)
    await runs.end(world.log, there["other-node"], failed=False)
    await world.log.record(evidence())
    return there


async def rows(world: World) -> Sequence[Any]:
    return await world.storage.read(lambda c: c.execute(select(RUNS).order_by(RUNS.c.place)).all())


def changed(place: str, /, **values: object) -> Any:
    statement = update(RUNS).where(RUNS.c.place == place).values(values)
    return lambda connection: connection.execute(statement)


async def put(world: World, kept: Sequence[Any]) -> None:
    """Have these rows and no others."""

    def work(connection: Any) -> None:
        connection.execute(delete(RUNS))
        connection.execute(insert(RUNS), [dict(row._mapping) for row in kept])

    await world.storage.write(work)


async def test_genuine_runs_hold_at_every_moment(world: World) -> None:
    """Whatever order two nodes, several workers and a second one at the same address write in."""
    serve, worker = serving(NODES[0], 1), working(NODES[0])
    twin, second = serving(NODES[0], 1), working(NODES[0])
    other = serving(NODES[1], 1)
    steps = [
        begun(world, serve),
        begun(world, other),
        begun(world, worker),
        begun(world, second),
        runs.end(world.log, worker, failed=False),
        # It cannot have the address, and says so only after it has begun.
        begun(world, twin, other="x"),
        runs.end(world.log, twin, failed=True),
        reloaded(world, serve, other="y"),
        runs.refuse(world.log, serve, "ConfigurationError"),
        reloaded(world, other),
        runs.end(world.log, serve, failed=False),
        begun(world, serving(NODES[0], 1)),
        begun(world, working(NODES[0])),
        runs.end(world.log, second, failed=False),
        # A process that outlived those that said that all had ended.
        runs.end(world.log, other, failed=False),
        reloaded(world, other, other="z"),
    ]
    for step in steps:
        await step
        assert (await found(world)).found == []
    assert len(await rows(world)) == 3


async def test_runs_that_begin_at_once_hold(world: World) -> None:
    """Neither knows of the other: both name the same run before them."""
    await begun(world, serving(NODES[0], 1))
    both = [serving(NODES[0], 1), serving(NODES[0], 1), working(NODES[0]), working(NODES[0]), serving(NODES[1], 1)]
    await asyncio.gather(*(begun(world, each) for each in both))
    assert (await found(world)).found == []
    await asyncio.gather(*(reloaded(world, each) for each in both if each.process == "serve"))
    assert (await found(world)).found == []
    await asyncio.gather(*(runs.end(world.log, each, failed=False) for each in both))
    assert (await found(world)).found == []


async def test_a_long_address_is_cut_off(local: World) -> None:
    await begun(local, Run(new_id(), "serve", NODES[0], f"{'x' * 90}:1", "operator"))
    await begun(local, Run(new_id(), "serve", NODES[0], f"ngoài.{'y' * 60}:1", "operator"))
    assert (await found(local)).found == []


async def test_what_begins_with_other_settings_holds(local: World) -> None:
    """Whoever writes the settings, and in which order: what the address is called is not among them."""
    run = serving(NODES[0], 1)
    await runs.begin(local.storage, local.log, run, {"b": "x", "a": "đ"}, {})
    assert (await found(local)).found == []


async def test_other_entries_of_these_kinds_tell_of_no_run(local: World) -> None:
    start = evidence(data=None, officer=None)
    for details in ({"release": "1"}, {"run": "x"}, {"run": 1, "host": [], "process": {}}, {}):
        made = replace(start, id=new_id(), kind="start", question=None, request_messages=[], details=details)
        await local.log.record(replace(made, answer_messages=[]))
    assert (await found(local)).found == []


async def test_every_changed_value_is_a_finding(world: World) -> None:
    await lived(world)
    kept = await rows(world)
    assert (await found(world)).found == []
    for row in kept:
        for column in COLUMNS:
            old = getattr(row, column)
            places = [(at, bit) for at in (0, 3, 20, len(str(old)) - 1) for bit in (0, 1)]
            news = {not old} if column == "ended" else {how(old, at, bit) for how in HOW for at, bit in places}
            # PostgreSQL takes no others.
            taken = {new for new in news - {old, None} if len(str(new)) <= LENGTHS.get(column, 10**6)}
            for new in taken:
                await put(world, [each for each in kept if each != row])
                values = dict(row._mapping) | {column: new}
                await world.storage.write(lambda c, values=values: c.execute(insert(RUNS).values(values)))
                assert not (await found(world)).valid, (row.place, column, old, new)
    await put(world, kept)
    assert (await found(world)).found == []


def swaps() -> Iterator[tuple[str, ...]]:
    for many in range(1, len(COLUMNS)):
        yield from (each for each in permutations(COLUMNS, many) if list(each) == sorted(each))


async def test_values_exchanged_between_rows_are_findings(local: World) -> None:
    await lived(local)
    kept = await rows(local)
    for one, other in permutations(kept, 2):
        for columns in swaps():
            first, second = dict(one._mapping), dict(other._mapping)
            if "place" in columns and set(columns) == set(COLUMNS):
                continue
            for column in columns:
                first[column], second[column] = second[column], first[column]
            same = [dict(one._mapping), dict(other._mapping)]
            if [first, second] in (same, same[::-1]):
                continue

            def work(connection: Any, made: Any = (first, second), places: Any = (one.place, other.place)) -> None:
                connection.execute(delete(RUNS).where(RUNS.c.place.in_(places)))
                connection.execute(insert(RUNS), list(made))

            await local.storage.write(work)
            assert not (await found(local)).valid, (one.place, other.place, columns)
            await put(local, kept)


async def test_what_is_said_names_the_run_and_its_entry(local: World) -> None:
    there = await lived(local)
    kept = await rows(local)
    place = there["other-port"].place
    (row,) = [each for each in kept if each.place == place]
    last = there["again"].place

    async def told(change: Any) -> list[tuple[int, str]]:
        await local.storage.write(change)
        said = [(each.first, each.what) for each in (await found(local)).found]
        await put(local, kept)
        return said

    begin = f"of the last run at {place} "
    size = (await found(local)).entries
    # The reload that was taken, not the one that was refused.
    (reload,) = [
        index
        for index, entry in [(each.index, each.entry) for each in await listed(local)]
        if entry["kind"] == "configuration"
        and entry["details"]["run"] == there["other-port"].id
        and entry["details"]["at"] == "reload"
        and "refused" not in entry["details"]
    ]
    other = row.settings.replace('"other": "y"', '"other": "q"')
    assert await told(changed(place, settings=other)) == [
        (reload, begin + "other settings are remembered than its last configuration")
    ]
    unread = f"what is remembered of the last run at {last} cannot be read"
    (newest,) = [each for each in kept if each.place == last]
    disordered = json.dumps(dict(reversed(json.loads(newest.settings).items())))
    for wrong in (newest.settings.replace(", ", ",  ", 1), disordered, "{}{}", "[]", "null", ""):
        assert await told(changed(last, settings=wrong)) == [(size, unread)]
    assert await told(changed(place, ended=True)) == [(reload, begin + "its end is remembered and not recorded")]
    ended = there["worker"].place
    ((_, what),) = await told(changed(ended, ended=False))
    assert what == f"of the last run at {ended} its end is not remembered"
    assert await told(changed(place, run=new_id())) == [(size, begin + "no entry tells that it began")]
    moved = place[:-1] + "1"
    assert await told(changed(place, place=moved)) == [
        (reload, f"of the last run at {moved} another place is remembered than its entries tell")
    ]
    gone = delete(RUNS).where(RUNS.c.place == last)
    ((_, what),) = await told(lambda connection: connection.execute(gone))
    assert what == (f"nothing is remembered of the run {there['again'].id}, though none began after it in its place")
    twice = insert(RUNS).values(dict(row._mapping) | {"place": moved})
    assert (size, "one run is remembered at two places") in await told(lambda c: c.execute(twice))


async def listed(world: World) -> Sequence[Any]:
    return await world.reader.entries(Filter(), limit=500)


async def test_an_older_row_in_place_of_a_newer_one_is_a_finding(local: World) -> None:
    """With what its own entries say of it, and while another run of the same host is newer."""
    run = await begun(local, serving(NODES[0], 1), other="old")
    await runs.end(local.log, run, failed=False)
    old = await rows(local)
    after = await begun(local, serving(NODES[0], 1), other="new")
    newest = await begun(local, serving(NODES[0], 2))
    (kept,) = [each for each in await rows(local) if each.run == newest.id]
    await put(local, [*old, kept])
    ((only),) = (await found(local)).found
    assert only.what == f"of the last run at {run.place} more is remembered than of the run after it"
    assert after.place == run.place


async def test_runs_whose_entries_were_archived_hold(world: World, tmp_path: Path) -> None:
    there = await lived(world)
    (tmp_path / "archive").mkdir()
    late = datetime.now(UTC) + timedelta(days=1)

    async def archived(most: int) -> None:
        span = await due(world.storage, late, most)
        assert span is not None
        act = replace(evidence(data=None, officer=None), kind="admin", question=None)
        act = replace(act, request_messages=[], answer_messages=[], details={"action": "audit-archive"})
        await archive(world.storage, world.log, [world.signer.verifier], tmp_path / "archive", span, act)

    for _ in range(4):
        await archived(4)
        assert (await found(world)).found == []
    kept = await rows(world)
    # Its end is still in the database, and so is what comes now.
    other = there["other-node"].place
    await world.storage.write(changed(other, ended=False))
    assert not (await found(world)).valid
    await put(world, kept)
    await archived(1000)
    assert (await found(world)).found == []
    await runs.end(world.log, there["again"], failed=False)
    for run in (there["other-port"], there["worker"]):
        await runs.refuse(world.log, run, "ConfigurationError")
    assert (await found(world)).found == []
    (row,) = [each for each in await rows(world) if each.run == there["again"].id]
    for values in ({"ended": False}, {"place": row.place + "1"}, {"settings": "{}x"}):
        await world.storage.write(changed(row.place, **values))
        assert not (await found(world)).valid, values
        await put(world, [*[each for each in kept if each.place != row.place], row])
    await begun(world, serving(NODES[0], 8080))
    await begun(world, working(NODES[1]))
    assert (await found(world)).found == []


@pytest.mark.parametrize(
    "value",
    [
        "x'ff'",
        "CAST(x'ff41' AS TEXT)",
        "2",
        "'x'",
        "'[]'",
        "'{\"a\": 1}'",
        "'{\"a\": {}}'",
        "5.5",
        "'{\"server.listen\": 5}'",
    ],
)
@pytest.mark.parametrize("column", COLUMNS)
async def test_values_of_another_type_are_findings(local: World, column: str, value: str) -> None:
    await begun(local, serving(NODES[0], 1))
    assert (await found(local)).found == []
    change = f"UPDATE audit_runs SET {column} = {value}"
    await local.storage.write(lambda connection: connection.exec_driver_sql(change))
    assert not (await found(local)).valid


async def test_what_was_restored_and_copied_holds(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    """Runs and kept evidence are the same on the other kind of database."""
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await lived(world)
        await genuine(world)
        kept = await rows(world)
    await backup(sqlite_url, tmp_path / "backup", root)
    await restore(tmp_path / "backup", sqlite_url, root=root, admit=lambda _: None)
    await copy(sqlite_url, postgres_url, root)
    async with a_world(postgres_url, tmp_path / "vault") as world:
        assert (await found(world)).found == []
        assert await rows(world) == kept
        await begun(world, serving(NODES[0], 8080))
        assert (await found(world)).found == []
