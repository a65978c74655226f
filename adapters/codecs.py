"""Codecs compiled from declarations: a model's shape becomes plain functions from XML or JSON to its data.

Compiling happens once, at start-up. What a source sends beyond the declaration is passed over, what it sends twice
where the declaration knows one is refused, and a value without a word in our vocabulary becomes null and a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from schemas.exchange import Data, Notice
from schemas.fields import Branch, Leaf, Shape
from schemas.forms import Unmapped
from security.signature import Trusted

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TRUE = ("true", "1")

Path = tuple[str, ...]
Slots = list[Any]
Notices = list[Notice]
Take = Callable[[Any, Slots, str, Notices], None]
Fill = Callable[[Any, str, Notices], Data]


class Unreadable(Exception):
    """The source broke its own contract; the text names the place, never a value."""


class Decoded(NamedTuple):
    """Data in our vocabulary and what has to be said about it."""

    data: Data
    notices: Notices


def xml_decoder(shape: Shape, namespace: str = "") -> Callable[[Trusted], Decoded]:
    """Compile a decoder for an element whose children stand in `namespace`; it raises Unreadable."""
    fill = _xml_record(shape, f"{{{namespace}}}" if namespace else "")

    def decode(element: Trusted) -> Decoded:
        notices: Notices = []
        return Decoded(fill(element, "/data", notices), notices)

    return decode


def json_decoder(shape: Shape) -> Callable[[Mapping[str, Any]], Decoded]:
    """Compile a decoder for a JSON object whose numbers were parsed as text; it raises Unreadable.

    A list of one is taken where the declaration has one record, and one record where it has a list: sources that are
    built from XML lose the difference.
    """
    fill = _json_record(shape)

    def decode(found: Mapping[str, Any]) -> Decoded:
        notices: Notices = []
        return Decoded(fill(found, "/data", notices), notices)

    return decode


def lookup(found: Any, path: Iterable[str]) -> Any:
    """Follow member names down from a JSON value; None where something is missing on the way.

    A list of one stands for its item. Raises Unreadable where text or several items stand in an object's place.
    """
    for segment in path:
        if isinstance(found, list) and len(found) < 2:
            found = found[0] if found else None
        if found is None or found == "":
            return None
        if not isinstance(found, Mapping):
            raise Unreadable(f"{segment} does not stand in an object")
        found = found.get(segment)
    return found


def _number(shape: Shape) -> dict[Path, int]:
    """Give every place of the source that the shape reads a slot of its own."""
    number: dict[Path, int] = {}
    for member in shape.members:
        for path in (member.path,) if isinstance(member, Branch) else member.paths:
            number.setdefault(path, len(number))
    return number


def _assembler(shape: Shape, number: Mapping[Path, int]) -> Callable[[Slots, str, Notices], Data]:
    """Compile the step from gathered slots (texts, lists of texts, decoded records) to data."""
    blank: Data = dict.fromkeys(member.name for member in shape.members)
    single = []
    joined = []
    lists = []
    branches = []
    for member in shape.members:
        if isinstance(member, Branch):
            branches.append((member.name, number[member.path], member.many))
        elif member.many:
            lists.append((member.name, number[member.paths[0]], member.form.read))
        elif len(member.paths) == 1:
            single.append((member.name, number[member.paths[0]], member.form.read))
        else:
            joined.append((member.name, [number[path] for path in member.paths], member.form.read))

    def assemble(slots: Slots, at: str, notices: Notices) -> Data:
        data = blank.copy()
        for name, slot, read in single:
            text = slots[slot]
            if text is not None:
                try:
                    data[name] = read(text)
                except Unmapped as unmapped:
                    notices.append(Notice(unmapped.code, f"{at}/{name}", unmapped.original))
        for name, places, read in joined:
            texts = [slots[place] for place in places]
            if any(text is not None for text in texts):
                try:
                    data[name] = read(*texts)
                except Unmapped as unmapped:
                    notices.append(Notice(unmapped.code, f"{at}/{name}", unmapped.original))
        for name, slot, read in lists:
            values = data[name] = []
            for position, text in enumerate(slots[slot] or ()):
                try:
                    values.append(read(text))
                except Unmapped as unmapped:
                    values.append(None)
                    notices.append(Notice(unmapped.code, f"{at}/{name}/{position}", unmapped.original))
        for name, slot, many in branches:
            data[name] = slots[slot] if slots[slot] is not None or not many else []
        return data

    return assemble


def _xml_record(shape: Shape, prefix: str) -> Fill:
    number = _number(shape)
    assemble = _assembler(shape, number)
    width = len(number)
    tree: dict[str, Any] = {}
    attributes: list[tuple[str, int]] = []
    for member in shape.members:
        if isinstance(member, Branch):
            take = _take_record(_xml_record(member.shape, prefix), number[member.path], member.name, member.many)
            _plant(tree, member.path, prefix, take)
            continue
        for path in member.paths:
            if path[-1].startswith("@"):
                if len(path) > 1:
                    raise TypeError(f"{shape.model.__name__}.{member.name}: an attribute of a nested element")
                attributes.append((path[-1][1:], number[path]))
            else:
                _plant(tree, path, prefix, _take_text(number[path], path[-1], member.many))

    def fill(element: Any, at: str, notices: Notices) -> Data:
        slots: Slots = [None] * width
        for name, slot in attributes:
            slots[slot] = element.get(name)
        _walk(element, tree, slots, at, notices)
        return assemble(slots, at, notices)

    return fill


def _walk(element: Any, tree: dict[str, Any], slots: Slots, at: str, notices: Notices) -> None:
    for child in element:
        entry = tree.get(child.tag)
        if entry is None:
            continue
        if isinstance(entry, dict):
            if child.get(_NIL) not in _TRUE:
                _walk(child, entry, slots, at, notices)
        else:
            entry(child, slots, at, notices)


def _plant(tree: dict[str, Any], path: Path, prefix: str, take: Take) -> None:
    for segment in path[:-1]:
        tree = tree.setdefault(prefix + segment, {})
    tree[prefix + path[-1]] = take


def _take_text(slot: int, name: str, many: bool) -> Take:
    def take(child: Any, slots: Slots, at: str, notices: Notices) -> None:
        if len(child):
            raise Unreadable(f"{name} holds elements where text is declared")
        if child.get(_NIL) in _TRUE:
            return
        text = child.text or ""
        if many:
            texts = slots[slot] = slots[slot] or []
            texts.append(text)
        elif slots[slot] is not None:
            raise Unreadable(f"{name} occurs twice")
        else:
            slots[slot] = text

    return take


def _take_record(fill: Fill, slot: int, name: str, many: bool) -> Take:
    def take(child: Any, slots: Slots, at: str, notices: Notices) -> None:
        if child.get(_NIL) in _TRUE or not (len(child) or child.attrib):
            return
        if many:
            records = slots[slot] = slots[slot] or []
            records.append(fill(child, f"{at}/{name}/{len(records)}", notices))
        elif slots[slot] is not None:
            raise Unreadable(f"{name} occurs twice")
        else:
            slots[slot] = fill(child, f"{at}/{name}", notices)

    return take


def _json_record(shape: Shape) -> Fill:
    number = _number(shape)
    assemble = _assembler(shape, number)
    width = len(number)
    leaves = [
        (number[path], path, member.many)
        for member in shape.members
        if isinstance(member, Leaf)
        for path in member.paths
    ]
    branches = [
        (number[member.path], member.path, member.name, _json_record(member.shape), member.many)
        for member in shape.members
        if isinstance(member, Branch)
    ]

    def fill(found: Mapping[str, Any], at: str, notices: Notices) -> Data:
        slots: Slots = [None] * width
        for slot, path, many in leaves:
            value = lookup(found, path)
            if value is None:
                continue
            if many:
                slots[slot] = [_json_text(item, path) for item in (value if isinstance(value, list) else [value])]
            else:
                slots[slot] = _json_text(value, path)
        for slot, path, name, below, many in branches:
            value = lookup(found, path)
            records = value if isinstance(value, list) else [] if value is None or value == "" else [value]
            if not all(isinstance(record, Mapping) for record in records):
                raise Unreadable(f"{path[-1]} is not an object")
            if many:
                slots[slot] = [below(record, f"{at}/{name}/{n}", notices) for n, record in enumerate(records)]
            elif len(records) > 1:
                raise Unreadable(f"{path[-1]} occurs twice")
            elif records:
                slots[slot] = below(records[0], f"{at}/{name}", notices)
        return assemble(slots, at, notices)

    return fill


def _json_text(value: Any, path: Path) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise Unreadable(f"{path[-1]} is not a scalar")
