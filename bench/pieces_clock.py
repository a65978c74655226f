"""How long a piece takes: many short runs, of which the fastest quarter counts.

What else a machine does makes runs longer, never shorter; the middle of the fastest quarter is steadier than the very
fastest run and hardly moves with the load.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Several = Callable[[int], object]
"""Does a piece so many times."""

_RUN_S = 0.01
_FEWEST = 4


class Clock:
    """Measures pieces for `seconds` each; what it returns are microseconds of one time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def one(self, work: Callable[[], object]) -> float:
        """CPU time of this thread for one call."""

        def several(times: int) -> None:
            for _ in range(times):
                work()

        return self.several(several)

    def several(self, several: Several, clock: Callable[[], float] = time.thread_time) -> float:
        """What `clock` (seconds) says of one of the times; `time.process_time` where other threads take part."""
        times, spent = 1, 0.0
        end = time.perf_counter() + self._seconds
        while True:
            spent = _spent(several, times, clock)
            if spent >= min(_RUN_S, self._seconds / _FEWEST):
                break
            # Not more than tenfold: the first time of anything is slow.
            times *= min(10, max(2, int(_RUN_S / max(spent, 1e-9))))
        runs = [spent]
        while len(runs) < _FEWEST or time.perf_counter() < end:
            runs.append(_spent(several, times, clock))
        fastest = sorted(runs)[: max(1, len(runs) // 4)]
        return round(statistics.median(fastest) / times * 1e6, 2)


def _spent(several: Several, times: int, clock: Callable[[], float]) -> float:
    began = clock()
    several(times)
    return clock() - began
