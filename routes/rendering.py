"""What both renderings of an error share, the problem document and the SOAP fault."""

from __future__ import annotations

from math import ceil
from typing import Final

from routes.language import Language
from schemas.errors import GatewayError, Text

_DAY: Final = 86_400


def in_language(language: Language, text: Text) -> str:
    """Return a text in one of its languages."""
    return text.en if language == "en" else text.vi


def wait_of(error: GatewayError) -> int | None:
    """Return the whole seconds after which an error may be gone, None where nothing is promised."""
    if error.status == 429 or (error.status in (409, 502, 503) and error.retryable):
        return ceil(min(max(error.retry_after or 1, 1), _DAY))
    return None
