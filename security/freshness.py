"""When a signed message was made, and until when it is taken for an answer of today."""

import re
from datetime import UTC, datetime

from security.signature import Rejected, SignaturePolicy
from security.signature_structure import malformed

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def instant(text: str, what: str) -> datetime:
    """An xs:dateTime with its offset, as UTC; Rejected("malformed") for anything else, a leap second included."""
    try:
        if _INSTANT.fullmatch(text):
            at = datetime.fromisoformat(text)
            return at if at.tzinfo is UTC else at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise malformed(f"{what} is not an instant with an offset")


def fresh_until(created: datetime, expires: datetime | None, policy: SignaturePolicy, now: datetime) -> datetime:
    """The end of the time in which a message is accepted; Rejected("stale") if `now` is outside of it.

    Rejected("malformed") if it expires before it was created.
    """
    skew = policy.skew
    if expires is not None and expires <= created:
        raise malformed("the Timestamp expires before it was created")
    # A difference, and before any sum: who signs may write any date, and a sum could leave what a date can hold.
    if created - now > skew:
        raise Rejected("stale", "the message comes from the future: check the clocks")
    try:
        end = created + policy.max_age
        if expires is not None and expires < end:
            end = expires
        end += skew
    except OverflowError:
        raise Rejected("stale", "the message ends when no date does any more") from None
    if now >= end:
        raise Rejected("stale", "the message is older than accepted")
    return end
