"""What a run was made on: machine, versions, commit, and what else the machine did meanwhile."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.backends.openssl import backend

from bench.peers import versions as rival_versions

_PACKAGES: Final = ("aiohttp", "uvloop", "lxml", "pydantic", "cryptography", "sqlalchemy")


def machine() -> dict[str, Any]:
    """Return processor, cores, memory and kernel."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory) / 2**20, 1),
        "kernel": platform.release(),
    }


def flush_ms(directory: Path) -> dict[str, float]:
    """Return how long the disk below a directory takes to make 16 KiB durable, over and over in the same place.

    Every answer waits for one such flush, and for another that is under way: no server is faster than this.
    """
    spent: list[float] = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(_FLUSHES):
            os.pwrite(file.fileno(), os.urandom(_FLUSHED), 0)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append(1000 * (time.perf_counter() - begun))
    cuts = statistics.quantiles(spent, n=100)
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}


_FLUSHES: Final = 300
_FLUSHED: Final = 16 * 1024


def versions() -> dict[str, str]:
    """Return versions of interpreters, servers and libraries that took part."""
    return {
        "python": platform.python_version(),
        **rival_versions(),
        "openssl": backend.openssl_version_text().split()[1],
        **{name: version(name) for name in _PACKAGES},
    }


def commit() -> dict[str, Any]:
    """Return the commit and whether files differ from it; nulls where this is no checkout."""
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": head, "changed": None if changed is None else bool(changed)}


class Disturbance:
    """What the machine did between two moments: load, and the share of time that the hypervisor took away."""

    def __init__(self) -> None:
        self._began = _ticks()
        self._load = os.getloadavg()[0]

    def shown(self) -> dict[str, float]:
        """Return the load average at both ends and the percentage of stolen time in between."""
        ticks = [after - before for before, after in zip(self._began, _ticks(), strict=True)]
        return {
            "load_before": round(self._load, 2),
            "load_after": round(os.getloadavg()[0], 2),
            "stolen_percent": round(100 * ticks[_STEAL] / max(1, sum(ticks)), 2),
        }


_STEAL: Final = 7


def _ticks() -> list[int]:
    return [int(field) for field in _lines("/proc/stat")[0].split()[1:9]]


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _git(*arguments: str) -> str | None:
    try:
        said = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()
