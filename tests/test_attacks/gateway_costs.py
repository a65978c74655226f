"""What the gateway's worker spends on something hostile, as its operating system counts it."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


class Worker:
    """One process of a gateway; `spent` tells what it used since `mark`."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")
        self.mark()

    def mark(self) -> None:
        """Count from here."""
        (self._proc / "clear_refs").write_text("5")
        self._seconds, self._megabytes = self._used(), self._memory("VmRSS")

    def spent(self) -> tuple[float, float]:
        """Seconds of processor time, and megabytes at the highest above what it had."""
        return self._used() - self._seconds, max(0.0, self._memory("VmHWM") - self._megabytes)

    def _used(self) -> float:
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def _memory(self, field: str) -> float:
        lines = (self._proc / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024
