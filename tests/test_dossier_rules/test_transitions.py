"""What becomes of a status, judged against the one before it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dossiers import transitions
from schemas.dossiers.statuses import NATIONAL
from schemas.dossiers.transitions import ALLOWED, Mode, Outcome, judge

MODES: tuple[Mode, ...] = ("strict", "warn", "off")
codes = st.sampled_from(sorted(NATIONAL))
modes = st.sampled_from(MODES)


def test_the_table_of_the_docstring_is_the_table() -> None:
    rows = re.findall(r"^\| (\d+) [a-z ]+ \| ([\d ]+) \|$", transitions.__doc__ or "", re.MULTILINE)
    assert {row: frozenset(to.split()) for row, to in rows} == {row: to for row, to in ALLOWED.items() if to}
    assert ALLOWED.keys() == NATIONAL.keys()
    assert {code for code, to in ALLOWED.items() if not to} == {code for code, one in NATIONAL.items() if one.final}


@pytest.mark.parametrize("mode", MODES)
def test_what_the_table_allows_is_delivered_without_a_flag(mode: Mode) -> None:
    for current, following in ALLOWED.items():
        for new in following:
            assert judge(current, new, mode) == Outcome("deliver")
    for new in ("1", *ALLOWED["1"]):
        assert judge(None, new, mode) == Outcome("deliver")


def kept_back(reason: str, *flags: str) -> Outcome:
    return Outcome("quarantine", (reason, *flags), f"transition-{reason}")  # type: ignore[arg-type]


def flagged(*flags: str) -> Outcome:
    return Outcome("deliver", flags)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("current", "new", "strict", "warn", "off"),
    [
        (None, "4", kept_back("skipped"), flagged("skipped"), flagged("skipped")),
        ("1", "9", kept_back("skipped"), flagged("skipped"), flagged("skipped")),
        ("5", "9", kept_back("skipped"), flagged("skipped"), flagged("skipped")),
        ("8", "9", kept_back("skipped"), flagged("skipped"), flagged("skipped")),
        ("6", "5", kept_back("skipped"), flagged("skipped"), flagged("skipped")),
        ("4", "2", kept_back("reversed"), flagged("reversed"), flagged("reversed")),
        ("9", "4", kept_back("reversed"), flagged("reversed"), flagged("reversed")),
        ("9", "7", kept_back("reversed"), flagged("reversed"), flagged("reversed")),
        ("2", "3", kept_back("reversed"), flagged("reversed"), flagged("reversed")),
        ("2", "1", kept_back("reversed"), flagged("reversed"), flagged("reversed")),
        ("10", "4", kept_back("after-end"), kept_back("after-end"), flagged("after-end")),
        ("3", "2", kept_back("after-end"), kept_back("after-end"), flagged("after-end")),
        (
            "4", "10",
            kept_back("skipped", "returned-while-unresolved"),
            flagged("skipped", "returned-while-unresolved"),
            flagged("skipped", "returned-while-unresolved"),
        ),
        (
            "7", "10",
            kept_back("after-end", "returned-while-unresolved"),
            kept_back("after-end", "returned-while-unresolved"),
            flagged("after-end", "returned-while-unresolved"),
        ),
    ],
)  # fmt: skip
def test_each_kind_has_its_outcome(current: str | None, new: str, strict: Outcome, warn: Outcome, off: Outcome) -> None:
    assert [judge(current, new, mode) for mode in MODES] == [strict, warn, off]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", sorted(NATIONAL))
def test_the_same_status_in_another_event_is_a_step_of_its_own(code: str, mode: Mode) -> None:
    assert judge(code, code, mode) == flagged("repeated")


def test_after_a_loss_the_latest_state_is_forwarded_even_strictly() -> None:
    assert judge("1", "9", "strict", lost=True) == flagged("skipped")
    assert judge("4", "10", "strict", lost=True) == flagged("skipped", "returned-while-unresolved")
    assert judge("9", "4", "strict", lost=True) == kept_back("reversed")
    assert judge("10", "4", "strict", lost=True) == kept_back("after-end")


@pytest.mark.parametrize(("current", "new"), [("11", "4"), ("4", "11"), (None, "0"), ("", "x")])
def test_only_national_codes_are_judged(current: str | None, new: str) -> None:
    with pytest.raises(KeyError):
        judge(current, new, "warn")


@given(st.none() | codes, codes, modes, st.booleans())
def test_every_event_has_one_outcome(current: str | None, new: str, mode: Mode, lost: bool) -> None:
    outcome = judge(current, new, mode, lost=lost)
    assert (outcome.action == "quarantine") == (outcome.reason is not None)
    assert outcome.reason is None or outcome.reason == f"transition-{outcome.flags[0]}"
    assert ("repeated" in outcome.flags) == (current == new)
    assert ("returned-while-unresolved" in outcome.flags) == (new == "10" and current not in ("9", "10"))
    assert ("after-end" in outcome.flags) == (current in ("3", "7", "10") and current != new)
    assert outcome.flags or outcome.action == "deliver"
    assert outcome.action == "deliver" or "repeated" not in outcome.flags
    # A looser mode never keeps back what a stricter one lets pass, and sees the same.
    for looser in MODES[MODES.index(mode) :]:
        other = judge(current, new, looser, lost=lost)
        assert other.flags == outcome.flags
        assert outcome.action == "quarantine" or other == outcome


@given(codes, codes)
def test_a_reversed_status_never_raises_the_degree_along_the_table(current: str, new: str) -> None:
    outcome = judge(current, new, "off")
    seen, frontier = set[str](), {current}
    while frontier:
        seen |= frontier
        steps = {(here, to) for here in frontier for to in ALLOWED[here]}
        frontier = {to for here, to in steps if NATIONAL[to].degree >= NATIONAL[here].degree} - seen
    if outcome.flags[:1] == ("skipped",):
        assert new in seen
    if outcome.flags[:1] == ("reversed",):
        assert new not in seen
