"""How checkpoints of a log get to witnesses: real sockets, real directories, each kind of database."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.witnesses import office as way_to
from config.settings import ConfigurationError
from config.witness import Witness
from routes.listening import bind
from routes.witness import serving
from security.audit.checkpoint import b64
from security.audit.cosignature import cosignatures
from security.audit.witness import open_witness
from security.audit.witnessed import note_standing, witnessed
from tests.test_audit.audit_world import ORIGIN, World, a_signer, a_world, evidence
from tests.test_witnesses.conftest import NAME, Office
from tests.test_witnesses.logs import MemoryLog
from tests.test_witnesses.showing import actions, how, over_http, shown_to


@pytest.fixture
async def world(storage_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(storage_url, tmp_path / "vault") as made:
        yield made


async def test_a_log_that_grew_is_cosigned_and_the_note_kept(world: World, office: Office) -> None:
    loop = shown_to(world, over_http(office))
    assert await loop._safely() == 60.0
    assert (await office.newest())[0] == 404
    for size in (1, 2, 3):
        await world.log.record(evidence())
        loop.wake()
        assert await loop._safely() == 60.0
        assert (await how(world)).size == size
    kept = await world.storage.read(witnessed)
    assert kept == (await office.newest())[1]
    checkpoint, found = cosignatures(kept, [office.witness.key])
    assert (checkpoint.size, [each.witness for each in found]) == (3, [NAME])
    assert await world.storage.read(lambda connection: witnessed(connection, 2)) != kept
    # Nothing new: nobody is asked, and nothing is written into the log.
    before = await how(world)
    loop.wake()
    await loop._safely()
    assert await world.reader.size() == 3
    assert await how(world) == before
    await loop._office.close()


async def test_the_schedule_is_kept_and_a_clock_that_was_set_back_does_not_stop_it(
    local: World, office: Office
) -> None:
    loop = shown_to(local, over_http(office))
    await local.log.record(evidence())
    await loop._safely()
    await local.log.record(evidence())
    assert 0 < await loop._safely() <= 60
    assert (await how(local)).size == 1
    # As a clock ten years ahead left it.
    far = (await how(local)).due_at + 10 * 365 * 86_400_000
    await local.storage.write(lambda connection: note_standing(connection, "one", due_at=far, behind_since=far))
    await loop._safely()
    found = await how(local)
    assert (found.size, found.behind, found.behind_since) == (2, 0, None)
    await loop._office.close()


async def test_one_process_at_a_time_asks(world: World, office: Office) -> None:
    await world.log.record(evidence())
    asked = asyncio.Event()
    go_on = asyncio.Event()
    first, second = (shown_to(world, over_http(office), owner=owner) for owner in ("one", "two"))
    submit = first._office.submit

    async def slowly(offer: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await submit(offer)

    first._office.submit = slowly  # type: ignore[method-assign]
    running = asyncio.create_task(first._safely())
    await asked.wait()
    await second._safely()
    assert (await how(world)).size == 0
    go_on.set()
    await running
    assert ((await how(world)).size, (await how(world)).lease_owner) == (1, None)
    for loop in (first, second):
        await loop._office.close()


async def test_run_shows_at_the_start_when_woken_and_at_the_end(local: World, office: Office) -> None:
    await local.log.record(evidence())
    loop = shown_to(local, over_http(office, every=3600))
    running = asyncio.create_task(loop.run())

    async def until(size: int) -> None:
        while (await how(local)).size < size:
            await asyncio.sleep(0.005)

    await asyncio.wait_for(until(1), 60)
    await local.log.record(evidence())
    loop.wake()
    await asyncio.wait_for(until(2), 60)
    await local.log.record(evidence())
    loop.stop()
    await running
    assert (await how(local)).size == 3


async def test_a_witness_that_is_down_is_tried_again_and_told_of_once(world: World, office: Office) -> None:
    down = Witness(kind="http", url="http://127.0.0.1:9", key=office.witness.key.encode(), overdue=1)
    loop = shown_to(world, down)
    await world.log.record(evidence())
    for _ in range(3):
        loop.wake()
        assert 0 < await loop._safely() <= 60
    found = await how(world)
    assert (found.trouble, found.failures, found.size, await actions(world)) == ("unreachable", 3, 0, [])
    long_ago = (found.behind_since or 0) - 5000
    await world.storage.write(lambda connection: note_standing(connection, "one", behind_since=long_ago))
    for _ in range(3):
        loop.wake()
        await loop._safely()
    assert await actions(world) == ["witness-silent"]
    back = shown_to(world, over_http(office))
    await back._safely()
    assert (await how(world)).trouble is None
    assert await actions(world) == ["witness-silent", "witness-back"]
    for each in (loop, back):
        await each._office.close()


async def test_a_witness_that_forgot_or_knows_more_of_the_same_log_is_met_where_it_is(
    local: World, office: Office
) -> None:
    loop = shown_to(local, over_http(office))
    for _ in range(3):
        await local.log.record(evidence())
    await local.storage.write(lambda connection: note_standing(connection, "one", size=2))
    await loop._safely()
    assert (await how(local)).size == 3
    await local.log.record(evidence())
    await local.storage.write(lambda connection: note_standing(connection, "one", size=1))
    loop.wake()
    await loop._safely()
    assert (await how(local)).size == 4
    await loop._office.close()


@pytest.mark.parametrize(("theirs", "code"), [(9, "rollback"), (2, "fork"), (3, "fork")])
async def test_another_history_at_the_witness_is_told_as_such(
    local: World, office: Office, theirs: int, code: str
) -> None:
    other = MemoryLog.of(theirs, "other ")
    assert (await office.post(other.submission(0)))[0] == 200
    for _ in range(3):
        await local.log.record(evidence())
    loop = shown_to(local, over_http(office))
    await loop._safely()
    found = await how(local)
    assert (found.trouble, found.size) == (code, 0)
    await loop._office.close()


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\[witness.one\]"):
        way_to("one", Witness(kind="http", url="http://127.0.0.1:9", key="x+00000000+AAAA"))


async def test_a_directory_gets_a_file_for_each_checkpoint_and_keeps_it(world: World, tmp_path: Path) -> None:
    place = tmp_path / "held"
    loop = shown_to(world, Witness(kind="directory", path=place))
    await world.log.record(evidence())
    await loop._safely()
    # A mount that is not there must not become a folder of our own disk.
    assert (await how(world)).trouble == "no-directory"
    place.mkdir()
    for _ in range(2):
        loop.wake()
        await loop._safely()
        await world.log.record(evidence())
    loop.wake()
    await loop._safely()
    files = sorted(place.iterdir())
    assert [file.name for file in files] == [f"{size:020d}.checkpoint" for size in (1, 2, 3)]
    assert files[-1].read_text() == await world.reader.checkpoint()
    assert files[0].stat().st_mode & 0o777 == 0o444
    assert len(await loop._office.held(ORIGIN)) == 3
    assert await loop._office.held("other.example") == []


async def test_a_torn_file_stays_and_the_checkpoint_stands_beside_it(local: World, tmp_path: Path) -> None:
    await local.log.record(evidence())
    torn = tmp_path / f"{1:020d}.checkpoint"
    torn.write_text(f"{ORIGIN}\n1")
    (tmp_path / "notes.txt").write_text("of somebody else")
    loop = shown_to(local, Witness(kind="directory", path=tmp_path))
    await loop._safely()
    assert (await how(local)).size == 1
    assert torn.read_text() == f"{ORIGIN}\n1"
    assert await loop._office.held(ORIGIN) == [await local.reader.checkpoint()]


@pytest.mark.parametrize(("size", "code"), [(1, "contradiction"), (5, "rollback")])
async def test_a_directory_that_holds_another_history_says_so(
    local: World, tmp_path: Path, size: int, code: str
) -> None:
    await local.log.record(evidence())
    (tmp_path / f"{size:020d}.checkpoint").write_text(MemoryLog.of(size, "other ").note())
    loop = shown_to(local, Witness(kind="directory", path=tmp_path))
    await loop._safely()
    assert (await how(local)).trouble == code


async def test_cosignatures_of_all_witnesses_stand_under_one_checkpoint(
    local: World, office: Office, tmp_path: Path
) -> None:
    await local.log.record(evidence())
    loops = [
        shown_to(local, over_http(office), "one"),
        shown_to(local, Witness(kind="directory", path=tmp_path), "two"),
    ]
    for loop in loops:
        await loop._safely()
    note = await local.storage.read(witnessed)
    assert note == (await office.newest())[1]
    assert b64(office.witness.key.key_id)[:5] in note
    await loops[0]._office.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "directory"}, "needs path"),
        ({"kind": "http", "url": "http://127.0.0.1:9"}, "needs key"),
        ({"kind": "http", "key": "x"}, "needs url"),
        ({"kind": "directory", "path": "x", "key": "y"}, "key is not read with"),
        ({"kind": "http", "url": "http://a@b", "key": "y"}, "url"),
        ({"kind": "paper"}, "kind"),
    ],
    ids=["no-path", "no-key", "no-url", "key-of-other-kind", "user-in-url", "no-kind"],
)
def test_settings_of_each_kind(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Witness.model_validate(settings)


async def test_a_process_that_died_with_the_lease_is_not_waited_for(local: World, office: Office) -> None:
    await local.log.record(evidence())
    code = "from sync.liveness import owner; print(owner())"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    soon = time.time_ns() // 1_000_000 + 200_000
    for dead, size in ((False, 0), (True, 1)):
        owner = said.decode().strip() if dead else "elsewhere:1:1:1"
        held = {"lease_owner": owner, "lease_until": soon}
        await local.storage.write(lambda connection, held=held: note_standing(connection, "one", **held))  # type: ignore[misc]
        loop = shown_to(local, over_http(office))
        await loop._safely()
        await loop._office.close()
        assert (await how(local)).size == size


async def test_a_rotated_key_is_taken_where_the_witness_knows_it(local: World, tmp_path: Path) -> None:
    new = a_signer(seed=b"n" * 32)
    for logs, ending in (([a_signer()], "unknown-key"), ([a_signer(), new], None)):
        witness = open_witness(tmp_path / f"of{len(logs)}", [each.verifier for each in logs], "w.example", "")
        sock = bind("127.0.0.1:0")
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with serving(witness, sock):
            settings = Witness(kind="http", url=url, key=witness.key.encode())
            name = f"of{len(logs)}"
            for signer in (a_signer(), new):
                local.log.sign_with(signer)
                await local.log.record(evidence())
                loop = shown_to(local, settings, name)
                await loop._safely()
                await loop._office.close()
            assert (await how(local, name)).trouble == ending
        witness.close()


async def test_of_several_processes_one_tells_that_a_witness_is_silent(local: World, office: Office) -> None:
    await local.log.record(evidence())
    await local.storage.write(lambda connection: note_standing(connection, "one", behind_since=1))
    seen = await how(local)
    for owner in ("one", "two"):
        loop = shown_to(local, over_http(office), owner=owner)
        # As both saw it at one moment.
        await loop._tell_if_overdue(seen, time.time_ns() // 1_000_000)
        await loop._office.close()
    assert await actions(local) == ["witness-silent"]
