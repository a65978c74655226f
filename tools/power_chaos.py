"""Power failures (`make power`): a real gateway is recorded at work, and each of many moments is made the last one.

`power_recorder.c` writes down what gateway and commands do to their files while callers keep their receipts, sources
their accepted statuses, and the operator archives, backs up, rotates and redacts (`power_recording`). `power_replay`
makes of it what a disk may hold after a power failure at some moment; `power_judgement` starts on that and holds
everything to it that somebody outside had been told before.

What was found can be looked at again: `--again DIRECTORY --seed SEED`, one of its moments with `--only NUMBER`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Final

from sandbox.run import start
from sandbox.world.world import World
from tools.power_judgement import Known, judged
from tools.power_recording import FOLDERS, WHOLE, Recording
from tools.power_replay import Disk, records

_KEPT: Final = Path(".lgsp", "power")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it: `moments` of a recording in which `between` receipts are handed out around each of `acts`."""

    moments: int = 100
    between: int = 40
    seed: int = 0
    acts: tuple[str, ...] = WHOLE
    only: int | None = None


@dataclass(slots=True)
class Found:
    """What came of it: `flaws` by the number of the moment, which must be empty, and what was known in all of them."""

    recorded: int = 0
    receipts: int = 0
    statuses: int = 0
    held: int = 0
    moments: int = 0
    seconds: float = 0.0
    flaws: dict[int, list[str]] = field(default_factory=dict)


async def power(plan: Plan, directory: Path) -> Found:
    """Make a recording in a directory, where there is none yet, and judge moments of it; return what was found.

    Raises RuntimeError where the records do not tell all that was done to the files.
    """
    began, recording = time.monotonic(), Recording(directory)
    running = await start(World(7, 20), recording.sandbox)
    try:
        if not recording.records.exists():
            await recording.make(running, plan.acts, plan.between)
        known, held = recording.known(), recording.records.read_bytes()
        moments = _moments(plan, known, [(each.end, each.path or str(each.file)) for each in records(held)])
        found = Found(len(held), len(known.receipts), len(known.statuses))
        text = recording.configured(running)
        many = os.cpu_count() or 1
        with ProcessPoolExecutor(many, get_context("forkserver")) as judges:
            loop, disk = asyncio.get_running_loop(), Disk(recording.live, FOLDERS)
            # Not more at once than are looked at: each is many MB.
            free, waiting = asyncio.Semaphore(many + 1), []
            due = sorted((moment, number) for number, moment in moments.items() if plan.only in (None, number))
            for record in records(held):
                disk.take(record)
                while due and due[0][0] == record.end:
                    moment, number = due.pop(0)
                    await free.acquire()
                    state = directory / f"moment-{number}"
                    state.mkdir(mode=0o700)
                    await asyncio.to_thread(disk.fail, state, Random(f"{plan.seed} {number}"))  # noqa: S311
                    found.moments += 1
                    found.held += sum(at <= moment for at, _ in known.receipts)
                    done = loop.run_in_executor(judges, judged, known, moment, state, text.replace("STATE", str(state)))
                    waiting.append(asyncio.create_task(_told(found, number, state, done, free)))
            if differences := disk.differences():
                raise RuntimeError(f"the records do not tell everything: {differences}")
            await asyncio.gather(*waiting)
    finally:
        await running.close()
    found.seconds = time.monotonic() - began
    return found


async def _told(
    found: Found, number: int, state: Path, done: asyncio.Future[list[str]], free: asyncio.Semaphore
) -> None:
    try:
        if flaws := await done:
            found.flaws[number] = flaws
    finally:
        free.release()
    await asyncio.to_thread(shutil.rmtree, state)


def _moments(plan: Plan, known: Known, told: Sequence[tuple[int, str]]) -> dict[int, int]:
    """Choose moments by their numbers, once it is set up; `told` is where each record ends and which file it is about.

    A third is just after somebody was told something, which shows a missing sync soonest; a third is in what happens to
    some file, be it changed a thousand times or once; the others are anywhere.
    """
    dice, possible = Random(plan.seed), [end for end, _ in told if end >= known.began]  # noqa: S311 - no secret
    news = [at for at, _ in known.receipts if at >= known.began]
    news += [at for at, _, _ in known.kept] + [end for _, end, _, _ in known.erased]
    files: dict[str, list[int]] = {}
    for end, name in told:
        if end >= known.began:
            files.setdefault(name, []).append(end)
    by_file = list(files.values())
    chosen = {}
    for number in range(plan.moments):
        which = (news, dice.choice(by_file), possible)[dice.randrange(3)]
        chosen[number] = possible[min(bisect_left(possible, dice.choice(which)), len(possible) - 1)]
    return chosen


def _shown(found: Found, seed: int) -> str:
    told = f"{found.receipts} receipts and {found.statuses} accepted statuses handed out"
    looked = f"receipts looked for {found.held} times, {found.seconds:.0f} s"
    lines = [f"{found.moments} power failures in {found.recorded >> 20} MiB of records: {told}, {looked}"]
    for number, flaws in sorted(found.flaws.items()):
        lines += [f"FLAW at moment {number} of seed {seed}: {flaw}" for flaw in flaws]
    return "\n".join(lines)


def main() -> int:
    """Run it as the command line says; return 0 where nothing was found."""
    parser, usual = argparse.ArgumentParser(prog="make power"), Plan()
    parser.add_argument("--moments", type=int, default=usual.moments)
    parser.add_argument("--between", type=int, default=usual.between)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--again", type=Path, metavar="DIRECTORY", help="a recording that was kept")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one of its moments")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    _KEPT.mkdir(parents=True, exist_ok=True)
    # Where it stays: records name files by where they were.
    directory = (given.again or Path(tempfile.mkdtemp(prefix=f"{seed}-", dir=_KEPT))).resolve()
    found = asyncio.run(power(Plan(given.moments, given.between, seed, only=given.only), directory))
    print(_shown(found, seed))
    if found.flaws:
        again = f"--again {os.path.relpath(directory)} --seed {seed} --moments {given.moments}"
        print(f'the same again, or with --only NUMBER one of them: make power ARGS="{again}"')
    elif given.again is None:
        shutil.rmtree(directory)
    return 1 if found.flaws else 0


if __name__ == "__main__":
    sys.exit(main())
