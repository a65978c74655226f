"""Signed requests on one machine: each counts once, whatever is killed, and nothing passes that a loss forgot."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from security import shared_table
from security.machine_signatures import MachineSignatures, boot_id
from security.request_signatures import NotRemembered

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

    def started(self, buckets: int = 8) -> MachineSignatures:
        return MachineSignatures(self.path, buckets, clock=lambda: self.now.timestamp(), boot=lambda: self.boot)


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


@pytest.mark.parametrize("lost", ["boot", "table", "note", "broken-note", "workers"])
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
    memory = machine.started(16 if lost == "workers" else 8)
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
