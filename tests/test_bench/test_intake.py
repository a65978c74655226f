"""The bench of intake takes every line, and knows one that was not taken."""

import pytest

from bench import intake


def test_events_are_taken_and_taken_again() -> None:
    found = intake.measured(50)
    assert (found["events"], found["dossiers"]) == (50, 10)
    assert found["new"]["per_cpu_second"] > 0
    assert found["again"]["per_cpu_second"] > 0
    assert "50 statuses over 10 dossiers" in intake.table(found)


@pytest.mark.parametrize(("value", "met"), [(2_499, False), (2_500, True)])
def test_the_verdict_is_that_of_the_target(value: int, met: bool) -> None:
    judged = intake.judged({"new": {"per_cpu_second": value}})
    assert judged == {"intake_per_cpu_second": {"value": value, "at_least": 2_500, "met": met}}


def test_a_line_that_is_not_taken_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    registered, pushed = intake.lines(10)
    monkeypatch.setattr(intake, "lines", lambda events: (registered, [*pushed, pushed[0]]))
    with pytest.raises(ValueError, match="not taken"):
        intake._measured(10)
