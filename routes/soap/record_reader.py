"""From the elements of a message to the members of its model, and what is wrong with them (đọc phần tử lồng nhau).

Whether they follow the contract is for its XSD to say; here is said what does not, since the validator's messages
quote values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from routes.soap.names import camel
from routes.soap.types import ITEM
from schemas.errors import Flaw, Text
from schemas.fields import Branch, Shape, shape_of
from security.xml import Element, blank

NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
TRUE: Final = ("true", "1")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

_UNKNOWN: Final = Text("phần tử không có trong hợp đồng", "is not part of the contract")
_ELSEWHERE: Final = Text(
    "phần tử thuộc không gian tên khác với hợp đồng", "is of another namespace than in the contract"
)
_TWICE: Final = Text("phần tử xuất hiện nhiều lần", "occurs more than once")
_ORDER: Final = Text("phần tử sai thứ tự so với hợp đồng", "stands in another place than in the contract")
_NESTED: Final = Text("phải là văn bản, không chứa phần tử con", "must be text without elements in it")
_TEXT: Final = Text("không được có văn bản giữa các phần tử", "must not hold text between its elements")

ReadText = Callable[[str], Any]
"""Makes a member's value of its text; a text that is no such value is left for the model to refuse."""


class Member(NamedTuple):
    """A member as its element is read: a value by `read`, a record by the members `below` it, or a list of either."""

    name: str
    read: ReadText
    below: Mapping[str, Member] | None
    many: bool


def members_of(model: type[BaseModel], prefix: str) -> dict[str, Member]:
    """Compile the members of a model, by their elements in Clark notation; `prefix` is the namespace in braces."""
    return _members(shape_of(model), prefix)


def _members(shape: Shape, prefix: str) -> dict[str, Member]:
    return {
        f"{prefix}{camel(member.name)}": Member(
            member.name,
            text_reader(shape.model, member.name),
            _members(member.shape, prefix) if isinstance(member, Branch) else None,
            member.many,
        )
        for member in shape.members
    }


def text_reader(model: type[BaseModel], name: str) -> ReadText:
    """Return what reads the text of a member, or of each item where it is a list."""
    described = _properties(model)[name]
    kinds = {kind.get("type") for kind in (described, described.get("items", {}), *described.get("anyOf", ()))}
    if "boolean" in kinds:
        return lambda text: _BOOLEANS.get(text.strip(), text)
    return _integer if "integer" in kinds else str


@cache
def _properties(model: type[BaseModel]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = model.model_json_schema()["properties"]
    return found


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def values(place: Element, members: Mapping[str, Member]) -> dict[str, Any]:
    """Return the members that an element holds; nothing may be wrong with its structure."""
    return {members[child.tag].name: _value(child, members[child.tag]) for child in place}


def _value(place: Element, member: Member) -> Any:
    if is_nil(place):
        return None
    if member.many:
        return [_single(item, member) for item in place]
    return _single(place, member)


def _single(place: Element, member: Member) -> Any:
    return member.read(place.text or "") if member.below is None else values(place, member.below)


def is_nil(place: Element) -> bool:
    """Tell whether an element says that it has no value."""
    return place.get(NIL, "").strip() in TRUE


def structure(place: Element, members: Mapping[str, Member], pointer: str = "") -> Iterator[Flaw]:
    """Yield what is wrong with the elements in this one, before any value of them is looked at.

    Pointers begin with `pointer` and are in the names of elements, items of lists by number.
    """
    order = list(members)
    names = {tag.rpartition("}")[2] for tag in members}
    seen: list[str] = []
    for child in place:
        tag = str(child.tag)
        local = tag.rpartition("}")[2]
        here = f"{pointer}/{local}"
        if tag not in members:
            # The name may be anything: only one of the contract's is repeated.
            yield Flaw(here if local in names else pointer, _ELSEWHERE if local in names else _UNKNOWN)
        elif tag in seen:
            yield Flaw(here, _TWICE)
        elif any(order.index(tag) < order.index(earlier) for earlier in seen):
            yield Flaw(here, _ORDER)
        else:
            seen.append(tag)
            yield from _inside(child, members[tag], here)
        if not blank(child.tail):
            yield Flaw(pointer, _TEXT)
    if not blank(place.text):
        yield Flaw(pointer, _TEXT)


def _inside(place: Element, member: Member, pointer: str) -> Iterator[Flaw]:
    if not member.many:
        yield from _one(place, member, pointer)
        return
    item = f"{place.tag.rpartition('}')[0]}}}{ITEM}"
    for at, child in enumerate(place):
        if child.tag != item:
            yield Flaw(pointer, _ELSEWHERE if str(child.tag).endswith(f"}}{ITEM}") else _UNKNOWN)
        else:
            yield from _one(child, member, f"{pointer}/{at}")
    if not all(blank(text) for text in (place.text, *(child.tail for child in place))):
        yield Flaw(pointer, _TEXT)


def _one(place: Element, member: Member, pointer: str) -> Iterator[Flaw]:
    if member.below is not None:
        yield from structure(place, member.below, pointer)
    elif len(place):
        yield Flaw(pointer, _NESTED)


def respelling(names: Iterable[str]) -> Callable[[Text], Text]:
    """Return what puts the names of elements into a sentence that has those of members."""
    spelled = {name: camel(name) for name in names if "_" in name}
    if not spelled:
        return lambda text: text
    name = re.compile(rf"\b(?:{'|'.join(spelled)})\b")

    def respell(text: Text) -> Text:
        return Text(*(name.sub(lambda found: spelled[found[0]], said) for said in text))

    return respell
