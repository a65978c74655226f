"""Signed requests on one machine: each counts once, whatever is killed, and nothing passes that a loss forgot."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from security import shared_table
from security.audit.entries import instant
from security.audit.tables import ENTRIES
from security.machine_signatures import MachineSignatures, answered_lately, boot_id, used_on_this_machine
from security.request_signatures import NotRemembered
from security.used_signatures import UsedSignatures, carry_over
from sync.database import open_storage, upgrade

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
UNTIL = int(NOW.timestamp()) + 480
ROOT = Path(__file__).parents[2]

KILLED = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from security.machine_signatures import MachineSignatures
memory = MachineSignatures(Path(sys.argv[1]), 8)
assert asyncio.run(memory.first_use("c", "a", 2_000_000_000, 0, datetime.now(UTC)))
os.kill(os.getpid(), signal.SIGKILL)
"""


class Machine:
    """A machine with one gateway, whose clock and starts are in the test's hand."""

    def __init__(self, path: Path) -> None:
        self.path = path / "signatures.bin"
        self.now = NOW
        self.boot = "first"

    def started(self, buckets: int = 8, *, begun: bool = False) -> MachineSignatures:
        clock, boot = lambda: self.now.timestamp(), lambda: self.boot
        return MachineSignatures(self.path, buckets, begun=begun, clock=clock, boot=boot)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


async def use(memory: MachineSignatures, name: str = "a", signed_at: datetime = NOW) -> bool:
    return await memory.first_use("signature:c", name, UNTIL, 0, signed_at)


async def test_a_new_deployment_takes_signed_requests_at_once_and_each_once(machine):
    memory = machine.started()
    assert [await use(memory), await use(memory), await use(memory, "b")] == [True, False, True]


async def test_all_processes_share_the_memory_and_it_outlives_them(machine):
    one, two = machine.started(), machine.started()
    assert [await use(one), await use(two)] == [True, False]
    one.close()
    two.close()
    assert not await use(machine.started())


async def test_a_killed_process_leaves_what_it_took(tmp_path):
    path = tmp_path / "signatures.bin"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    memory = MachineSignatures(path, 8)
    assert not await memory.first_use("c", "a", 2_000_000_000, 0, datetime.now(UTC))
    assert await memory.first_use("c", "b", 2_000_000_000, 0, datetime.now(UTC))


@pytest.mark.parametrize("lost", ["boot", "table", "note", "broken-note", "workers", "both"])
async def test_after_a_loss_nothing_passes_that_could_have_been_used_before(machine, lost):
    await use(machine.started())
    machine.now += timedelta(minutes=2)
    note = machine.path.with_suffix(".since")
    match lost:
        case "boot":
            machine.boot = "second"
        case "table":
            machine.path.unlink()
        case "note":
            note.unlink()
        case "broken-note":
            note.write_text("{")
        case "both":
            machine.path.unlink()
            note.unlink()
    memory = machine.started(16 if lost == "workers" else 8, begun=True)
    for signed_at in (NOW, machine.now, machine.now + timedelta(seconds=59)):
        with pytest.raises(NotRemembered) as caught:
            await use(memory, "new", signed_at)
        assert caught.value.retry_after == 60
    assert await use(memory, "new", machine.now + timedelta(seconds=60))
    # Another process of this start sees the same, and the next start too.
    machine.now += timedelta(minutes=1)
    again = machine.started(16 if lost == "workers" else 8)
    with pytest.raises(NotRemembered):
        await use(again, "other", machine.now - timedelta(seconds=1))
    assert not await use(again, "new", machine.now)


async def test_where_a_neighbour_was_stopped_nothing_is_taken_unlocked(machine, monkeypatch):
    memory = machine.started()
    monkeypatch.setattr(shared_table.SharedTable, "lock", lambda self, start: False)
    with pytest.raises(NotRemembered):
        await use(memory)
    monkeypatch.undo()
    assert await use(memory)


def test_the_note_says_since_which_start_of_the_machine(tmp_path):
    MachineSignatures(tmp_path / "signatures.bin", 8).close()
    note = json.loads((tmp_path / "signatures.since").read_text())
    assert note == {"boot": boot_id(), "buckets": 8, "whole_from": 0.0}


async def test_what_was_used_on_one_machine_is_used_where_many_share_a_memory(machine, storage_url):
    await use(machine.started(), "a")
    await upgrade(storage_url)
    storage = await open_storage(storage_url)
    try:
        await carry_over(storage, used_on_this_machine(machine.path, NOW.timestamp()))
        shared = UsedSignatures(storage)
        assert not await shared.first_use("signature:c", "a", UNTIL, 0, NOW)
        assert await shared.first_use("signature:c", "b", UNTIL, 0, NOW)
        # What nobody would accept any more is left behind.
        assert used_on_this_machine(machine.path, UNTIL + 1) == []
    finally:
        await storage.close()


async def test_only_what_was_answered_lately_makes_a_missing_memory_a_lost_one(sqlite_url):
    await upgrade(sqlite_url)
    storage = await open_storage(sqlite_url)

    def entry(index: int, kind: str, at: datetime):
        row = {"idx": index, "leaf": b"", "body": b"", "id": str(index), "at": instant(at), "kind": kind}
        return storage.write(lambda connection: connection.execute(insert(ENTRIES).values(row)) and None)

    try:
        now = datetime.now(UTC)
        await entry(0, "admin", now)
        await entry(1, "exchange", now - timedelta(minutes=9))
        assert not await storage.read(answered_lately)
        await entry(2, "exchange", now - timedelta(minutes=5))
        assert await storage.read(answered_lately)
    finally:
        await storage.close()
