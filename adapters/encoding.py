"""Encoders compiled from declarations: a question becomes the XML fragment, JSON object or query of its source."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from schemas.fields import Branch, Question, Shape
from schemas.forms import TEXT, Form

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


Write = Callable[[Any], tuple[str | None, ...]]


def object_of(
    shape: Shape, *, numbers: frozenset[str] = frozenset(), empty: tuple[Form, ...] = (), prefix: str = ""
) -> Callable[[BaseModel], dict[str, Any]]:
    """Compile a function from a record to the JSON object of its source, with the records and lists in it.

    Scalars are strings, those whose dotted path is in `numbers` numbers. What is missing is left out, what has one of
    the forms `empty` is "" instead; what the source has no place for is never written.
    """
    values: list[tuple[str, tuple[Path, ...], Write, bool, bool, bool]] = []
    records: list[tuple[str, Path, Callable[[BaseModel], dict[str, Any]], bool]] = []
    for member in shape.members:
        path = prefix + member.name
        if isinstance(member, Branch):
            below = object_of(member.shape, numbers=numbers, empty=empty, prefix=f"{path}.")
            records.append((member.name, member.path, below, member.many))
        elif member.paths:
            write, blank = member.form.write, any(member.form is form for form in empty)
            values.append((member.name, member.paths, write, member.many, path in numbers, blank))

    def made(record: BaseModel) -> dict[str, Any]:
        root: dict[str, Any] = {}
        for name, paths, write, many, number, blank in values:
            value = getattr(record, name)
            if value is None:
                if blank:
                    _put(root, paths[0], "")
            elif many:
                _put(root, paths[0], [write(item)[0] for item in value])
            else:
                for path, text in zip(paths, write(value), strict=True):
                    if text is not None:
                        _put(root, path, int(text) if number else text)
        for name, path, below, many in records:
            value = getattr(record, name)
            if value is not None:
                _put(root, path, [below(item) for item in value] if many else below(value))
        return root

    return made


def _put(root: dict[str, Any], path: Path, value: Any) -> None:
    place = root
    for segment in path[:-1]:
        place = place.setdefault(segment, {})
    place[path[-1]] = value


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
        _put(root, path, text)
    return root
