"""How a record comes together: from what was found at a source, member by member, to data in our vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schemas.exchange import Data, Notice
from schemas.fields import Branch, Leaf, Shape
from schemas.forms import TEXT, Unmapped

Path = tuple[str, ...]
Notices = list[Notice]
Found = dict[Any, Any]
"""What a record holds so far, by member: values, lists of texts, decoded records; by path the texts of a joined one."""
Late = list[tuple[str, Unmapped]]
"""Members whose text has no word in our vocabulary; their notices come in the order of declaration."""
Read = Callable[[str], Any]
Fill = Callable[[Any, str, Notices], Data]
"""Reads a record from its source; the text is its place in the response."""


class Unreadable(Exception):
    """The source broke its own contract; the text names the place, never a value."""


Finish = Callable[[Found, str, Notices, Late], Data]


def finisher(shape: Shape) -> tuple[Data, bool, Finish]:
    """Compile the last step from what was found to data: joined values, lists, what is missing, notices.

    Gives the data of a record of which nothing is known, whether there is more to do than to put what was found over
    it even where no notices are due, and the step. Most records are small and need no step.
    """
    blank: Data = dict.fromkeys(member.name for member in shape.members)
    rank = {name: position for position, name in enumerate(blank)}
    joined = [
        (one.name, one.paths, (None,) * len(one.paths), one.form.read) for one in leaves(shape) if len(one.paths) > 1
    ]
    lists = [(one.name, one.form.read) for one in leaves(shape) if one.many]
    many = [one.name for one in shape.members if isinstance(one, Branch) and one.many]

    def finish(found: Found, at: str, notices: Notices, late: Late) -> Data:
        for name, unmapped in sorted(late, key=lambda one: rank[one[0]]):
            notices.append(Notice(unmapped.code, f"{at}/{name}", unmapped.original))
        for name, paths, missing, read in joined:
            texts = tuple(map(found.pop, paths, missing))
            if texts != missing:
                try:
                    found[name] = read(*texts)
                except Unmapped as unmapped:
                    notices.append(Notice(unmapped.code, f"{at}/{name}", unmapped.original))
        for name, read in lists:
            values: list[Any] = []
            for position, text in enumerate(found.get(name, ())):
                try:
                    values.append(read(text))
                except Unmapped as unmapped:
                    values.append(None)
                    notices.append(Notice(unmapped.code, f"{at}/{name}/{position}", unmapped.original))
            found[name] = values
        for name in many:
            found.setdefault(name, [])
        return blank | found

    return blank, bool(joined or lists or many), finish


def leaves(shape: Shape) -> list[Leaf]:
    """Return the members that have values of their own."""
    return [member for member in shape.members if isinstance(member, Leaf)]


def is_single(leaf: Leaf) -> bool:
    """Whether a leaf is read from one text, which is done where that is found."""
    return not leaf.many and len(leaf.paths) == 1


def reader(leaves: list[tuple[str, Any, Read]]) -> Callable[[Mapping[str, Any], Found, Late], None]:
    """Compile a reader of leaves, given as (name at the source, member, read), from texts by name there, or None.

    It reads what needs no form in a few steps for all; as `put` would have put them, and what is not said becomes None.
    """
    texts = [(name, member) for name, member, read in leaves if read is TEXT.read]
    names, members = tuple(name for name, _ in texts), tuple(member for _, member in texts)
    pieces = {member: name for name, member, read in leaves if read is str}
    formed = [leaf for leaf in leaves if leaf[2] not in (TEXT.read, str)]

    def put_all(said: Mapping[str, Any], found: Found, late: Late) -> None:
        if names:
            values = tuple(map(said.get, names))
            # As TEXT reads them: white space alone says nothing.
            nothing = dict.fromkeys(filter(str.isspace, filter(None, values)))
            found.update(zip(members, map(nothing.get, values, values), strict=True))
        if pieces:
            found.update(zip(pieces, map(said.get, pieces.values()), strict=True))
        for name, member, read in formed:
            text = said.get(name)
            if text is not None:
                try:
                    found[member] = read(text)
                except Unmapped as unmapped:
                    late.append((member, unmapped))

    return put_all


def put(found: Found, late: Late, name: Any, read: Read, text: str) -> None:
    """Read the text of a single leaf into what was found."""
    try:
        found[name] = read(text)
    except Unmapped as unmapped:
        found[name] = None
        late.append((name, unmapped))
