"""Which of the two languages of the gateway a caller reads."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Language = Literal["vi", "en"]

_QUALITY = re.compile(r"(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
_RANGE = re.compile(r"\*|[a-z]{1,8}(?:-(?:[a-z0-9]{1,8}|\*))*", re.ASCII)


@lru_cache(maxsize=256)
def preferred(accept_language: str | None) -> Language:
    """Return `en` where Accept-Language (RFC 9110, 12.5.4) rates English above Vietnamese, else `vi`.

    A range counts by its first subtag; `*` stands for a language that is not named. What cannot be read is ignored.
    """
    quality: dict[str, float] = {}
    for part in (accept_language or "").lower().split(","):
        name, *parameters = (piece.strip(" \t") for piece in part.split(";"))
        if not _RANGE.fullmatch(name):
            continue
        weight = 1.0
        if parameters:
            key, _, value = parameters[0].partition("=")
            if len(parameters) > 1 or key.strip(" \t") != "q" or not _QUALITY.fullmatch(value.strip(" \t")):
                continue
            weight = float(value)
        language = name.split("-", 1)[0]
        quality[language] = max(weight, quality.get(language, 0.0))
    rest = quality.get("*", 0.0)
    return "en" if quality.get("en", rest) > quality.get("vi", rest) else "vi"
