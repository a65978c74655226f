"""Encoders compiled from declarations: a question becomes the XML fragment, JSON object or query of its source."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from schemas.fields import Branch, Leaf, Question, Shape

Texts = list[tuple[tuple[str, ...], str]]


def texts_of(shape: Shape) -> Callable[[Question], Texts]:
    """Compile a function from a question to its (path, text) pairs, in declared order, without missing ones."""
    leaves: list[tuple[str, Leaf]] = []
    for member in shape.members:
        if isinstance(member, Branch) or member.many:
            raise TypeError(f"{shape.model.__name__}.{member.name}: a question is flat")
        leaves.append((member.name, member))

    def texts(question: Question) -> Texts:
        found: Texts = []
        for name, leaf in leaves:
            value = getattr(question, name)
            if value is not None:
                found.extend(
                    (path, text)
                    for path, text in zip(leaf.paths, leaf.form.write(value), strict=True)
                    if text is not None
                )
        return found

    return texts


_SPECIAL = re.compile("[&<>\r]")


def escape(text: str) -> str:
    """Write character data as canonical XML does (Canonical XML 1.0, section 2.3)."""
    if _SPECIAL.search(text) is None:
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def xml_of(texts: Texts) -> str:
    """Write (path, text) pairs as elements, neighbours with a common parent inside one element of it."""
    parts: list[str] = []
    opened: list[str] = []
    for path, text in texts:
        if len(path) == 1 and not opened:
            (name,) = path
            parts.append(f"<{name}>{escape(text)}</{name}>")
            continue
        shared = 0
        while shared < len(opened) and shared < len(path) - 1 and opened[shared] == path[shared]:
            shared += 1
        while len(opened) > shared:
            parts.append(f"</{opened.pop()}>")
        for segment in path[shared:-1]:
            parts.append(f"<{segment}>")
            opened.append(segment)
        parts.append(f"<{path[-1]}>{escape(text)}</{path[-1]}>")
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
