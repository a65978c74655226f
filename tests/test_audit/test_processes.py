"""Several processes on one log, and processes that die: no gap, no fork, no receipt without its entry."""

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path

from security.audit.verification import verify
from storage.schema import upgrade
from tests.test_audit.audit_world import World, a_world, evidence


def start(url: str, vault: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.test_audit.writer", url, str(vault), str(count)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


async def holds(world: World, lines: list[str]) -> None:
    """Every receipt that was printed stands in the log at its index, and the log is whole."""
    for line in lines:
        index, event = line.split()
        assert (await world.reader.show(int(index))).entry["id"] == event
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid, found


async def test_four_processes_leave_no_gap_and_no_fork(storage_url: str, tmp_path: Path) -> None:
    await upgrade(storage_url)
    runs = [start(storage_url, tmp_path / "vault", 64) for _ in range(4)]
    outputs = [(await asyncio.to_thread(run.communicate))[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4
    lines = [line for output in outputs for line in output.splitlines()]
    async with a_world(storage_url, tmp_path / "vault") as world:
        assert sorted(int(line.split()[0]) for line in lines) == list(range(256))
        await holds(world, lines)


async def test_killed_under_load_every_receipt_given_is_in_the_log(storage_url: str, tmp_path: Path) -> None:
    await upgrade(storage_url)
    chance = random.Random(7)
    lines: list[str] = []
    for _ in range(2):
        runs = [start(storage_url, tmp_path / "vault", 0) for _ in range(2)]
        for run in runs:
            assert run.stdout is not None
            # Killed after so many receipts, not after so much time: somewhere in the middle of other commits.
            lines += [await asyncio.to_thread(run.stdout.readline) for _ in range(chance.randint(1, 120))]
        for run in runs:
            run.kill()
        for run in runs:
            assert run.stdout is not None
            lines += (await asyncio.to_thread(run.stdout.read)).splitlines(keepends=True)
            run.wait()
            run.stdout.close()
    whole = [line for line in lines if line.endswith("\n")]
    assert len({line.split()[0] for line in whole}) == len(whole) > 10
    async with a_world(storage_url, tmp_path / "vault") as world:
        await holds(world, whole)
        assert (await world.log.record(evidence())).index == await world.reader.size() - 1


def test_reader_sees_a_consistent_log_while_others_write(sqlite_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with a_world(sqlite_url, tmp_path / "vault") as world:
            writing = asyncio.gather(*(world.log.record(evidence("001090123456")) for _ in range(400)))
            while not writing.done():
                found = await verify(world.storage, [world.signer.verifier], world.sealer)
                assert found.valid, found
            await writing

    asyncio.run(run())


async def test_storage_is_refused_after_fork(sqlite_url: str, tmp_path: Path) -> None:
    program = """
import asyncio, json, os, sys
from pathlib import Path
from schemas.errors import EvidenceUnavailable
from tests.test_audit.audit_world import a_world, evidence

async def main():
    async with a_world(sys.argv[1], Path(sys.argv[2])) as world:
        await world.log.record(evidence())
        world.storage._pid -= 1
        try:
            await world.log.record(evidence())
        except EvidenceUnavailable as refusal:
            print(json.dumps(str(refusal.__cause__)))
        world.storage._pid += 1

asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, sqlite_url, str(tmp_path / "vault")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "after fork" in json.loads(done.stdout.splitlines()[-1])
