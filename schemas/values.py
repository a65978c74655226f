"""Types of values that questions and answers share, spelled as the published contract says (section "Values").

All of them are text: a partial date keeps what is known of it, an amount or an area keeps every digit that the source
wrote. They validate questions and give answers their JSON Schema.
"""

import re
from datetime import date
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

_PARTIAL_DATE: Final = "[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?"
_DAY: Final = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DECIMAL: Final = r"-?[0-9]{1,30}(\.[0-9]{1,12})?"
_INSTANT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"


def _existing_date(value: str) -> str:
    if re.fullmatch(_PARTIAL_DATE, value, re.ASCII) is None:
        raise ValueError("a date is written YYYY-MM-DD, or YYYY-MM or YYYY where no more is known")
    year, month, day = (*map(int, value.split("-")), 1, 1)[:3]
    try:
        date(year, month, day)
    except ValueError:
        raise ValueError("there is no such day") from None
    return value


def _existing_day(value: str) -> str:
    if re.fullmatch(_DAY, value, re.ASCII) is None:
        raise ValueError("a day is written YYYY-MM-DD")
    return _existing_date(value)


PartialDate = Annotated[
    str, AfterValidator(_existing_date), WithJsonSchema({"type": "string", "pattern": f"^{_PARTIAL_DATE}$"})
]
"""`YYYY-MM-DD`, or `YYYY-MM` / `YYYY` where no more is known; a day that never was is refused."""

Day = Annotated[str, AfterValidator(_existing_day), WithJsonSchema({"type": "string", "pattern": f"^{_DAY}$"})]
"""A whole day, `YYYY-MM-DD`."""

Decimal = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{_DECIMAL}$"})]
"""An amount or an area as decimal text with a point, digits as the source wrote them."""

Instant = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{_INSTANT}$"})]
"""A moment with its offset, RFC 3339."""
