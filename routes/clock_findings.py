"""Whether our clock agrees with those of others: signed messages name their time and are refused where it is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from routes.findings import Finding, ok, problem, warning

# Sources refuse messages whose time is further off than a few minutes, some sooner.
CLOCK_WARN = timedelta(seconds=5)
CLOCK_WRONG = timedelta(seconds=60)
_STEP = "run `timedatectl`, and `sudo timedatectl set-ntp true` where it says that NTP is off"


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock elsewhere: how far it is ahead of ours (negative: behind), and by what that is known."""

    whose: str
    ahead: timedelta

    @classmethod
    def between(cls, whose: str, said: datetime, after: datetime, before: datetime, grain: timedelta) -> Clock:
        """Judge a time that was said between two moments of ours; it is as exact as `grain`.

        What would fit if both clocks were right counts as no difference.
        """
        if said > before:
            return cls(whose, said - before)
        return cls(whose, min(said + grain - after, timedelta(0)))


def clock_findings(clocks: Sequence[Clock]) -> list[Finding]:
    """Say whose clock is wrong: ours where two or more agree on it, else which one differs from ours."""
    if not clocks:
        return []
    wrong = [clock for clock in clocks if abs(clock.ahead) >= CLOCK_WARN]
    if not wrong:
        return [ok("clock", "agrees with those of the sources", "clock-agrees")]
    middle = timedelta(seconds=median(clock.ahead.total_seconds() for clock in clocks))
    alike = [clock for clock in clocks if abs(clock.ahead - middle) < CLOCK_WARN]
    if len(alike) > 1 and len(alike) * 2 > len(clocks) and abs(middle) >= CLOCK_WARN:
        text = f"is {_off(-middle)} those of {len(alike)} sources, which agree with each other"
        return [_found("clock", middle, text, f"set our clock: {_STEP}")]
    return [
        _found(
            "clock",
            clock.ahead,
            f"differs from that of {clock.whose}: ours is {_off(-clock.ahead)} it",
            f"{_STEP}; where ours is right, tell the source",
        )
        for clock in wrong
    ]


def _found(subject: str, off: timedelta, text: str, step: str) -> Finding:
    say = problem if abs(off) >= CLOCK_WRONG else warning
    return say(subject, text, step, "clock-skew")


def _off(ahead: timedelta) -> str:
    seconds = abs(ahead.total_seconds())
    much = f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
    return f"{much} {'ahead of' if ahead > timedelta(0) else 'behind'}"
