"""What an HTTP status, a Retry-After and an error say; what messages show of themselves."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.transport import (
    Message,
    Reply,
    Throttled,
    maybe_applied,
    refusal,
    retry_after,
)
from schemas.errors import (
    GatewayError,
    Internal,
    UpstreamRefused,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from tests.test_resilience.doubles import (
    ASK,
)


def reply_with(status: int, **headers: str) -> Reply:
    return Reply(status, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), b"secret")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (204, None),
        (301, UpstreamUnreadable),
        (304, UpstreamUnreadable),
        (400, UpstreamRefused),
        (401, UpstreamRefused),
        (404, UpstreamRefused),
        (429, Throttled),
        (500, UpstreamUnavailable),
        (503, UpstreamUnavailable),
        (999, UpstreamUnavailable),
    ],
)
def test_meaning_of_a_status(status: int, kind: type[GatewayError] | None) -> None:
    error = refusal("source", reply_with(status, Retry_After="7"))
    assert type(error) is (kind or type(None))
    if isinstance(error, UpstreamUnavailable):
        assert error.retry_after == 7
    assert "secret" not in str(error)


def test_retry_after_reads_both_forms() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    assert retry_after(reply_with(503, Retry_After=" 120 "), now) == 120
    assert retry_after(reply_with(503, Retry_After="Sun, 22 Nov 2026 12:00:30 GMT"), now) == 30
    assert retry_after(reply_with(503, Retry_After="Sun, 22 Nov 2026 11:00:00 GMT"), now) == 0
    assert retry_after(reply_with(503), now) is None


@given(st.text())
def test_retry_after_never_fails(text: str) -> None:
    seconds = retry_after(Reply(503, {"Retry-After": text}, b""))
    assert seconds is None or seconds >= 0


def test_what_is_not_known_to_be_harmless_may_have_been_applied() -> None:
    assert maybe_applied(Internal())
    assert maybe_applied(KeyError("x"))
    assert maybe_applied(asyncio.CancelledError())
    assert not maybe_applied(Throttled())


def test_messages_do_not_show_what_they_carry() -> None:
    shown = repr(Message("POST", "/p", {"Authorization": "Basic c2VjcmV0"}, b"001085012345", {"q": "001085012345"}))
    assert "c2VjcmV0" not in shown
    assert "001085012345" not in shown
    assert "001085012345" not in repr(Reply(200, {"x": "001085012345"}, b"001085012345"))


def test_the_question_is_the_body_or_the_target() -> None:
    assert ASK.question == b"question"
    assert Message("GET", "/a", {}, b"", {"msdn": "1 2"}).question == b"/a?msdn=1+2"
