"""The circuit breaker of one endpoint (cầu dao): a state machine without I/O, on an injected monotonic clock.

Closed lets calls through and counts failures in a row; open refuses until `open_for` seconds have passed; half-open
has exactly one probe under way, whose outcome closes or opens again. What other workers, and this worker's former
life, know arrives through `adopt`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from adapters.transport import Impatient, Throttled, Unsent
from config.settings import Breaker as Limits
from schemas.errors import CircuitOpen, ClientError, Text, UpstreamError, UpstreamTimeout, UpstreamUnavailable

State = Literal["closed", "open", "half-open"]
Forced = Literal["open", "closed"]
Outcome = Literal["success", "failure", "unknown"]

# How soon to ask again while somebody else's probe is under way, in seconds.
PROBE_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Record:
    """The state as it is shared and survives a restart: `since` is wall-clock seconds, `revision` grows by one.

    For `open` and `half-open`, `since` is the start of the pause or of the probe.
    """

    state: State
    since: float
    revision: int
    forced: Forced | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; `era` ties its outcome to the state in which it was given."""

    era: int
    probe: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an operator sees of one breaker; `retry_in` is seconds until the next call may pass (0: now)."""

    endpoint: str
    state: State
    failures: int
    retry_in: float
    forced: Forced | None


def outcome(error: BaseException | None) -> Outcome:
    """Say what the end of a call proves about the source's health.

    Only UpstreamUnavailable and UpstreamTimeout are failures; any other error that speaks of the source or of the
    question is an answer. A caller that would not wait or went away, and a fault of ours, prove nothing.
    """
    if error is None or isinstance(error, Throttled):
        return "success"
    if isinstance(error, (Unsent, Impatient, CircuitOpen)):
        return "unknown"
    if isinstance(error, (UpstreamUnavailable, UpstreamTimeout)):
        return "failure"
    return "success" if isinstance(error, (UpstreamError, ClientError)) else "unknown"


class Breaker:
    """State and counters of one endpoint in one process; not thread-safe, never awaits.

    `standing` is a permit for any call while the circuit is closed by itself, else None.
    """

    def __init__(self, endpoint: str, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.endpoint = endpoint
        self.state: State = "closed"
        self.forced: Forced | None = None
        self.revision = 0
        self._limits = limits
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=limits.failures)
        self._until = 0.0
        self._era = 0
        self.standing: Permit | None = Permit(0, probe=False)

    def admit(self) -> Permit:
        """Give leave for one call, or raise CircuitOpen with the seconds to wait."""
        if self.forced is None and self.state == "closed":
            return Permit(self._era, probe=False)
        if self.forced == "closed":
            return Permit(-1, probe=False)
        if self.forced == "open" or self._clock() < self._until:
            raise self._refused()
        # Also from half-open: a probe that outlived its lease died with its process.
        self._enter("half-open", self._limits.open_for)
        return Permit(self._era, probe=True)

    def record(self, permit: Permit, result: Outcome) -> bool:
        """Count the end of a permitted call; return whether the state changed.

        The outcome of a call from before the last change of state is old news and is dropped.
        """
        if permit.era != self._era:
            return False
        if permit.probe:
            if result == "success":
                self._enter("closed", 0.0)
            elif result == "failure":
                self._enter("open", self._limits.open_for)
            else:
                self._enter("open", 0.0)
            return True
        if result == "success":
            self._failures.clear()
        elif result == "failure":
            now = self._clock()
            self._failures.append(now)
            if len(self._failures) == self._limits.failures and now - self._failures[0] <= self._limits.window:
                self._enter("open", self._limits.open_for)
                return True
        return False

    def force(self, forced: Forced | None) -> None:
        """Hold the circuit open or closed whatever happens; None gives it back to itself, closed."""
        self.forced = forced
        self._enter("closed", 0.0)

    def adopt(self, record: Record, *, wall: float) -> bool:
        """Take over what another process recorded, `wall` being now; return whether it was news.

        Only the length of the pause is taken from the wall clock, bounded by `open_for`: a clock that was set back
        can therefore delay a probe by one pause, and never more.
        """
        if record.revision <= self.revision:
            return False
        self.overrule(record, wall=wall)
        return True

    def overrule(self, record: Record, *, wall: float) -> None:
        """Take over `record` even if it is not newer: the storage may have been restored from a backup."""
        self.revision = record.revision
        self.forced = record.forced
        pause = self._limits.open_for
        left = 0.0 if record.state == "closed" else min(max(record.since + pause - wall, 0.0), pause)
        self._enter(record.state, left)

    def shared(self, *, wall: float) -> Record:
        """Return the present state as the next revision, `wall` being now."""
        pause = self._limits.open_for
        since = wall if self.state == "closed" else wall - pause + self.wait()
        return Record(self.state, since, self.revision + 1, self.forced)

    def wait(self) -> float:
        """Return the seconds until the next call, or the next probe, may pass."""
        if self.forced is not None:
            return self._limits.open_for if self.forced == "open" else 0.0
        return 0.0 if self.state == "closed" else max(self._until - self._clock(), 0.0)

    def snapshot(self) -> Snapshot:
        """Return what an operator sees; a forced breaker shows the state it is held in."""
        return Snapshot(self.endpoint, self.forced or self.state, len(self._failures), self.wait(), self.forced)

    def _enter(self, state: State, pause: float) -> None:
        self.state = state
        self._until = self._clock() + pause
        self._era += 1
        self._failures.clear()
        self.standing = Permit(self._era, probe=False) if self.forced is None and state == "closed" else None

    def _refused(self) -> CircuitOpen:
        wait = self.wait()
        return CircuitOpen(
            Text(
                f"Nguồn {self.endpoint} lỗi liên tiếp nên tạm ngừng gọi.",
                f"{self.endpoint} failed repeatedly and is left alone for now.",
            ),
            retry_after=min(wait, PROBE_PAUSE) if self.state == "half-open" and self.forced is None else wait,
        )
