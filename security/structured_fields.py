"""Structured header fields (RFC 9651), as far as signatures and digests of messages need them: dictionaries.

Members are items or inner lists of strings, integers, byte sequences and booleans. Stricter than the standard on
purpose: a name that comes twice is refused instead of the last one winning, and base64 must be canonical, so that two
readers never understand one field differently. Tokens, decimals, dates and display strings have no place here.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

BareItem = str | int | bytes | bool

_SPACES = re.compile(r" *+")
_OWS = re.compile(r"[ \t]*+")
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*+")
_STRING = re.compile(r'"([ !#-\[\]-~]*+(?:\\["\\][ !#-\[\]-~]*+)*+)"')
_ESCAPED = re.compile(r'\\(["\\])')
_BYTES = re.compile(r":([A-Za-z0-9+/]*+={0,2}):")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_BOOLEAN = re.compile(r"\?([01])")


class Unreadable(ValueError):
    """A field that is not what it should be; the text says why without quoting any of it."""


class Item(NamedTuple):
    """A value with its parameters."""

    value: BareItem
    parameters: Mapping[str, BareItem]


class InnerList(NamedTuple):
    """Several items, with parameters of the whole."""

    items: tuple[Item, ...]
    parameters: Mapping[str, BareItem]


Member = Item | InnerList


def dictionary(lines: Iterable[str], longest: int) -> dict[str, Member]:
    """Read a dictionary from the lines of a field, in order; Unreadable, also above `longest` characters in all."""
    text = ",".join(lines)
    if len(text) > longest:
        raise Unreadable("is too long")
    return _Reader(text).dictionary()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def dictionary(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        self._match(_SPACES)
        while self._at < len(self._text):
            key = self._key()
            if key in members:
                raise Unreadable("names one member twice")
            members[key] = self._member() if self._skip("=") else Item(True, self._parameters())
            self._match(_OWS)
            if self._at == len(self._text):
                break
            if not self._skip(","):
                raise Unreadable("lacks a comma between members")
            self._match(_OWS)
            if self._at == len(self._text):
                raise Unreadable("ends with a comma")
        return members

    def _member(self) -> Member:
        return self._inner_list() if self._skip("(") else self._item()

    def _inner_list(self) -> InnerList:
        items: list[Item] = []
        while True:
            self._match(_SPACES)
            if self._skip(")"):
                return InnerList(tuple(items), self._parameters())
            items.append(self._item())
            if self._text[self._at : self._at + 1] not in (" ", ")"):
                raise Unreadable("holds an inner list that is not closed or not separated by spaces")

    def _item(self) -> Item:
        return Item(self._bare(), self._parameters())

    def _parameters(self) -> dict[str, BareItem]:
        found: dict[str, BareItem] = {}
        while self._skip(";"):
            self._match(_SPACES)
            key = self._key()
            if key in found:
                raise Unreadable("names one parameter twice")
            found[key] = self._bare() if self._skip("=") else True
        return found

    def _key(self) -> str:
        key = self._match(_KEY)
        if key is None:
            raise Unreadable("holds a name that is none")
        return key[0]

    def _bare(self) -> BareItem:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            if found := self._match(_STRING):
                return _ESCAPED.sub(r"\1", found[1]) if "\\" in found[1] else found[1]
        elif first == ":":
            if found := self._match(_BYTES):
                return _decoded(found[1])
        elif first == "?":
            if found := self._match(_BOOLEAN):
                return found[1] == "1"
        elif found := self._match(_INTEGER):
            return int(found[0])
        raise Unreadable("holds a value that is no string, integer, byte sequence or boolean")

    def _skip(self, sign: str) -> bool:
        if self._text.startswith(sign, self._at):
            self._at += 1
            return True
        return False

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found


def _decoded(text: str) -> bytes:
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise Unreadable("holds a byte sequence that is not base64") from None
    # Strict mode still takes stray low bits before the padding: two texts for one value.
    if binascii.b2a_base64(decoded, newline=False).decode() != text:
        raise Unreadable("holds a byte sequence that is not canonical base64")
    return decoded


def written(member: Member) -> str:
    """The one text of a member that RFC 9651 section 4.1 gives it; ValueError for a string that is not plain ASCII."""
    if isinstance(member, Item):
        return _bare_text(member.value) + _parameters_text(member.parameters)
    return f"({' '.join(map(written, member.items))}){_parameters_text(member.parameters)}"


def _parameters_text(parameters: Mapping[str, BareItem]) -> str:
    return "".join(
        f";{name}" if value is True else f";{name}={_bare_text(value)}" for name, value in parameters.items()
    )


def _bare_text(value: BareItem) -> str:
    if isinstance(value, str):
        if not (value.isascii() and value.isprintable()):
            raise ValueError("a string of a structured field is printable ASCII")
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, bytes):
        return f":{binascii.b2a_base64(value, newline=False).decode()}:"
    return f"?{value:d}" if isinstance(value, bool) else str(value)
