"""Forms: how one value looks at a source and in our vocabulary, both ways.

`read` takes the texts found at the source (None where missing) and gives our value; `write` takes our value and gives
the texts to send. A form never guesses: what it does not know becomes a warning with the original (`Unmapped`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType

Value = str | bool | int | None


class Unmapped(ValueError):
    """A value of the source that our vocabulary has no word for; `code` is the warning it becomes."""

    def __init__(self, original: str, code: str = "unmapped-code") -> None:
        super().__init__(code)
        self.original = original
        self.code = code


@dataclass(frozen=True, slots=True)
class Form:
    """A pair of pure functions; `arity` is how many places of the source make up one value."""

    read: Callable[..., Value]
    write: Callable[[str], tuple[str | None, ...]]
    arity: int = 1
    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _text(text: str) -> str | None:
    # Empty text is a statement of the source, white space alone is not (contract, section 2 "Values").
    return None if text and text.isspace() else text


def _same(value: str) -> tuple[str | None, ...]:
    return (value,)


TEXT = Form(_text, _same)


def codes(words: Mapping[str, str]) -> Form:
    """Map the source's codes to ours; several of theirs may mean one of ours, the first is the one written."""
    back: dict[str, str] = {}
    for theirs, ours in words.items():
        back.setdefault(ours, theirs)
    # What is blank is no code, whatever `words` says of it; a code without a word of ours says nothing.
    known = {theirs: ours or None for theirs, ours in words.items() if theirs.strip()}

    def read(text: str) -> str | None:
        if text in known:
            return known[text]
        if not text or text.isspace():
            return None
        raise Unmapped(text)

    return Form(read, lambda value: (back[value],), words=MappingProxyType(dict(words)))


def flag(yes: str, no: str) -> Form:
    """A yes/no value spelled `yes` and `no` at the source."""

    def read(text: str) -> bool | None:
        if text == yes:
            return True
        if text == no:
            return False
        if not text or text.isspace():
            return None
        raise Unmapped(text)

    return Form(read, lambda value: (yes if value else no,))


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _boolean(text: str) -> bool | None:
    if not text or text.isspace():
        return None
    known = _BOOLEANS.get(text.strip())
    if known is None:
        raise Unmapped(text)
    return known


BOOLEAN = Form(_boolean, lambda value: ("true" if value else "false",))
"""A yes/no value in any of the forms of `xs:boolean` (XML Schema part 2, section 3.2.2)."""

_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,12})?")


def _decimal(text: str) -> str | None:
    if not text or text.isspace():
        return None
    if not _DECIMAL.fullmatch(text):
        raise Unmapped(text, "unreadable-value")
    return text


DECIMAL = Form(_decimal, _same)

# Fifteen digits are exact for every reader of JSON (RFC 7493, section 2.2).
_INTEGER = re.compile(r"-?[0-9]{1,15}")


def _integer(text: str) -> int | None:
    if not text or text.isspace():
        return None
    if not _INTEGER.fullmatch(text):
        raise Unmapped(text, "unreadable-value")
    return int(text)


INTEGER = Form(_integer, lambda value: (str(value),))


def partial_date(year: str, month: str | None = None, day: str | None = None) -> str:
    """Join the known parts into `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; raises ValueError for a day that never was."""
    if len(year) != 4:
        raise ValueError("a year has four digits")
    date(int(year), int(month or 1), int(day or 1))
    return "-".join(filter(None, (year, month, day)))


def dates(*patterns: str) -> Form:
    """A date in one of the patterns of `yyyy`, `MM` and `dd`; reading tries all, writing picks by precision."""
    compiled = []
    templates: dict[int, str] = {}
    for pattern in patterns:
        expression = re.escape(pattern)
        for token, group in (("yyyy", "(?P<y>[0-9]{4})"), ("MM", "(?P<m>[0-9]{2})"), ("dd", "(?P<d>[0-9]{2})")):
            expression = expression.replace(token, group)
        known = [token for token in ("yyyy", "MM", "dd") if token in pattern]
        ours = "-".join(f"{{{token[0].lower()}}}" for token in known)
        compiled.append((re.compile(expression).fullmatch, ours.format_map))
        templates.setdefault(len(known), pattern)

    def read(text: str) -> str | None:
        if not text:
            return None
        for match, ours in compiled:
            found = match(text)
            if found:
                value = ours(found.groupdict())
                try:
                    # Where a month or a day is missing, the first one stands in for it.
                    date.fromisoformat(f"{value}-01-01"[:10])
                except ValueError:
                    break
                return value
        if text.isspace():
            return None
        raise Unmapped(text, "unreadable-value")

    def write(value: str) -> tuple[str | None, ...]:
        year, month, day = [*value.split("-"), "", ""][:3]
        template = templates[len(value.split("-"))]
        return (template.replace("yyyy", year).replace("MM", month).replace("dd", day),)

    return Form(read, write)


DAY_MONTH_YEAR = dates("dd/MM/yyyy", "MM/yyyy", "yyyy")
YEAR_MONTH_DAY = dates("yyyyMMdd", "yyyyMM", "yyyy")
ISO_DATE = dates("yyyy-MM-dd", "yyyy-MM", "yyyy")


def _capitals(value: str) -> tuple[str | None, ...]:
    return (value.upper(),)


CAPITALS = Form(_text, _capitals)
"""Text that a source compares in capital letters (họ và tên viết hoa); what it answers is left as it is."""


def _joined(*parts: str | None) -> str | None:
    known = [part for part in parts if part and not part.isspace()]
    if known:
        return " ".join(known)
    return "" if "" in parts else None


FULL_NAME = Form(_joined, lambda value: (None, None, value), arity=3)
"""Surname, middle and given name (họ, chữ đệm, tên) as one text; sources often put the whole name in the last place."""


def _day_or_year(day: str | None, year: str | None) -> str | None:
    return YEAR_MONTH_DAY.read(day) or YEAR_MONTH_DAY.read(year)  # type: ignore[return-value]


def _as_day_or_year(value: str) -> tuple[str | None, ...]:
    (text,) = YEAR_MONTH_DAY.write(value)
    return (None, text) if len(value) == 4 else (text, None)


DAY_OR_YEAR = Form(_day_or_year, _as_day_or_year, arity=2)
"""A date in two places of the source: `yyyyMMdd` or `yyyyMM` in the first, a bare year in the second."""

_VIETNAM = timezone(timedelta(hours=7))
_PLACES = {
    "yyyy": ("year", 4),
    "MM": ("month", 2),
    "dd": ("day", 2),
    "HH": ("hour", 2),
    "mm": ("minute", 2),
    "ss": ("second", 2),
    "fff": ("milliseconds", 3),
}


def instants(pattern: str) -> Form:
    """A moment on Vietnam's clock (UTC+7 all year, no offset written) in a pattern of yyyy, MM, dd, HH, mm, ss and fff.

    Written from an RFC 3339 moment of any offset; what is finer than the pattern is cut off. Raises ValueError for one
    without an offset.
    """
    expression, template = re.escape(pattern), pattern
    for token, (name, digits) in _PLACES.items():
        expression = expression.replace(token, f"(?P<{name}>[0-9]{{{digits}}})")
        template = template.replace(token, f"{{{name}:0{digits}}}")
    match = re.compile(expression).fullmatch
    timespec = "milliseconds" if "fff" in pattern else "seconds"

    def read(text: str) -> str | None:
        if not text or text.isspace():
            return None
        found = match(text)
        if found is None:
            raise Unmapped(text, "unreadable-value")
        parts = {name: int(digits) for name, digits in found.groupdict().items()}
        try:
            when = datetime(microsecond=parts.pop("milliseconds", 0) * 1000, tzinfo=_VIETNAM, **parts)
        except ValueError:
            raise Unmapped(text, "unreadable-value") from None
        return when.isoformat(timespec=timespec)

    def write(value: str) -> tuple[str | None, ...]:
        when = datetime.fromisoformat(value)
        if when.tzinfo is None:
            raise ValueError("a moment without its offset")
        when = when.astimezone(_VIETNAM)
        names = {name: getattr(when, name) for name, _ in _PLACES.values() if name != "milliseconds"}
        return (template.format(milliseconds=when.microsecond // 1000, **names),)

    return Form(read, write)


LOCAL_INSTANT = instants("yyyyMMddHHmmss")
"""A moment as most sources write it; the first generation of the national portal, too."""
PORTAL_TIME = instants("yyyy-MM-dd HH:mm:ss")
"""A moment of a dossier in the second generation of the national portal."""
PORTAL_INSTANT = instants("yyyy-MM-ddTHH:mm:ss.fff")
"""A moment of a progress record in the second generation of the national portal."""
