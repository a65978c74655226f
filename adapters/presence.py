"""Is there a record in an answer, and is it one (có bản ghi hay không)?

That nobody matches is a statement about somebody, so only what a declaration calls none is told as NoRecord. A document
or an object with other contents than declared breaks its contract, and so does a good result code beside which nothing
is said of anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.codecs import Decoded, Unreadable, lookup
from adapters.records import Path
from adapters.xml_records import is_nil
from schemas.errors import Ambiguous, NoRecord
from schemas.fields import Branch, Shape
from security.elements import elements_at
from security.signature import Trusted


def the_one(records: list[Any]) -> Any:
    """Return the only record; raises NoRecord for none and Ambiguous for several."""
    if not records:
        raise NoRecord
    if len(records) > 1:
        raise Ambiguous
    return records[0]


def records_at(found: Any, path: Path) -> list[Mapping[str, Any]]:
    """Return the objects at a path of a JSON value, one or many alike; raises Unreadable for anything else."""
    value = lookup(found, path)
    if isinstance(value, dict):
        return [value] if value else []
    records = value if isinstance(value, list) else [] if value is None or value == "" else [value]
    if not all(isinstance(record, dict) for record in records):
        raise Unreadable("the record is not an object")
    return [record for record in records if record]


def sent_at(found: Any, path: Path) -> Any:
    """Return what stands at a path of a JSON value; raises Unreadable where nothing does, not even null."""
    value = lookup(found, path)
    if value is None:
        above = lookup(found, path[:-1])
        if not isinstance(above, dict) or path[-1] not in above:
            raise Unreadable(f"{path[-1]} is missing")
    return value


def filled(elements: list[Trusted]) -> list[Trusted]:
    """Drop the empty or nil elements by which some sources say that there is no record."""
    return [element for element in elements if len(element) or (element.attrib and not is_nil(element))]


def records_in(document: Trusted, root: str, path: Path) -> list[Trusted]:
    """Return the records at a path of a document that no XSD describes, whose root is called `root`.

    On the way down an element may hold nothing at all, which says that there is no record. Raises Unreadable where it
    holds other elements or text instead.
    """
    if document.tag != root:
        raise Unreadable(f"the document is no {root}")
    here = [document]
    for segment in path:
        below = [one for element in here for one in elements_at(element, (segment,))]
        if not below and any(map(_holds_something, here)):
            raise Unreadable(f"the document holds something other than {segment}")
        here = below
    records = filled(here)
    if not records and any(map(_holds_something, here)):
        raise Unreadable("the record holds text where elements are declared")
    return records


def _holds_something(element: Trusted) -> bool:
    return len(element) > 0 or bool(element.text and element.text.strip())


def known_record(shape: Shape) -> Callable[[Trusted], Trusted]:
    """Compile what passes an element on if any of what is declared stands in it, be it nil; raises Unreadable."""
    paths = [
        path for member in shape.members for path in ((member.path,) if isinstance(member, Branch) else member.paths)
    ]
    elements = frozenset(path[0] for path in paths)
    attributes = frozenset(path[0][1:] for path in paths if path[0].startswith("@"))

    def passed(record: Trusted) -> Trusted:
        if elements.isdisjoint(child.tag for child in record) and attributes.isdisjoint(record.attrib):
            raise Unreadable("nothing that is declared stands where the record is")
        return record

    return passed


def told(shape: Shape, core: Path, verdict: Path) -> Callable[[Decoded], Decoded]:
    """Compile what passes a decoded record on if one of its members that stand below `core` is said at all.

    The member that is read from the result code at `verdict` does not count. Raises Unreadable for the others.
    """
    names = {
        member.name
        for member in shape.members
        for path in ((member.path,) if isinstance(member, Branch) else member.paths)
        if path[: len(core)] == core and path != verdict
    }

    def passed(decoded: Decoded) -> Decoded:
        data, notices = decoded
        # A value that was sent and has no word of ours is null, and told.
        if all(data[name] in _NOTHING for name in names) and names.isdisjoint(
            notice.pointer.split("/")[2] for notice in notices
        ):
            raise Unreadable("nothing that is declared is said where the record is")
        return decoded

    return passed


_NOTHING: tuple[Any, ...] = (None, "", [])
