"""Moments that sources state (thời điểm): RFC 3339 with an offset, kept as they were written.

The portal's own spellings of them, all on Vietnam's clock, are forms: `LOCAL_INSTANT`, `PORTAL_TIME`, `PORTAL_INSTANT`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from schemas.codes.shapes import shaped

# Years in which no offset leads out of what a calendar of four digits can hold.
_SHAPE: Final = (
    r"(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_shaped = shaped(_SHAPE, "a moment is written YYYY-MM-DDThh:mm:ss with Z or an offset like +07:00, years 1900 to 2199")


def check_moment(value: str) -> str:
    """Accept a moment as RFC 3339 writes it, offset included; raises ValueError, also for a day that never was.

    Narrower than RFC 3339 section 5.6: capital T and Z, no leap second (no clock of a dossier system counts it).
    """
    _shaped(value)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day") from None
    return value


def moment(value: str) -> datetime:
    """The aware datetime of a checked moment, in its own offset; what is finer than a microsecond is cut off."""
    return datetime.fromisoformat(value)


Moment = Annotated[str, AfterValidator(check_moment), WithJsonSchema({"type": "string", "pattern": f"^{_SHAPE}$"})]
"""A moment with its offset, RFC 3339; the text is kept, so that it says later what its source said."""
