"""Codecs compiled from declarations: a model's shape becomes plain functions from XML or JSON to its data.

Compiling happens once, at start-up. What a source sends beyond the declaration is passed over, what it sends twice
where the declaration knows one is refused, and a value without a word in our vocabulary becomes null and a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from adapters.records import Fill, Found, Late, Notices, Path, Read, Unreadable, finisher, is_single, leaves, reader
from adapters.xml_records import xml_record
from schemas.exchange import Data
from schemas.fields import Branch, Shape
from security.signature import Trusted

__all__ = ["Decoded", "Unreadable", "json_decoder", "lookup", "xml_decoder"]


Decoded = tuple[Data, Notices]
"""Data in our vocabulary and what has to be said about it."""


def xml_decoder(shape: Shape, namespace: str = "", *, checked: bool = False) -> Callable[[Trusted], Decoded]:
    """Compile a decoder for an element whose children stand in `namespace`; it raises Unreadable.

    `checked` is whether elements were checked against an XSD that has text where the shape has: what has text is then
    neither nil nor does it hold elements, and is not asked.
    """
    fill = xml_record(shape, f"{{{namespace}}}" if namespace else "", checked)

    def decode(element: Trusted) -> Decoded:
        notices: Notices = []
        return fill(element, "/data", notices), notices

    return decode


def json_decoder(shape: Shape) -> Callable[[Mapping[str, Any]], Decoded]:
    """Compile a decoder for a JSON object whose numbers were parsed as text; it raises Unreadable.

    A list of one is taken where the declaration has one record, and one record where it has a list: sources that are
    built from XML lose the difference.
    """
    fill = _json_record(shape)

    def decode(found: Mapping[str, Any]) -> Decoded:
        notices: Notices = []
        return fill(found, "/data", notices), notices

    return decode


def _object_at(source: Any, path: Path, name: str) -> Mapping[str, Any]:
    """Return the object at a path, where `name` is looked for; an empty one where there is none."""
    found = lookup(source, path)
    if isinstance(found, list) and len(found) < 2:
        found = found[0] if found else None
    if isinstance(found, dict):
        return found
    if found is None or found == "":
        return {}
    raise Unreadable(f"{name} does not stand in an object")


def lookup(found: Any, path: Iterable[str]) -> Any:
    """Follow member names down from a JSON value; None where something is missing on the way.

    A list of one stands for its item. Raises Unreadable where text or several items stand in an object's place.
    """
    for segment in path:
        if isinstance(found, list) and len(found) < 2:
            found = found[0] if found else None
        if found is None or found == "":
            return None
        if not isinstance(found, dict):
            raise Unreadable(f"{segment} does not stand in an object")
        found = found.get(segment)
    return found


def _json_record(shape: Shape) -> Fill:
    blank, more, finish = finisher(shape)
    # What is read from one text, by the path of the object that it stands in.
    standing: dict[Path, list[tuple[str, Any, Read]]] = {}
    for one in leaves(shape):
        if is_single(one):
            standing.setdefault(one.paths[0][:-1], []).append((one.paths[0][-1], one.name, one.form.read))
        elif not one.many:
            for path in one.paths:
                standing.setdefault(path[:-1], []).append((path[-1], path, str))
    objects = [(path, tuple(name for name, _, _ in texts), reader(texts)) for path, texts in standing.items()]
    lists = [(one.name, one.paths[0]) for one in leaves(shape) if one.many]
    branches = [
        (member.name, member.path, _json_record(member.shape), member.many)
        for member in shape.members
        if isinstance(member, Branch)
    ]

    def fill(source: Mapping[str, Any], at: str, notices: Notices) -> Data:
        found: Found = {}
        late: Late = []
        for path, names, put_all in objects:
            said = _object_at(source, path, names[0]) if path else source
            # Numbers were parsed as text, so nearly everything is.
            if not _TEXT_OR_NULL.issuperset(map(type, map(said.get, names))):
                said = {name: _json_text(said[name], name) for name in names if said.get(name) is not None}
            put_all(said, found, late)
        for name, path in lists:
            value = lookup(source, path)
            if value is not None:
                found[name] = [_json_text(item, path[-1]) for item in (value if isinstance(value, list) else [value])]
        for name, path, below, many in branches:
            value = source.get(path[0]) if len(path) == 1 else lookup(source, path)
            records = value if isinstance(value, list) else [] if value is None or value == "" else [value]
            if not _OBJECT.issuperset(map(type, records)):
                raise Unreadable(f"{path[-1]} is not an object")
            if many:
                found[name] = [below(record, f"{at}/{name}/{n}", notices) for n, record in enumerate(records)]
            elif len(records) > 1:
                raise Unreadable(f"{path[-1]} occurs twice")
            elif records:
                found[name] = below(records[0], f"{at}/{name}", notices)
        return finish(found, at, notices, late) if more or late else blank | found

    return fill


_TEXT_OR_NULL = frozenset((str, type(None)))
_OBJECT = frozenset((dict,))


def _json_text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise Unreadable(f"{name} is not a scalar")
