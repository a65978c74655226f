"""Types of values that questions and answers share, spelled as the published contract says (section "Values").

All of them are text: a partial date keeps what is known of it, an amount or an area keeps every digit that the source
wrote. They validate questions and give answers their JSON Schema.
"""

from datetime import date
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from schemas.codes.shapes import shaped

_PARTIAL_DATE: Final = "[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?"
_DAY: Final = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DECIMAL: Final = r"-?[0-9]{1,30}(\.[0-9]{1,12})?"
_INSTANT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"


_partial_date_shaped = shaped(_PARTIAL_DATE, "a date is written YYYY-MM-DD, or YYYY-MM or YYYY where no more is known")
_day_shaped = shaped(_DAY, "a day is written YYYY-MM-DD")


def _existing_date(value: str) -> str:
    return _on_the_calendar(_partial_date_shaped(value))


def _existing_day(value: str) -> str:
    return _on_the_calendar(_day_shaped(value))


def _on_the_calendar(value: str) -> str:
    try:
        # Where a month or a day is missing, the first one stands in for it.
        date.fromisoformat(f"{value}-01-01"[:10])
    except ValueError:
        raise ValueError("there is no such day") from None
    return value


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
