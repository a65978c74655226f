"""What all identifier types are made of: a whole-text check and its JSON Schema."""

import re
from collections.abc import Callable

from pydantic import WithJsonSchema


def shaped(pattern: str, message: str) -> Callable[[str], str]:
    """A check that a text matches `pattern` as a whole; it raises ValueError(`message`) otherwise."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(message)
        return value

    return check


def schema(pattern: str, title: str) -> WithJsonSchema:
    """The JSON Schema of an identifier: its anchored pattern and its name in English and Vietnamese."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "title": title})
