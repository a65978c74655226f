"""Processes of the bench: started on given cores, ended with it, and what the kernel says about them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 15.0
_LIBC = ctypes.CDLL(None)
_BEGAN = time.monotonic()


class Broken(Exception):
    """The bench cannot go on; the text says why."""


def tell(what: str) -> None:
    """Say on standard error how far the run is."""
    print(f"{time.monotonic() - _BEGAN:4.0f} s: {what}", file=sys.stderr, flush=True)


def start(
    command: Sequence[str],
    stack: ExitStack,
    log: Path,
    *,
    cores: Iterable[int],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    talks: bool = False,
) -> subprocess.Popen[str]:
    """Start a command on these cores; `stack` ends it, and so does the end of this process, however that happens.

    Its output goes to `log`; with `talks` its standard input and output are pipes.
    """
    kept = set(cores)

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, kept)

    pipe = subprocess.PIPE if talks else None
    with log.open("ab") as file:
        process = subprocess.Popen(
            list(command),
            stdin=pipe or subprocess.DEVNULL,
            stdout=pipe or file,
            stderr=file,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            text=True,
            preexec_fn=prepare,
        )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    with suppress(OSError):
        process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that were waited for; zero once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK


def resident(pid: int) -> int:
    """Resident memory in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def pin(pid: int, cores: Iterable[int]) -> None:
    """Keep every thread of a process on these cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def tail(log: Path, lines: int = 8) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def patiently(seconds: float) -> Iterable[None]:
    """Yield every few milliseconds until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.03)
