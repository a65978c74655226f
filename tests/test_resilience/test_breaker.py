"""The breaker against a model, on a clock that only the test moves."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from adapters.breaker import Breaker, Outcome, Permit, Record, outcome
from adapters.transport import Impatient, Throttled, Undelivered, Unsent
from config.settings import Breaker as Limits
from schemas.errors import (
    Ambiguous,
    CircuitOpen,
    EvidenceUnavailable,
    GatewayError,
    Internal,
    Invalid,
    NoRecord,
    Overloaded,
    UpstreamRefused,
    UpstreamSignatureRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreadable,
)

FAILURES, WINDOW, PAUSE = 3, 20.0, 10.0
LIMITS = Limits(failures=FAILURES, window=WINDOW, open_for=PAUSE)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, times: int = FAILURES) -> None:
    for _ in range(times):
        breaker.record(breaker.admit(), "failure")


class BreakerMachine(RuleBasedStateMachine):
    """Any interleaving of calls, their ends, time, news from others and operators."""

    permits = Bundle("permits")

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker("source", LIMITS, clock=self.clock)
        self.row: list[float] = []
        self.opened_at: float | None = None
        self.live: set[int] = set()
        self.probe: Permit | None = None
        self.revision = 0

    def changed(self, opened_at: float | None) -> None:
        self.opened_at, self.row, self.probe = opened_at, [], None
        self.live.clear()

    def allowed(self) -> bool:
        if self.breaker.forced is not None:
            return self.breaker.forced == "closed"
        return self.opened_at is None or self.clock.now >= self.opened_at + PAUSE

    @rule(target=permits)
    def call(self) -> Permit | None:
        if not self.allowed():
            with pytest.raises(CircuitOpen) as refused:
                self.breaker.admit()
            assert refused.value.retry_after is not None
            assert 0 < refused.value.retry_after <= PAUSE
            return None
        permit = self.breaker.admit()
        assert permit.probe == (self.opened_at is not None and self.breaker.forced is None)
        if permit.probe:
            self.changed(self.clock.now)
            self.probe = permit
        if self.breaker.forced is None:
            self.live.add(id(permit))
        return permit

    @rule(permit=consumes(permits), result=st.sampled_from(("success", "failure", "failure", "failure", "unknown")))
    def end(self, permit: Permit | None, result: Outcome) -> None:
        if permit is None:
            return
        counts = id(permit) in self.live
        self.live.discard(id(permit))
        before = self.breaker.state
        changed = self.breaker.record(permit, result)
        assert changed == (self.breaker.state != before)
        if not counts:
            assert not changed
        elif permit is self.probe:
            self.changed({"success": None, "failure": self.clock.now, "unknown": self.clock.now - PAUSE}[result])
        elif result == "success":
            self.row = []
        elif result == "failure":
            self.row = [*self.row, self.clock.now][-FAILURES:]
            if len(self.row) == FAILURES and self.row[-1] - self.row[0] <= WINDOW:
                self.changed(self.clock.now)

    @rule(seconds=st.sampled_from((0.0, 0.5, 3.0, PAUSE, WINDOW, 100.0)))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(age=st.integers(-1000, 1000), state=st.sampled_from(("open", "half-open", "closed")), fresh=st.booleans())
    def hear(self, age: int, state: str, fresh: bool) -> None:
        """Another worker's record, with a wall clock that may be far ahead or behind."""
        revision = self.breaker.revision + fresh
        record = Record(state, 5_000.0 - age, revision)  # type: ignore[arg-type]
        assert self.breaker.adopt(record, wall=5_000.0) == fresh
        if fresh:
            left = min(max(PAUSE - age, 0.0), PAUSE)
            self.changed(None if state == "closed" else self.clock.now + left - PAUSE)

    @rule(forced=st.sampled_from(("open", "closed", None)))
    def steer(self, forced: str | None) -> None:
        self.breaker.force(forced)  # type: ignore[arg-type]
        self.changed(None)

    @rule()
    def hand_over(self) -> None:
        """Whoever reads what we share ends up with the same state and pause."""
        other = Breaker("source", LIMITS, clock=self.clock)
        other.adopt(self.breaker.shared(wall=77.0), wall=77.0)
        assert (other.state, other.forced) == (self.breaker.state, self.breaker.forced)
        assert other.wait() == pytest.approx(self.breaker.wait())

    @precondition(lambda self: self.breaker.forced is None)
    @rule(target=permits)
    def never_stuck(self) -> Permit | None:
        self.clock.now += PAUSE
        return self.call()

    @invariant()
    def agrees_with_the_model(self) -> None:
        shown = self.breaker.snapshot()
        assert 0 <= shown.retry_in <= PAUSE
        assert shown.failures == len(self.row)
        if self.breaker.forced is None:
            assert (self.breaker.state == "closed") == (self.opened_at is None)
            if self.probe is not None:
                assert self.breaker.state == "half-open"


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase


def test_opens_after_failures_in_a_row_and_says_when_to_come_back() -> None:
    clock = Clock()
    breaker = Breaker("source", LIMITS, clock=clock)
    fail(breaker, FAILURES - 1)
    breaker.record(breaker.admit(), "success")
    fail(breaker, FAILURES - 1)
    assert breaker.state == "closed"
    fail(breaker, 1)
    clock.now += 4
    with pytest.raises(CircuitOpen) as refused:
        breaker.admit()
    assert refused.value.retry_after == 6


def test_failures_spread_over_more_than_the_window_do_not_open() -> None:
    clock = Clock()
    breaker = Breaker("source", LIMITS, clock=clock)
    for _ in range(10):
        fail(breaker, 1)
        clock.now += WINDOW / 2 + 1
    assert breaker.state == "closed"


def test_one_probe_at_a_time() -> None:
    clock = Clock()
    breaker = Breaker("source", LIMITS, clock=clock)
    fail(breaker)
    clock.now += PAUSE
    probe = breaker.admit()
    assert probe.probe
    with pytest.raises(CircuitOpen) as refused:
        breaker.admit()
    assert refused.value.retry_after == 1
    assert breaker.record(probe, "success")
    assert not breaker.admit().probe


def test_late_outcomes_of_earlier_calls_are_dropped() -> None:
    clock = Clock()
    breaker = Breaker("source", LIMITS, clock=clock)
    slow, slower = breaker.admit(), breaker.admit()
    fail(breaker)
    assert not breaker.record(slow, "success")
    assert breaker.state == "open"
    clock.now += PAUSE
    breaker.record(breaker.admit(), "success")
    assert not breaker.record(slower, "failure")
    assert breaker.snapshot().failures == 0


def test_wall_clock_set_back_costs_at_most_one_pause() -> None:
    clock = Clock()
    breaker = Breaker("source", LIMITS, clock=clock)
    breaker.adopt(Record("open", since=1_000_000.0, revision=1), wall=3.0)
    assert breaker.wait() == PAUSE
    clock.now += PAUSE
    assert not breaker.adopt(Record("open", since=1_000_000.0, revision=1), wall=4.0)
    assert breaker.admit().probe


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_no_recorded_time_makes_a_pause_longer(since: float, wall: float) -> None:
    breaker = Breaker("source", LIMITS, clock=Clock())
    breaker.adopt(Record("open", since, 1), wall=wall)
    assert 0 <= breaker.wait() <= PAUSE


def test_forced_states_ignore_outcomes() -> None:
    breaker = Breaker("source", LIMITS, clock=Clock())
    breaker.force("closed")
    fail(breaker, 10)
    assert breaker.snapshot().state == "closed"
    breaker.force("open")
    with pytest.raises(CircuitOpen):
        breaker.admit()
    breaker.force(None)
    assert not breaker.admit().probe


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (None, "success"),
        (UpstreamUnavailable(), "failure"),
        (UpstreamTimeout(), "failure"),
        (Undelivered(), "failure"),
        (Throttled(), "success"),
        (NoRecord(), "success"),
        (Ambiguous(), "success"),
        (Invalid(), "success"),
        (UpstreamRefused(), "success"),
        (UpstreamUnreadable(), "success"),
        (UpstreamSignatureRejected(), "success"),
        (Impatient(), "unknown"),
        (Unsent(), "unknown"),
        (CircuitOpen(), "unknown"),
        (Overloaded(), "unknown"),
        (EvidenceUnavailable(), "unknown"),
        (Internal(), "unknown"),
        (KeyError("a fault of ours"), "unknown"),
        (asyncio.CancelledError(), "unknown"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_what_an_error_proves(error: GatewayError | None, meaning: str) -> None:
    assert outcome(error) == meaning
