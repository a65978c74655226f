"""Instants and the time in which a message counts, to the microsecond."""

from datetime import UTC, datetime, timedelta

import pytest

from security.freshness import fresh_until, instant
from security.signature import Rejected, SignaturePolicy

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
POLICY = SignaturePolicy(max_age=timedelta(minutes=5), skew=timedelta(minutes=1))


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T08:00:00Z", "2026-11-22T08:00:00+00:00", "2026-11-22T15:00:00+07:00", "2026-11-21T20:30:00.0-11:30"],
)
def test_every_instant_is_one_of_utc(text: str) -> None:
    at = instant(text, "it")
    assert at == NOW
    assert at.tzinfo is UTC


@pytest.mark.parametrize("text", ["", "2026-11-22T08:00:00", "2026-11-22T08:00:60Z", "0001-01-01T00:00:00+01:00"])
def test_what_is_no_instant_is_malformed(text: str) -> None:
    with pytest.raises(Rejected, match="it is not an instant") as refused:
        instant(text, "it")
    assert refused.value.reason == "malformed"


def until(created: datetime, expires: datetime | None = None, now: datetime = NOW) -> datetime:
    return fresh_until(created, expires, POLICY, now)


def test_a_message_counts_from_a_skew_before_it_was_made_to_a_skew_behind_its_end() -> None:
    assert until(NOW) == NOW + timedelta(minutes=6)
    assert until(NOW + POLICY.skew) == NOW + timedelta(minutes=7)
    assert until(NOW - timedelta(minutes=6) + TICK) == NOW + TICK
    for created in (NOW + POLICY.skew + TICK, NOW - timedelta(minutes=6)):
        with pytest.raises(Rejected) as refused:
            until(created)
        assert refused.value.reason == "stale"


def test_its_own_end_counts_where_it_is_earlier() -> None:
    for minutes, wanted in ((1, 2), (5, 6), (9, 6)):
        assert until(NOW, NOW + timedelta(minutes=minutes)) == NOW + timedelta(minutes=wanted)
    with pytest.raises(Rejected) as refused:
        until(NOW - timedelta(minutes=3), NOW - timedelta(minutes=2))
    assert refused.value.reason == "stale"
    for expires in (NOW, NOW - TICK):
        with pytest.raises(Rejected) as refused:
            until(NOW, expires)
        assert refused.value.reason == "malformed"
    assert until(NOW, NOW + TICK) == NOW + TICK + POLICY.skew


def test_the_ends_of_time_are_stale_and_no_error() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    for created, now in ((last, NOW), (last, last), (datetime.min.replace(tzinfo=UTC), NOW)):
        with pytest.raises(Rejected) as refused:
            until(created, now=now)
        assert refused.value.reason == "stale"
