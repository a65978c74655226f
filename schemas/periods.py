"""Where a period begins and ends, as people say it: a day in Vietnam, or a time with its zone (khoảng thời gian)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

VIETNAM: Final = timezone(timedelta(hours=7))

_DAY: Final = r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
_TIME: Final = _DAY + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
_SHAPE: Final = re.compile(f"{_DAY}|{_TIME}", re.ASCII)


def bound(text: str, *, end: bool = False) -> datetime:
    """Return the instant (UTC) at which a period begins, or with `end` before which it ends.

    A day counts as a whole, on Vietnam's clock; a time is the instant itself, which an end does not include. Years are
    1900 to 2199. Raises ValueError for anything else.
    """
    try:
        if _SHAPE.fullmatch(text):
            if "T" in text:
                return datetime.fromisoformat(text).astimezone(UTC)
            begin = datetime.combine(date.fromisoformat(text), time(), VIETNAM)
            return (begin + timedelta(days=int(end))).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        "a period begins and ends with a day YYYY-MM-DD or a time like 2026-11-30T08:00:00+07:00, years 1900 to 2199"
    )


def check_bound(text: str) -> str:
    """Accept what `bound` reads; raises ValueError."""
    bound(text)
    return text


PATTERN: Final = f"^({_DAY}|{_TIME})$"
Bound = Annotated[str, AfterValidator(check_bound), WithJsonSchema({"type": "string", "pattern": PATTERN})]
"""A day, `YYYY-MM-DD`, or a time with its zone, RFC 3339."""
