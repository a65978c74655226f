"""Changes that keep a text's form: pieces are dropped, doubled, moved and exchanged whole.

Bytes changed at random hardly ever take out one whole Reference and nothing else; a forger does just that.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import NamedTuple


class Piece(NamedTuple):
    """Where a piece begins and ends."""

    start: int
    end: int

    def of(self, text: bytes) -> bytes:
        """The piece."""
        return text[self.start : self.end]


_TAG = re.compile(rb"<(/?)([^\s<>/!?\"'=]+)[^<>]*?(/?)>")
_XML = (
    re.compile(rb"""\s[^\s<>/"'=]+=(?:"[^"<]*"|'[^'<]*')"""),
    re.compile(rb"""(?<==")[^"<]*(?=")|(?<=>)[^<>]+(?=<)"""),
)
_HTTP = (
    re.compile(rb"[^\n]*\n"),
    re.compile(rb"(?<=: )[^\n]+"),
    re.compile(rb'"@?[a-z-]+" ?'),
    re.compile(rb";[a-z]+(?:=[^;\n]*)?"),
)
_PREFIX = re.compile(rb"xmlns:([A-Za-z][\w.-]*)=")
_PUT = (b"", b"", b"1", b"a", b"_", b"-", b" ", b"=", b"/", b"A", b"\n", b"&#9;", b"\xc3\xa9")


def mutated(text: bytes, longest: int, seed: int) -> bytes:
    """The text with one to three changes; itself where it has no pieces."""
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 2, 3))):
        if chance.randrange(8) == 0:
            text = _renamed(text, chance)
            continue
        kinds = [kind for kind in _kinds(text) if kind]
        if kinds:
            found = chance.choice(kinds)
            one, other = chance.choice(found), chance.choice(found if chance.randrange(4) else chance.choice(kinds))
            text = _changed(text, one, other, chance)
    return text[:longest]


def _changed(text: bytes, one: Piece, other: Piece, chance: random.Random) -> bytes:
    rest = text[: one.start] + text[one.end :]
    match chance.randrange(6):
        case 0:
            return rest
        case 1:
            return text[: other.start] + one.of(text) + text[other.start :]
        case 2:
            return text[: other.start] + one.of(text) + text[other.end :]
        case 3:
            at = min(other.start, len(rest))
            return rest[:at] + one.of(text) + rest[at:]
        case 4:
            at = chance.randint(one.start, one.end)
            return text[:at] + chance.choice(_PUT) + text[at + chance.choice((0, 0, 1)) :]
    first, second = sorted((one, other))
    if first.end > second.start:
        return text
    between = text[first.end : second.start]
    return text[: first.start] + second.of(text) + between + first.of(text) + text[second.end :]


def _renamed(text: bytes, chance: random.Random) -> bytes:
    """The text with one prefix called like another one, or like none."""
    found = _PREFIX.findall(text)
    if not found:
        return text
    old, new = re.escape(chance.choice(found)), chance.choice((*found, b"x", b"A1"))
    if chance.randrange(3):
        text = re.sub(rb"xmlns:" + old + rb"=", b"xmlns:" + new + b"=", text)
    return re.sub(rb"(</?|\s)" + old + rb":", rb"\g<1>" + new + b":", text)


def _kinds(text: bytes) -> Iterator[list[Piece]]:
    """Elements, attributes and values of XML; lines, values, components and parameters of anything else."""
    if text.lstrip().startswith(b"<"):
        yield list(_elements(text))
    for pattern in _XML if text.lstrip().startswith(b"<") else _HTTP:
        yield [Piece(*found.span()) for found in pattern.finditer(text)]


def _elements(text: bytes) -> Iterator[Piece]:
    opened: list[tuple[bytes, int]] = []
    for tag in _TAG.finditer(text):
        closing, name, empty = tag.groups()
        if empty:
            yield Piece(*tag.span())
        elif not closing:
            opened.append((name, tag.start()))
        elif opened and opened[-1][0] == name:
            yield Piece(opened.pop()[1], tag.end())
