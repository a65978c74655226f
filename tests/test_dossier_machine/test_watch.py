"""Leases end by the clock of whoever looks, and a clock that was set back is noticed."""

from sync.clock import Steps
from sync.watch import Lease, Watch

ONE = Lease("a", "elsewhere", 100)
OTHER = Lease("b", "elsewhere", 100)


def test_a_lease_is_over_when_it_was_seen_unchanged_for_as_long_as_leases_last() -> None:
    watch = Watch(90.0)
    assert watch.over([ONE], 1000.0) == []
    assert watch.over([ONE, OTHER], 1089.9) == []
    assert watch.over([ONE, OTHER], 1090.0) == [ONE]


def test_a_lease_that_was_renewed_or_given_up_meanwhile_begins_anew() -> None:
    watch = Watch(90.0)
    watch.over([ONE, OTHER], 0.0)
    renewed = ONE._replace(until=200)
    assert watch.over([renewed], 60.0) == []
    assert watch.over([renewed, OTHER], 90.0) == []
    assert watch.over([renewed, OTHER], 150.0) == [renewed]


def test_a_clock_that_goes_with_the_other_or_ahead_was_not_set_back() -> None:
    steps = Steps()
    assert [steps.back(wall, steady) for wall, steady in ((1000, 5), (1010, 15), (5000, 16), (5001, 17))] == [False] * 4
    # Slewing is no step.
    assert not steps.back(5010.5, 27)


def test_a_clock_that_was_set_back_is_noticed_once() -> None:
    steps = Steps()
    assert [steps.back(wall, steady) for wall, steady in ((5000, 5), (1400, 6), (1401, 7))] == [False, True, False]
