"""How a record comes together: from what was found at a source, member by member, to data in our vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.exchange import Data, Notice
from schemas.fields import Branch, Leaf, Shape
from schemas.forms import Unmapped

Path = tuple[str, ...]
Notices = list[Notice]
Found = dict[Any, Any]
"""What a record holds so far, by member: values, lists of texts, decoded records; by path the texts of a joined one."""
Late = list[tuple[str, Unmapped]]
"""Members whose text has no word in our vocabulary; their notices come in the order of declaration."""
Read = Callable[[str], Any]


def finisher(shape: Shape) -> Callable[[Found, str, Notices, Late], Data]:
    """Compile the last step from what was found to data: joined values, lists, what is missing, notices."""
    blank: Data = dict.fromkeys(member.name for member in shape.members)
    rank = {name: position for position, name in enumerate(blank)}
    joined = [(one.name, one.paths, one.form.read) for one in leaves(shape) if len(one.paths) > 1]
    lists = [(one.name, one.form.read) for one in leaves(shape) if one.many]
    many = [one.name for one in shape.members if isinstance(one, Branch) and one.many]

    more = bool(joined or lists or many)

    def finish(found: Found, at: str, notices: Notices, late: Late) -> Data:
        if late:
            for name, unmapped in sorted(late, key=lambda one: rank[one[0]]):
                notices.append(Notice(unmapped.code, f"{at}/{name}", unmapped.original))
        if not more:
            return blank | found
        for name, paths, read in joined:
            texts = [found.pop(path, None) for path in paths]
            if any(text is not None for text in texts):
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

    return finish


def leaves(shape: Shape) -> list[Leaf]:
    """Return the members that have values of their own."""
    return [member for member in shape.members if isinstance(member, Leaf)]


def is_single(leaf: Leaf) -> bool:
    """Whether a leaf is read from one text, which is done where that is found."""
    return not leaf.many and len(leaf.paths) == 1


def put(found: Found, late: Late, name: Any, read: Read, text: str) -> None:
    """Read the text of a single leaf into what was found."""
    try:
        found[name] = read(text)
    except Unmapped as unmapped:
        found[name] = None
        late.append((name, unmapped))
