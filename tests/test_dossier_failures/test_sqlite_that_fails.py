"""The disk is full, takes no bytes, is locked or read-only, under a gateway at work."""

import asyncio
import json
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.test_dossier_failures.world import Site, a_code, a_file, a_site, answering

FILE = "sqlite:///lgsp.sqlite"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_site(tmp_path, FILE) as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of some megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount one; a limit on the size of files is tested for everybody")
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "lgsp-test", str(mounted)], check=True)
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


@contextmanager
def no_bytes_more(pids: list[int]) -> Iterator[None]:
    """Every write to a file fails in these processes, with an error of input and output as SQLite sees it."""
    unlimited = resource.RLIM_INFINITY
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))
    yield
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another program, which knows nothing of the gateway, holds the write lock of the database."""
    program = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE')"
    command = [sys.executable, "-c", f"{program}; print(1, flush=True); sys.stdin.read()", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"1\n"
        yield


async def full(site: Site, code: str, first: int) -> int:
    """Push until nothing is taken any more; return the sequence that was not."""
    for sequence in range(first, first + 2_000):
        if (await site.push(code, sequence)).status == 503:
            return sequence
    raise AssertionError("the disk does not fill")


async def readiness(site: Site) -> int:
    async with site.http.get(f"{site.gateway.url}/readyz") as answer:
        return answer.status


def fill(file: Path) -> None:
    """Take all the space there is."""
    with file.open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))


async def cannot_be_written(site: Site, disk: Path) -> None:
    """Start on files that cannot be written, and do what would write: it is told before anything is promised."""
    site.gateway.stop()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        commands = (["serve"], ["dossiers", "pause", "--why", "thử"])
        for done in await asyncio.gather(*(site.lgsp(*command) for command in commands)):
            assert (done.returncode, done.stdout) == (1, ""), done.args
            assert "lgsp: " in done.stderr, done.args
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    site.gateway.start()
    await answering(site.http, f"{site.gateway.url}/livez")


async def test_a_full_disk_then_one_that_cannot_be_written(small_disk: Path, tmp_path: Path) -> None:
    code = a_code(1)
    async with a_site(small_disk, FILE, outside=tmp_path) as site:
        processes = site.processes()
        assert (await site.put(code)).status == 201
        await site.misbehave("down")
        await site.push(code, 1)
        ballast = small_disk / "ballast"
        fill(ballast)
        failed = await full(site, code, 2)
        assert (await site.put(a_code(2))).status == 503
        assert await readiness(site) == 503
        doctor = await site.lgsp("doctor", "--json")
        codes = {found["code"] for found in json.loads(doctor.stdout)["findings"]}
        assert (doctor.returncode, {"disk-full"} <= codes) == (1, True), doctor.stdout
        # What waits cannot be sent either: an intent must be on the disk before.
        await site.misbehave(None)
        assert (await site.destination())["waiting"] == failed
        assert await site.ledger() == {}
        ballast.unlink()
        assert await readiness(site) == 200
        for sequence in (failed, failed + 1):
            await site.push_until_taken(code, sequence)
        await site.delivered()
        assert site.processes() == processes
        await cannot_be_written(site, small_disk)
        await site.push_until_taken(code, failed + 2)
        await site.is_exact()


async def test_a_disk_that_takes_nothing_while_a_file_is_pushed_and_answers_come(site: Site) -> None:
    lines, processes = a_file(50, 6), site.processes()

    async def applied() -> bool:
        return bool(await site.ledger())

    with ExitStack() as stack:

        async def breaks() -> None:
            # The portal has applied some of them, the gateway cannot write that down.
            await site.until(applied)
            stack.enter_context(no_bytes_more(processes))

        await site.misbehave("late-answer=2s")
        assert await site.stream(lines, breaks) == ["accepted"] * 256 + ["refused"] * 94
        assert (await site.push(a_code(101), 7)).status == 503
        assert (await site.put(a_code(1))).status == 503
        assert (await site.destination())["waiting"] >= 200
        await site.misbehave(None)
    assert await site.stream(lines) == ["duplicate"] * 256 + ["accepted"] * 94
    await site.push_until_taken(a_code(101), 7)
    await site.is_exact()
    assert site.processes() == processes


async def test_a_database_that_another_program_has_locked(site: Site, tmp_path: Path) -> None:
    code, processes = a_code(1), site.processes()
    assert (await site.put(code)).status == 201
    await site.push(code, 1)
    with locked(tmp_path / "lgsp.sqlite"):
        assert (await site.push(code, 2)).status == 503
        assert (await site.destination())["state"] == "up"
    await site.push_until_taken(code, 2)
    await site.is_exact()
    assert site.processes() == processes
