"""Keys by which a request that is sent again is known (`Idempotency-Key`, khóa chống trùng).

The header follows draft-ietf-httpapi-idempotency-key-header, which makes it a string of a structured field (RFC 9651);
most clients send it bare. Both are taken and are the same key. Parameters of the string mean nothing here and are
refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from schemas.codes.shapes import shaped

HEADER: Final = "Idempotency-Key"
_KEY: Final = "[ -~]{1,255}"
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPED: Final = re.compile(r'\\(["\\])')

check_key = shaped(_KEY, "an idempotency key has 1 to 255 printable ASCII characters")


class KeyMissing(ValueError):
    """No header, or an empty one."""


class KeyUnreadable(ValueError):
    """A text that is no key, or more than one header; the text says why without quoting any of it."""


def key_from_header(values: Sequence[str]) -> str:
    """Read the key from the values of the header's fields; raises KeyMissing or KeyUnreadable."""
    stripped = [value.strip(" \t") for value in values]
    if not any(stripped):
        raise KeyMissing("the header is missing or empty")
    if len(stripped) > 1:
        raise KeyUnreadable("the header was sent more than once")
    return key_from_text(stripped[0])


def key_from_text(text: str) -> str:
    """Read a key, bare or as a quoted string, which are the same key; raises KeyMissing or KeyUnreadable.

    What begins with a quotation mark must be a whole string of a structured field; anything else is the key as it is.
    """
    if text.startswith('"'):
        match = _QUOTED.fullmatch(text)
        if match is None:
            raise KeyUnreadable("begins with a quotation mark and is no quoted string")
        text = _ESCAPED.sub(r"\1", match[1])
        if not text:
            raise KeyMissing("the key is empty")
    try:
        return check_key(text)
    except ValueError as error:
        raise KeyUnreadable(str(error)) from None


IdempotencyKey = Annotated[
    str, AfterValidator(key_from_text), WithJsonSchema({"type": "string", "pattern": "^[ -~]{1,512}$"})
]
"""A key in JSON: bare or as a quoted string, as in the header."""
