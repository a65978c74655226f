"""What the kernel says about processes: CPU time, memory, children, cores."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that were waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
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


def yardstick(core: int) -> float:
    """Microseconds of one ECDSA P-256 signature on this core now: what a busy machine makes of a fixed piece of work.

    The fastest of several short runs; the calling thread is back on its own cores afterwards.
    """
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    home = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        for _ in range(200):
            key.sign(b"yardstick", algorithm)
        best = min(best, (time.thread_time() - began) / 200)
    os.sched_setaffinity(0, home)
    return best * 1e6
