"""The order of a dossier's events: what is accepted, waited for, late, and when what waits is released."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dossiers.ordering import (
    FIRST,
    Decision,
    Missing,
    Place,
    Released,
    Track,
    Waits,
    decide,
    expired,
    identity,
    kept,
    missing,
    next_release,
    readmitted,
    release,
    sent,
)

NOW = 1_790_000_000.0
OPEN = Track(registered=True)


def push(track: Track, sequence: int | None, now: float = NOW, index: int = 1) -> tuple[Track, Decision]:
    decision = decide(track, sequence, index, now, now)
    return kept(track, decision, now), decision


def numbered(*sequences: int) -> list[Released]:
    return [Released(Place(sequence, 0, 0)) for sequence in sequences]


def test_identity_is_sequence_or_key() -> None:
    assert identity("a", "d", 5, "k") == identity("a", "d", 5, "other")
    assert identity("a", "d", None, "5") != identity("a", "d", 5, "5")
    assert identity("a", "d", None, "k") != identity("b", "d", None, "k") != identity("b", "e", None, "k")


def test_in_order_everything_is_accepted_and_released() -> None:
    track = OPEN
    for sequence in (1, 2, 3):
        track, decision = push(track, sequence)
        assert decision == Decision("accepted", None, Place(sequence, 0, 0))
    track, released = release(track, NOW)
    assert list(released) == numbered(1, 2, 3)
    assert (track.through, track.held) == (3, ())


def test_a_missing_predecessor_is_waited_for_and_then_flagged() -> None:
    track, decision = push(OPEN, 3)
    assert decision == Decision("waiting", "gap", Place(3, 0, 0))
    assert list(missing(track)) == [Missing(1, 2, NOW)]
    assert next_release(track) == NOW + 60
    assert release(track, NOW + 59.9) == (track, ())
    track, released = release(track, NOW + 60)
    assert released == (Released(Place(3, 0, 0), lost=True),)
    assert next_release(track) is None


def test_what_was_missing_goes_first_as_long_as_nothing_behind_it_is_sent() -> None:
    track, _ = push(OPEN, 2)
    track, released = release(track, NOW + 60)
    assert released
    track, decision = push(track, 1, NOW + 61)
    assert decision.result == "accepted"
    track, released = release(track, NOW + 61)
    assert list(released) == numbered(1)
    assert track.through == 2


def test_what_was_overtaken_is_late_and_changes_nothing() -> None:
    track, _ = push(OPEN, 2)
    track = sent(release(track, NOW + 60)[0], Place(2, 0, 0))
    after, decision = push(track, 1, NOW + 61)
    assert decision == Decision("late", "overtaken", Place(1, 0, 0))
    assert after is track


def test_what_stands_behind_a_waiting_one_waits_too() -> None:
    track, _ = push(OPEN, 2)
    track, decision = push(track, 3, NOW + 59)
    assert decision == Decision("waiting", "gap", Place(3, 0, 0))
    assert release(track, NOW + 60)[1] == (Released(Place(2, 0, 0), lost=True), Released(Place(3, 0, 0)))


def test_a_loss_before_an_event_in_quarantine_is_told_of_the_next() -> None:
    track = kept(OPEN, decide(OPEN, 2, 1, NOW, NOW, understood=False), NOW)
    track, decision = push(track, 3, NOW + 1)
    assert decision.result == "waiting"
    assert release(track, NOW + 59)[1] == ()
    assert release(track, NOW + 60)[1] == (Released(Place(3, 0, 0), lost=True),)


def test_the_gap_closes_when_the_missing_one_comes() -> None:
    track, _ = push(OPEN, 2)
    track, decision = push(track, 1, NOW + 1)
    assert decision.result == "accepted"
    assert list(release(track, NOW + 1)[1]) == numbered(1, 2)


def test_each_gap_is_waited_for_since_something_beyond_it_came() -> None:
    track, _ = push(OPEN, 2)
    track, _ = push(track, 5, NOW + 30)
    assert list(missing(track)) == [Missing(1, 1, NOW), Missing(3, 4, NOW + 30)]
    track, released = release(track, NOW + 60)
    assert released == (Released(Place(2, 0, 0), lost=True),)
    assert next_release(track) == NOW + 90
    earlier, _ = push(push(OPEN, 5)[0], 2, NOW + 30)
    assert list(missing(earlier)) == [Missing(1, 1, NOW), Missing(3, 4, NOW)]


def test_without_a_sequence_it_is_the_order_of_acceptance() -> None:
    track, first = push(OPEN, None, index=7)
    track, second = push(track, None, index=9)
    assert (first.result, second.result) == ("accepted", "accepted")
    assert [one.place.accepted for one in release(track, NOW)[1]] == [7, 9]


def test_one_without_a_sequence_stands_behind_what_came_before_it() -> None:
    track, _ = push(OPEN, 2)
    track, decision = push(track, None, index=5)
    assert decision == Decision("waiting", "behind-gap", Place(2, 1, 5))
    track, _ = push(track, 3)
    track, decision = push(track, 1)
    assert decision.result == "accepted"
    places = [one.place for one in release(track, NOW)[1]]
    assert places == [Place(1, 0, 0), Place(2, 0, 0), Place(2, 1, 5), Place(3, 0, 0)]


def test_a_known_event_is_a_duplicate_and_one_with_other_contents_is_refused() -> None:
    assert decide(OPEN, 1, 1, NOW, NOW, earlier="same") == Decision("duplicate")
    assert decide(OPEN, 1, 1, NOW + 999, NOW, earlier="other") == Decision("refused", "sequence-reused")
    assert kept(OPEN, Decision("duplicate"), NOW) is OPEN


@pytest.mark.parametrize(("ahead", "result"), [(300.0, "accepted"), (300.001, "quarantined"), (-1e9, "accepted")])
def test_the_future_is_quarantined_and_the_past_never_orders(ahead: float, result: str) -> None:
    assert decide(OPEN, 1, 1, NOW + ahead, NOW).result == result


def test_quarantine_fills_its_sequence_and_its_event_may_come_back() -> None:
    decision = decide(OPEN, 1, 1, NOW, NOW, understood=False)
    assert decision == Decision("quarantined", "not-understood", Place(1, 0, 0))
    track, second = push(kept(OPEN, decision, NOW), 2)
    assert second.result == "accepted"
    track, released = release(track, NOW)
    assert list(released) == numbered(2)
    back, decision = readmitted(track, Place(1, 0, 0), NOW + 5)
    assert decision.result == "accepted"
    assert list(release(back, NOW + 5)[1]) == numbered(1)
    late, decision = readmitted(sent(track, Place(2, 0, 0)), Place(1, 0, 0), NOW + 5)
    assert decision == Decision("late", "overtaken", Place(1, 0, 0))
    assert late.held == ()


def test_what_belongs_to_no_registered_dossier_waits_three_days() -> None:
    track, decision = push(Track(), 1)
    assert decision == Decision("waiting", "unregistered", Place(1, 0, 0))
    assert release(track, NOW + 1e6) == (track, ())
    assert next_release(push(Track(), 5)[0]) is None
    assert expired(track, NOW + 72 * 3600 - 1) == (track, ())
    over, places = expired(track, NOW + 72 * 3600)
    assert places == (Place(1, 0, 0),)
    assert expired(over, NOW + 1e6)[1] == ()
    assert release(replace(over, registered=True), NOW + 1e6)[1] == ()
    assert list(release(replace(track, registered=True), NOW + 1e6)[1]) == numbered(1)
    assert expired(replace(track, registered=True), NOW + 1e6)[1] == ()


def test_the_registration_stands_before_every_event() -> None:
    assert min(push(OPEN, 1)[1].place or FIRST, push(OPEN, None)[1].place or FIRST) > FIRST


def test_a_huge_sequence_costs_nothing() -> None:
    track, decision = push(OPEN, 999_999_999)
    assert decision.result == "waiting"
    assert list(missing(track)) == [Missing(1, 999_999_998, NOW)]


@given(st.permutations(range(1, 9)))
def test_any_order_of_arrival_within_the_wait_is_the_order_of_sequences(arriving: list[int]) -> None:
    track, came = OPEN, []
    for moment, sequence in enumerate(arriving):
        track, _ = push(track, sequence, NOW + moment)
        track, released = release(track, NOW + moment)
        came += [one.place.sequence for one in released]
        assert not any(one.lost for one in released)
        if released:
            track = sent(track, released[-1].place)
    assert came == sorted(arriving)


@given(st.lists(st.none() | st.integers(1, 6), max_size=12), st.floats(0, 100))
def test_what_waits_is_told_when_it_ends(arriving: list[int | None], wait: float) -> None:
    waits = Waits(gap=wait)
    track, seen = OPEN, set[int]()
    for index, sequence in enumerate(arriving):
        if sequence in seen:
            continue
        seen |= {sequence} if sequence else set()
        track = kept(track, decide(track, sequence, index, NOW, NOW + index, waits=waits), NOW + index)
    looks = 0
    while (due := next_release(track, waits)) is not None:
        track, _ = release(track, due, waits)
        looks += 1
        assert looks < 20
    assert not release(track, NOW + len(arriving), waits)[0].held
