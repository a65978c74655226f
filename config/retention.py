"""For how long what opens entries is kept: days for each record class (thời hạn lưu giữ giá trị cá nhân)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from config.sections import Section

FOREVER: Final = "forever"
SHORTEST: Final = 30
"""Days; less is taken for a slip, since what is destroyed does not come back."""
_LONGEST: Final = 36_525


def _days(value: Any) -> int | None:
    if value is None or value == FOREVER:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or not SHORTEST <= value <= _LONGEST:
        raise ValueError(f'must be a number of days from {SHORTEST} to {_LONGEST}, or "{FOREVER}"')
    return value


Days = Annotated[int | None, BeforeValidator(_days)]
ClassName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
Dossier = Annotated[str, Field(min_length=1, max_length=200)]


class Retention(Section):
    """After how many `days` the values of entries may be destroyed, by record class; `default` is for all other ones.

    A class is a database, a destination, `dossiers`, `readings` (of the log itself) or `other` (of no database). None
    is without end. `hold` are codes of dossiers (mã hồ sơ) whose entries stay open however old they are.
    """

    default: Days = None
    days: dict[ClassName, Days] = Field(default_factory=dict)
    hold: tuple[Dossier, ...] = Field(default=(), max_length=1000)

    def of(self, name: str) -> int | None:
        """Days of one class; None is without end."""
        return self.days.get(name, self.default)
