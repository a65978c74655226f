"""Whose clock is wrong: ours where the others agree, else one of theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routes.clock_findings import Clock, clock_findings

NOW = datetime.now(UTC)


def clocks(*seconds: float) -> list[Clock]:
    return [Clock(f"endpoints.{number}", timedelta(seconds=off)) for number, off in enumerate(seconds)]


def test_nobody_told_the_time() -> None:
    assert clock_findings([]) == []


def test_clocks_that_agree_are_told_of_once() -> None:
    assert [(one.level, one.code) for one in clock_findings(clocks(0, 1, -2))] == [("ok", "clock-agrees")]


@pytest.mark.parametrize(("off", "word"), [(600.0, "behind"), (-600.0, "ahead of")])
def test_where_the_others_agree_ours_is_wrong(off: float, word: str) -> None:
    (finding,) = clock_findings(clocks(off, off + 1, off - 1, 0))
    assert (finding.level, finding.code) == ("problem", "clock-skew")
    assert f"600 s {word} those of 3 sources" in finding.text
    assert "timedatectl set-ntp true" in (finding.next or "")


def test_one_that_differs_from_the_others_is_named() -> None:
    (finding,) = clock_findings(clocks(0, 0, 20))
    assert (finding.level, finding.code) == ("warning", "clock-skew")
    assert "endpoints.2" in finding.text
    assert "tell the source" in (finding.next or "")


def test_of_two_that_differ_nobody_knows_who_is_right() -> None:
    findings = clock_findings(clocks(90))
    assert ["tell the source" in (one.next or "") for one in findings] == [True]


@given(st.integers(-7200, 7200), st.integers(0, 30))
def test_a_true_clock_is_never_off_and_a_wrong_one_by_no_more_than_it_is(off: int, took: int) -> None:
    """The source tells its time, in whole seconds, somewhere between question and answer."""
    before = NOW + timedelta(seconds=took)
    middle = NOW + timedelta(seconds=took / 2)
    said = (middle + timedelta(seconds=off)).replace(microsecond=0)
    clock = Clock.between("source", said, NOW, before, timedelta(seconds=1))
    assert abs(clock.ahead) <= timedelta(seconds=abs(off))
    assert abs(clock.ahead) >= timedelta(seconds=abs(off) - took / 2 - 1)
