"""Moments as sources state them, and as each generation of the portal wants to read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dossiers.moments import check_moment, moment
from schemas.forms import LOCAL_INSTANT, PORTAL_INSTANT, PORTAL_TIME, Form

VIETNAM = timezone(timedelta(hours=7))
offsets = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1901, 1, 1), datetime(2198, 12, 31), timezones=offsets).map(datetime.isoformat)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T09:00:00+07:00",
        "2026-11-23T02:00:00Z",
        "2026-11-23T02:00:00.123456789Z",
        "2026-11-23T02:00:00-00:00",
        "2024-02-29T23:59:59.9+14:00",
        "1900-01-01T00:00:00+23:59",
        "2199-12-31T23:59:59-23:59",
    ],
)
def test_moments_with_an_offset_are_kept_as_they_are(text: str) -> None:
    assert check_moment(text) == text
    assert moment(text).utcoffset() is not None
    assert LOCAL_INSTANT.write(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T09:00:00",
        "2026-11-23T09:00+07:00",
        "2026-11-23 09:00:00+07:00",
        "2026-11-23t09:00:00z",
        "2026-11-23T09:00:00+0700",
        "2026-11-23T09:00:00+7:00",
        "2026-11-23T09:00:00+24:00",
        "2026-11-23T24:00:00Z",
        "2026-11-23T09:00:60Z",
        "2026-11-23T09:00:00.Z",
        "2026-11-23T09:00:00.1234567890Z",
        "2026-02-29T09:00:00Z",
        "2026-04-31T09:00:00Z",
        "1899-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        " 2026-11-23T09:00:00Z",
        "2026-11-23T09:00:00Z\n",
        "２０２６-11-23T09:00:00Z",
        "20261123090000",
    ],
)
def test_what_is_no_moment_with_an_offset(text: str) -> None:
    with pytest.raises(ValueError):
        check_moment(text)


@pytest.mark.parametrize(
    ("text", "stamp", "time", "instant"),
    [
        ("2026-11-23T09:00:00+07:00", "20261123090000", "2026-11-23 09:00:00", "2026-11-23T09:00:00.000"),
        ("2025-12-31T17:00:00Z", "20260101000000", "2026-01-01 00:00:00", "2026-01-01T00:00:00.000"),
        ("2024-02-28T17:00:00Z", "20240229000000", "2024-02-29 00:00:00", "2024-02-29T00:00:00.000"),
        ("2024-03-01T06:59:59+14:00", "20240229235959", "2024-02-29 23:59:59", "2024-02-29T23:59:59.000"),
        # What is finer is cut off: a moment never moves into the future.
        ("2026-12-31T23:59:59.999999+07:00", "20261231235959", "2026-12-31 23:59:59", "2026-12-31T23:59:59.999"),
    ],
)
def test_the_three_spellings_of_the_portal(text: str, stamp: str, time: str, instant: str) -> None:
    assert [form.write(text) for form in (LOCAL_INSTANT, PORTAL_TIME, PORTAL_INSTANT)] == [
        (stamp,),
        (time,),
        (instant,),
    ]


@given(moments, st.sampled_from([(LOCAL_INSTANT, 1_000_000), (PORTAL_TIME, 1_000_000), (PORTAL_INSTANT, 1_000)]))
def test_a_moment_written_for_the_portal_is_the_same_moment(text: str, spelling: tuple[Form, int]) -> None:
    form, grain = spelling
    assert check_moment(text) == text
    (written,) = form.write(text)
    assert written is not None
    back = form.read(written)
    assert isinstance(back, str)
    lost = moment(text) - moment(back)
    assert timedelta(0) <= lost < timedelta(microseconds=grain)
    assert moment(back).utcoffset() == timedelta(hours=7)
    assert form.write(back) == (written,)


@given(moments, moments)
def test_what_is_earlier_never_reads_later_at_the_portal(one: str, other: str) -> None:
    earlier, later = sorted((one, other), key=lambda text: moment(text).astimezone(UTC))
    for form in (LOCAL_INSTANT, PORTAL_TIME, PORTAL_INSTANT):
        assert (form.write(earlier)[0] or "") <= (form.write(later)[0] or "")
