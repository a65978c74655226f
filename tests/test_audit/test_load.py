"""When the log makes entries wait for each other: under lasting load, never because of one exchange."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from security.audit.log import BUSY, BUSY_OVER_S, _Load


class _Clocks:
    """A wall clock and the CPU time of a thread that was at work for a share of what passed."""

    def __init__(self) -> None:
        self.wall = 1000.0
        self.cpu = 50.0

    def load(self) -> _Load:
        return _Load(lambda: self.wall, lambda: self.cpu)

    def passed(self, seconds: float, share: float) -> None:
        self.wall += seconds
        self.cpu += seconds * share


def test_a_loop_at_work_all_the_time_is_under_load() -> None:
    clocks = _Clocks()
    load = clocks.load()
    clocks.passed(BUSY_OVER_S * 1.01, 1.0)
    assert load.is_high()


def test_one_exchange_is_no_load() -> None:
    clocks = _Clocks()
    load = clocks.load()
    clocks.passed(1.0, 0.0)
    assert not load.is_high()
    clocks.passed(0.006, 1.0)
    assert not load.is_high()


def test_load_is_over_when_the_loop_has_pauses_again() -> None:
    clocks = _Clocks()
    load = clocks.load()
    clocks.passed(1.0, 1.0)
    assert load.is_high()
    clocks.passed(BUSY_OVER_S * 1.01, 0.5)
    assert not load.is_high()


@given(st.lists(st.tuples(st.floats(0.0001, 0.02), st.booleans()), min_size=1, max_size=200))
def test_short_looks_say_what_one_long_look_would(steps: list[tuple[float, bool]]) -> None:
    """Whatever the moments at which it is asked: the share is that of the whole time since the last answer."""
    clocks, asked = _Clocks(), _Clocks()
    load = clocks.load()
    for seconds, at_work in steps:
        clocks.passed(seconds, float(at_work))
        passed, used = clocks.wall - asked.wall, clocks.cpu - asked.cpu
        high = load.is_high()
        if passed >= BUSY_OVER_S:
            assert high == (used >= BUSY * passed)
            asked.wall, asked.cpu = clocks.wall, clocks.cpu
