"""How long a piece takes: many short runs, of which the fastest quarter counts.

What else a machine does makes runs longer, never shorter; the middle of the fastest quarter is steadier than the very
fastest run and hardly moves with the load.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

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
        return self.several(_calls(work))

    def several(self, several: Several, clock: Callable[[], float] = time.thread_time) -> float:
        """What `clock` (seconds) says of one of the times; `time.process_time` where other threads take part."""
        return self._in_turn({"": several}, clock)[""]

    def together(self, works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
        """CPU time of this thread for one call of each, run in turn: what disturbs one disturbs the others."""
        return self._in_turn({name: _calls(work) for name, work in works.items()}, time.thread_time)

    def _in_turn(self, pieces: Mapping[str, Several], clock: Callable[[], float]) -> dict[str, float]:
        end = time.perf_counter() + self._seconds * len(pieces)
        times, runs = {}, {}
        for name, several in pieces.items():
            times[name], first = self._sized(several, clock)
            runs[name] = [first]
        while min(map(len, runs.values())) < _FEWEST or time.perf_counter() < end:
            for name, several in pieces.items():
                runs[name].append(_spent(several, times[name], clock))
        return {name: _fast(spent, times[name]) for name, spent in runs.items()}

    def _sized(self, several: Several, clock: Callable[[], float]) -> tuple[int, float]:
        """Find how many times make a run that is long enough to be measured; return them and what it took."""
        times = 1
        while True:
            spent = _spent(several, times, clock)
            if spent >= min(_RUN_S, self._seconds / _FEWEST):
                return times, spent
            # Not more than tenfold: the first time of anything is slow.
            times *= min(10, max(2, int(_RUN_S / max(spent, 1e-9))))


def _calls(work: Callable[[], object]) -> Several:
    def several(times: int) -> None:
        for _ in range(times):
            work()

    return several


def _fast(runs: list[float], times: int) -> float:
    fastest = sorted(runs)[: max(1, len(runs) // 4)]
    return round(statistics.median(fastest) / times * 1e6, 2)


def _spent(several: Several, times: int, clock: Callable[[], float]) -> float:
    began = clock()
    several(times)
    return clock() - began
