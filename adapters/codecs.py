"""Codecs compiled from declarations: a model's shape becomes plain functions from XML or JSON to its data.

Compiling happens once, at start-up. What a source sends beyond the declaration is passed over, what it sends twice
where the declaration knows one is refused, and a value without a word in our vocabulary becomes null and a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from adapters.records import Found, Late, Notices, Path, Read, finisher, is_single, leaves, put
from schemas.exchange import Data
from schemas.fields import Branch, Shape
from schemas.forms import TEXT
from security.signature import Trusted

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TRUE = ("true", "1")

Fill = Callable[[Any, str, Notices], Data]
Take = Callable[[Any, Found, str, Notices, Late], None]


class Unreadable(Exception):
    """The source broke its own contract; the text names the place, never a value."""


class Decoded(NamedTuple):
    """Data in our vocabulary and what has to be said about it."""

    data: Data
    notices: Notices


def xml_decoder(shape: Shape, namespace: str = "", *, checked: bool = False) -> Callable[[Trusted], Decoded]:
    """Compile a decoder for an element whose children stand in `namespace`; it raises Unreadable.

    `checked` is whether elements were checked against an XSD that has text where the shape has: what has text is then
    neither nil nor does it hold elements, and is not asked.
    """
    fill = _xml_record(shape, f"{{{namespace}}}" if namespace else "", checked)

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


class _Element(NamedTuple):
    """What is done with a declared element: its text is read into the member `name`, or `take` gets it.

    `read` is None where the text is its own value. A text without `take` was checked against an XSD.
    """

    name: Any
    read: Read | None
    take: Take | None = None


Plan = dict[str, _Element]


def _xml_record(shape: Shape, prefix: str, checked: bool) -> Fill:
    finish = finisher(shape)
    leaf = _Element if checked else _unchecked
    tree: dict[str, Any] = {}
    attributes: list[tuple[str, str, Read]] = []
    for member in shape.members:
        if isinstance(member, Branch):
            below = _xml_record(member.shape, prefix, checked)
            _plant(tree, member.path, _Element(None, None, _take_record(below, member.name, member.many)))
        elif member.paths[0][-1].startswith("@"):
            if not is_single(member) or len(member.paths[0]) > 1:
                raise TypeError(f"{shape.model.__name__}.{member.name}: an attribute of a nested element")
            attributes.append((member.paths[0][-1][1:], member.name, member.form.read))
        elif member.many:
            _plant(tree, member.paths[0], _Element(None, None, _take_item(member.name)))
        elif is_single(member):
            _plant(tree, member.paths[0], leaf(member.name, None if member.form is TEXT else member.form.read))
        else:
            for path in member.paths:
                _plant(tree, path, leaf(path, str))
    plan = _planned(tree, prefix)

    def fill(element: Any, at: str, notices: Notices) -> Data:
        found: Found = {}
        late: Late = []
        for attribute, name, read in attributes:
            text = element.get(attribute)
            if text is not None:
                put(found, late, name, read, text)
        _gather(element, plan, found, at, notices, late)
        return finish(found, at, notices, late)

    return fill


def _plant(tree: dict[str, Any], path: Path, element: _Element) -> None:
    for segment in path[:-1]:
        tree = tree.setdefault(segment, {})
    tree[path[-1]] = element


def _planned(tree: dict[str, Any], prefix: str) -> Plan:
    return {
        prefix + name: _Element(None, None, _take_inside(_planned(entry, prefix))) if isinstance(entry, dict) else entry
        for name, entry in tree.items()
    }


def _gather(element: Any, plan: Plan, found: Found, at: str, notices: Notices, late: Late) -> None:
    """Take what is declared out of the children of an element. One loop without calls for the many plain texts."""
    for child in element:
        known = plan.get(child.tag)
        if known is None:
            continue
        name, read, take = known
        if take is not None:
            take(child, found, at, notices, late)
            continue
        text = child.text
        if text is None:
            text = _text_of(child)
            if text is None:
                continue
        if name in found:
            raise _twice(child)
        if read is None:
            # As TEXT reads it: white space alone says nothing.
            found[name] = None if text.isspace() else text
        else:
            put(found, late, name, read, text)


def _unchecked(name: Any, read: Read | None) -> _Element:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        text = _text_of(child)
        if text is not None:
            if name in found:
                raise _twice(child)
            put(found, late, name, read or TEXT.read, text)

    return _Element(None, None, take)


def _text_of(element: Any) -> str | None:
    """Return the text of an element that has no children; None if it is nil."""
    if len(element):
        raise Unreadable(f"{_local(element)} holds elements where text is declared")
    return None if element.get(_NIL) in _TRUE else element.text or ""


def _twice(element: Any) -> Unreadable:
    return Unreadable(f"{_local(element)} occurs twice")


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _take_inside(plan: Plan) -> Take:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        if child.get(_NIL) not in _TRUE:
            _gather(child, plan, found, at, notices, late)

    return take


def _take_item(name: str) -> Take:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        text = _text_of(child)
        if text is not None:
            found.setdefault(name, []).append(text)

    return take


def _take_record(fill: Fill, name: str, many: bool) -> Take:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        if child.get(_NIL) in _TRUE or not (len(child) or child.attrib):
            return
        if many:
            records = found.setdefault(name, [])
            records.append(fill(child, f"{at}/{name}/{len(records)}", notices))
        elif name in found:
            raise _twice(child)
        else:
            found[name] = fill(child, f"{at}/{name}", notices)

    return take


def _json_record(shape: Shape) -> Fill:
    finish = finisher(shape)
    singles = [(one.name, one.paths[0], one.form.read) for one in leaves(shape) if is_single(one)]
    singles += [(path, path, str) for one in leaves(shape) if len(one.paths) > 1 for path in one.paths]  # type: ignore[misc]
    lists = [(one.name, one.paths[0]) for one in leaves(shape) if one.many]
    branches = [
        (member.name, member.path, _json_record(member.shape), member.many)
        for member in shape.members
        if isinstance(member, Branch)
    ]

    def fill(source: Mapping[str, Any], at: str, notices: Notices) -> Data:
        found: Found = {}
        late: Late = []
        for name, path, read in singles:
            value = lookup(source, path)
            if value is not None:
                put(found, late, name, read, _json_text(value, path))
        for name, path in lists:
            value = lookup(source, path)
            if value is not None:
                found[name] = [_json_text(item, path) for item in (value if isinstance(value, list) else [value])]
        for name, path, below, many in branches:
            value = lookup(source, path)
            records = value if isinstance(value, list) else [] if value is None or value == "" else [value]
            if not all(isinstance(record, Mapping) for record in records):
                raise Unreadable(f"{path[-1]} is not an object")
            if many:
                found[name] = [below(record, f"{at}/{name}/{n}", notices) for n, record in enumerate(records)]
            elif len(records) > 1:
                raise Unreadable(f"{path[-1]} occurs twice")
            elif records:
                found[name] = below(records[0], f"{at}/{name}", notices)
        return finish(found, at, notices, late)

    return fill


def _json_text(value: Any, path: Path) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise Unreadable(f"{path[-1]} is not a scalar")
