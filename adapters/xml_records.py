"""Records in XML: what is declared below an element becomes functions that gather it from the element's children.

An element that was checked against an XSD is looked at once for all its texts; any other, child by child.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress
from operator import attrgetter, not_
from typing import Any, NamedTuple

from adapters.records import Fill, Found, Late, Notices, Path, Read, Unreadable, finisher, is_single, put, reader
from schemas.exchange import Data
from schemas.fields import Branch, Shape
from security.xml import WHITESPACE

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
# `xs:boolean`, around which white space says nothing.
_TRUE = ("true", "1")

Take = Callable[[Any, Found, str, Notices, Late], None]
Gather = Callable[[Any, Found, str, Notices, Late], None]
"""Reads the declared ones among the children of an element into what was found of a record."""


def xml_record(shape: Shape, prefix: str, checked: bool) -> Fill:
    """Compile a reader of the elements of a shape, whose children's names begin with `prefix`; see `xml_decoder`."""
    blank, more, finish = finisher(shape)
    attributes: list[tuple[str, str, Read]] = []
    tree: _Tree = {}
    for member in shape.members:
        if isinstance(member, Branch):
            _plant(tree, member.path, member)
        elif member.paths[0][-1].startswith("@"):
            if not is_single(member) or len(member.paths[0]) > 1:
                raise TypeError(f"{shape.model.__name__}.{member.name}: an attribute of a nested element")
            attributes.append((member.paths[0][-1][1:], member.name, member.form.read))
        elif member.many:
            _plant(tree, member.paths[0], _Item(member.name))
        elif is_single(member):
            _plant(tree, member.paths[0], _Leaf(member.name, member.form.read))
        else:
            for path in member.paths:
                _plant(tree, path, _Leaf(path, str))
    gather = _at_once(tree, prefix) if checked else _one_by_one(tree, prefix)

    def fill(element: Any, at: str, notices: Notices) -> Data:
        found: Found = {}
        late: Late = []
        for attribute, name, read in attributes:
            text = element.get(attribute)
            if text is not None:
                put(found, late, name, read, text)
        gather(element, found, at, notices, late)
        return finish(found, at, notices, late) if more or late else blank | found

    return fill


class _Leaf(NamedTuple):
    """An element whose text is read into a member, or kept under its path for one that several texts make up."""

    name: Any
    read: Read


class _Item(NamedTuple):
    """An element whose text is one more of a member that is a list of them."""

    name: str


_Tree = dict[str, Any]
"""What is declared below an element, by name: a leaf, an item, a branch, or the tree of an element between."""


def _plant(tree: _Tree, path: Path, entry: _Leaf | _Item | Branch) -> None:
    for segment in path[:-1]:
        tree = tree.setdefault(segment, {})
    tree[path[-1]] = entry


def _one_by_one(tree: _Tree, prefix: str) -> Gather:
    """Compile a gatherer that asks everything of each child and so needs to know nothing before."""
    return _each({prefix + name: _take(entry, prefix, checked=False) for name, entry in tree.items()})


def _each(takes: dict[str, Take]) -> Gather:
    def gather(element: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        for child in element:
            take = takes.get(child.tag)
            if take is not None:
                take(child, found, at, notices, late)

    return gather


_SAID = attrgetter("tag", "text")
_NO_TEXT = "-"  # stands for what an element between, a record or an item may hold


def _at_once(tree: _Tree, prefix: str) -> Gather:
    """Compile a gatherer for elements that were checked against an XSD: one look at all texts instead of one at each.

    What it cannot tell from the texts alone is told by looking again: an element that occurs twice, no text, a blank.
    """
    takes = {
        prefix + name: _take(entry, prefix, checked=True)
        for name, entry in tree.items()
        if not isinstance(entry, _Leaf)
    }
    if all(isinstance(entry, Branch) for entry in tree.values()):
        return _each(takes)
    leaves = {prefix + name: entry for name, entry in tree.items() if isinstance(entry, _Leaf)}
    put_all = reader([(tag, *leaf) for tag, leaf in leaves.items()])
    one_by_one = _one_by_one(tree, prefix)

    def gather(element: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        said = dict(map(_SAID, element))
        if len(said) != len(element):
            one_by_one(element, found, at, notices, late)
            return
        if takes:
            for child in compress(element, map(takes.__contains__, said)):
                tag = child.tag
                said[tag] = _NO_TEXT
                takes[tag](child, found, at, notices, late)
        if not all(said.values()):
            for child in compress(element, map(not_, said.values())):
                tag = child.tag
                if tag in leaves:
                    said[tag] = _text_of(child)
        put_all(said, found, late)

    return gather


def _take(entry: Any, prefix: str, *, checked: bool) -> Take:
    """Compile what is done with one child."""
    if isinstance(entry, Branch):
        return _take_record(xml_record(entry.shape, prefix, checked), entry.name, entry.many)
    if isinstance(entry, _Item):
        return _take_item(entry.name)
    if isinstance(entry, _Leaf):
        return _take_text(entry.name, entry.read)
    if checked and len(entry) == 1:
        ((name, inner),) = entry.items()
        if isinstance(inner, Branch) and inner.many:
            return _take_list(prefix + name, xml_record(inner.shape, prefix, checked), inner.name)
    return _take_inside(_at_once(entry, prefix) if checked else _one_by_one(entry, prefix))


def _take_text(name: Any, read: Read) -> Take:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        text = _text_of(child)
        if text is not None:
            if name in found:
                raise _twice(child)
            put(found, late, name, read, text)

    return take


def _text_of(element: Any) -> str | None:
    """Return the text of an element that has no children; None if it is nil."""
    if len(element):
        raise Unreadable(f"{_local(element)} holds elements where text is declared")
    return None if is_nil(element) else element.text or ""


def is_nil(element: Any) -> bool:
    """Tell whether an element says that it has no value (XML Schema part 1, section 2.6.2)."""
    said = element.get(_NIL)
    return said is not None and said.strip(WHITESPACE) in _TRUE


def _twice(element: Any) -> Unreadable:
    return Unreadable(f"{_local(element)} occurs twice")


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _take_inside(gather: Gather) -> Take:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        if not is_nil(child):
            gather(child, found, at, notices, late)

    return take


def _take_item(name: str) -> Take:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        text = _text_of(child)
        if text is not None:
            found.setdefault(name, []).append(text)

    return take


def _take_record(fill: Fill, name: str, many: bool) -> Take:
    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        if is_nil(child) or not (len(child) or child.attrib):
            return
        if many:
            records = found.setdefault(name, [])
            records.append(fill(child, f"{at}/{name}/{len(records)}", notices))
        elif name in found:
            raise _twice(child)
        else:
            found[name] = fill(child, f"{at}/{name}", notices)

    return take


def _take_list(tag: str, fill: Fill, name: str) -> Take:
    """Take all records of a member at once out of a checked element that holds nothing else."""

    def take(child: Any, found: Found, at: str, notices: Notices, late: Late) -> None:
        records = [one for one in child.iterchildren(tag) if len(one) or (one.attrib and not is_nil(one))]
        found[name] = [fill(one, f"{at}/{name}/{number}", notices) for number, one in enumerate(records)]

    return take
