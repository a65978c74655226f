"""What zeep knows about the types of a contract, reduced to what declarations are compared with.

zeep has no stubs: its objects are `Any` here and in `adapters.contract_check`, nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from security.xml import CONTRACT, XmlRefused, parse


class _Nearby:
    """What zeep asks for the files that a contract imports: those of its folder, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, url: str) -> bytes:
        """Return the content of a file of the folder; raises LookupError for anything else."""
        path = Path(url)
        if path.parent != self._folder:
            raise LookupError(f"{url} does not lie beside the contract")
        return path.read_bytes()


def read_contract(path: Path) -> Any:
    """Let zeep read a contract file: a Document of a WSDL, a Schema of an XSD."""
    from zeep.wsdl import Document
    from zeep.xsd import Schema

    nearby: Any = _Nearby(path.parent)
    if path.suffix == ".xsd":
        return Schema(parse(path.read_bytes(), CONTRACT), nearby, str(path))  # type: ignore[no-untyped-call]
    return Document(str(path), nearby)


def unreadable() -> tuple[type[Exception], ...]:
    """Return what `read_contract` raises: of what is no contract at all zeep raises whatever it meets."""
    from zeep.exceptions import Error

    return (Error, OSError, LookupError, ValueError, TypeError, AttributeError, XmlRefused)


class Place(NamedTuple):
    """Where a contract has an element or attribute; `choice` numbers the required choice that it belongs to."""

    name: str
    namespace: str | None
    kind: Any
    position: int
    required: bool
    many: bool
    choice: int | None = None


def is_text(kind: Any) -> bool:
    """Tell whether a type holds text only; attributes beside the text may be there."""
    from zeep.xsd.elements import Element
    from zeep.xsd.types.complex import ComplexType

    if not isinstance(kind, ComplexType):
        return True
    # So zeep calls the text of a type with simple content.
    return [isinstance(part, Element) and part.name for _, part in kind.elements] == ["_value_1"]


def places_of(kind: Any) -> list[Place]:
    """Return the children that a type allows, in the order of its sequence; wildcards are passed over."""
    if is_text(kind):
        return []
    found: list[Place] = []
    for _, part in kind.elements_nested:
        found += _walk(part, len(found), required=True, many=False, choice=None)
    return found


def _walk(part: Any, position: int, *, required: bool, many: bool, choice: int | None) -> Iterator[Place]:
    from zeep.xsd.elements import Element
    from zeep.xsd.elements.indicators import Choice, Group, Indicator

    if isinstance(part, Element):
        often = many or part.accepts_multiple
        needed = required and part.min_occurs > 0
        yield Place(str(part.name), part.qname.namespace, part.type, position, needed, often, choice)
    elif isinstance(part, Indicator):
        required = required and part.min_occurs > 0
        many = many or part.accepts_multiple
        if isinstance(part, Choice):
            choice = position if required else None
            required = False
        children: Any = [part.child] if isinstance(part, Group) else part
        for child in children:
            for place in _walk(child, position, required=required, many=many, choice=choice):
                yield place
                position = place.position + 1


def place_at(kind: Any, path: Sequence[str], namespace: str | None) -> Place | str:
    """Follow a path down from a type; a text says what stops it. `many` is true if any step may occur many times.

    The empty path is the type itself; a last segment `@name` is an attribute.
    """
    here = Place("", namespace, kind, 0, required=True, many=False)
    for segment in path:
        if segment.startswith("@"):
            found = dict(getattr(here.kind, "attributes", ())).get(segment[1:])
            if found is None:
                return "the contract has no such attribute"
            return Place(segment, None, found.type, 0, found.required, here.many)
        steps = [place for place in places_of(here.kind) if place.name == segment]
        if not steps:
            return f"the contract has no element {segment} here"
        # Declared twice it may occur as often.
        step = steps[0]._replace(many=steps[0].many or len(steps) > 1)
        if step.namespace != namespace:
            return f"the contract has {segment} in {named(step.namespace)}"
        here = step._replace(many=here.many or step.many)
    return here


def named(namespace: str | None) -> str:
    """Name a namespace in a sentence."""
    return f"the namespace {namespace!r}" if namespace else "no namespace (elementFormDefault unqualified)"


def in_order(names: Sequence[str], places: Mapping[str, Place]) -> str | None:
    """Return what is wrong with the order in which children are written, or None."""
    written: list[str] = [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]
    for before, after in pairwise(written):
        if places[after].position < places[before].position:
            return f"{after} is written after {before}, the contract has it before"
    return None
