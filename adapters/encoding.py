"""Encoders compiled from declarations: a question becomes the XML fragment, JSON object or query of its source."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from schemas.fields import Branch, Question, Shape
from schemas.forms import TEXT

Path = tuple[str, ...]
Texts = list[tuple[Path, str]]


def texts_of(shape: Shape) -> Callable[[Question], Texts]:
    """Compile a function from a question to its (path, text) pairs, in declared order, without missing ones."""
    leaves: list[tuple[str, tuple[Path, ...], Callable[[str], tuple[str | None, ...]] | None]] = []
    for member in shape.members:
        if isinstance(member, Branch) or member.many:
            raise TypeError(f"{shape.model.__name__}.{member.name}: a question is flat")
        # What TEXT writes is the value itself.
        leaves.append(
            (member.name, member.paths, None if member.form is TEXT and len(member.paths) == 1 else member.form.write)
        )

    def texts(question: Question) -> Texts:
        found: Texts = []
        for name, paths, write in leaves:
            value = getattr(question, name)
            if value is None:
                continue
            if write is None:
                found.append((paths[0], value))
            else:
                found += [pair for pair in zip(paths, write(value), strict=True) if pair[1] is not None]  # type: ignore[misc]
        return found

    return texts


_SPECIAL = re.compile("[&<>\r]")


def escape(text: str) -> str:
    """Write character data as canonical XML does (Canonical XML 1.0, section 2.3)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document can hold, not even as a reference (XML 1.0, production 2)."""


def is_writable(value: Any) -> bool:
    """Tell whether every text in a value of JSON can stand in an XML document."""
    if isinstance(value, str):
        return UNWRITABLE.search(value) is None
    if isinstance(value, dict):
        return all(map(is_writable, value.values()))
    return all(map(is_writable, value)) if isinstance(value, list) else True


def xml_of(texts: Texts) -> str:
    """Write (path, text) pairs as elements, neighbours with a common parent inside one element of it."""
    if not texts:
        return ""
    paths, said = zip(*texts, strict=True)
    if _SPECIAL.search("".join(said)) is not None:
        said = tuple(map(escape, said))
    return _elements(paths) % said


# Questions have few members that may be missing: what is asked are fewer choices than this.
@lru_cache(4096)
def _elements(paths: tuple[Path, ...]) -> str:
    """Return elements at these paths with `%s` for the text of each.

    What stands around the texts depends only on which of them are there, so it is made once for each such choice.
    """
    parts: list[str] = []
    opened: list[str] = []
    for path in paths:
        shared = 0
        while shared < len(opened) and shared < len(path) - 1 and opened[shared] == path[shared]:
            shared += 1
        while len(opened) > shared:
            parts.append(f"</{opened.pop()}>")
        for segment in path[shared:-1]:
            parts.append(f"<{segment}>")
            opened.append(segment)
        parts.append(f"<{path[-1]}>%s</{path[-1]}>")
    while opened:
        parts.append(f"</{opened.pop()}>")
    return "".join(parts)


def json_of(texts: Texts) -> dict[str, Any]:
    """Write (path, text) pairs as nested JSON objects of strings."""
    root: dict[str, Any] = {}
    for path, text in texts:
        place = root
        for segment in path[:-1]:
            place = place.setdefault(segment, {})
        place[path[-1]] = text
    return root
