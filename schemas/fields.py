"""How a field of a question or an answer is declared, and the shape that codecs are compiled from.

A model states each field once: its English name, its titles, its name at the source and the form it has there. From
that one line come the JSON schema, the codec, the disclosure paths and the subjects of the audit entry.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

from schemas.forms import TEXT, Form
from schemas.identifiers import RequestText, Subject

Plain = RequestText
Role = Literal["asked", "disclosed"]
Found = tuple[Role, str, str]
Finder = Callable[[dict[str, Any], list[Found]], None]


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a field stands at the source: one or more `/`-separated paths, `@name` for an XML attribute."""

    paths: tuple[str, ...]
    form: Form


def said(
    vi: str,
    en: str,
    wire: str | tuple[str, ...] = (),
    form: Form = TEXT,
    *,
    required: bool = False,
    default: Any = None,
    examples: list[Any] | None = None,
    note: str = "",
) -> Any:
    """Declare a field: titles, where the source has it and in which form; None where it is absent unless `required`."""
    paths = (wire,) if isinstance(wire, str) else wire
    info = Field(
        default=... if required else default,
        title=vi,
        description=f"{en}. {note}".strip() if note else en,
        examples=examples,
    )
    info.metadata.append(Wire(paths, form))
    return info


class Question(BaseModel):
    """Base of everything a caller may ask: unknown members are refused, text is brought to NFC.

    What callers ask is flat; what the gateway itself sends may hold records and lists of them.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Record(BaseModel):
    """Base of everything a source may answer: each member is a value, null, or absent when not granted."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field with a value of its own; `many` for a list of them."""

    name: str
    paths: tuple[tuple[str, ...], ...]
    form: Form
    subject: Subject | None
    many: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A field holding a record, or a list of records if `many`."""

    name: str
    path: tuple[str, ...]
    shape: Shape
    many: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """A model reduced to what a codec needs, in the order of declaration."""

    model: type[BaseModel]
    members: tuple[Leaf | Branch, ...]

    def paths(self, prefix: str = "") -> Iterator[str]:
        """Yield the dotted path of every member, parents before children, as grants name them."""
        for member in self.members:
            yield prefix + member.name
            if isinstance(member, Branch):
                yield from member.shape.paths(f"{prefix}{member.name}.")


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """Compile the shape of a model; raises TypeError for a field that was not declared with `said`."""
    members: list[Leaf | Branch] = []
    for name, info in model.model_fields.items():
        wire = next((item for item in info.metadata if isinstance(item, Wire)), None)
        if wire is None:
            raise TypeError(f"{model.__name__}.{name} is not declared with said()")
        kind, subject, many = _unwrap(info.annotation, info.metadata)
        paths = tuple(tuple(path.split("/")) for path in wire.paths)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            members.append(Branch(name, paths[0] if paths else (), shape_of(kind), many))
        else:
            members.append(Leaf(name, paths, wire.form, subject, many))
    return Shape(model, tuple(members))


def placed(shape: Shape, places: Mapping[str, Wire | None]) -> Shape:
    """Return a shape whose members stand elsewhere or in other forms, as another generation of an interface has them.

    `places` is by dotted path; a member given None is left out, together with all below it. Raises TypeError for a path
    that does not exist.
    """
    unknown = sorted(places.keys() - set(shape.paths()))
    if unknown:
        raise TypeError(f"{shape.model.__name__} has no member {unknown[0]}")
    return _placed(shape, places, "")


def _placed(shape: Shape, places: Mapping[str, Wire | None], prefix: str) -> Shape:
    members: list[Leaf | Branch] = []
    for member in shape.members:
        path = prefix + member.name
        wire = places.get(path)
        if path in places and wire is None:
            continue
        paths = tuple(tuple(one.split("/")) for one in wire.paths) if wire is not None else None
        if isinstance(member, Branch):
            below = _placed(member.shape, places, f"{path}.")
            members.append(replace(member, path=paths[0] if paths else member.path, shape=below))
        elif paths is None or wire is None:
            members.append(member)
        else:
            members.append(replace(member, paths=paths, form=wire.form))
    return replace(shape, members=tuple(members))


def _unwrap(annotation: Any, metadata: list[Any]) -> tuple[Any, Subject | None, bool]:
    """Strip Annotated, Optional and list from a field's type, noting its subject and whether it is a list."""
    subject = next((item for item in metadata if isinstance(item, Subject)), None)
    many = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *extra = get_args(annotation)
            subject = subject or next((item for item in extra if isinstance(item, Subject)), None)
        elif origin in (Union, types.UnionType):
            annotation = next(argument for argument in get_args(annotation) if argument is not type(None))
        elif origin in (list, tuple):
            annotation, many = get_args(annotation)[0], True
        else:
            return annotation, subject, many


def subjects(shape: Shape, role: Role) -> Finder:
    """Compile what appends every identifying value of a record to a list, as (`role`, kind, value)."""
    own = [
        (member.name, member.subject, member.subject.kind, _narrowed(member.subject))
        for member in shape.members
        if isinstance(member, Leaf) and member.subject is not None
    ]
    # Nobody looks into records without a mark anywhere in them.
    below = [
        (member.name, subjects(member.shape, role))
        for member in shape.members
        if isinstance(member, Branch) and _marked(member.shape)
    ]

    def find(data: dict[str, Any], found: list[Found]) -> None:
        for name, subject, kind, narrowed in own:
            value = data.get(name)
            if not value:
                continue
            if type(value) is str:
                found.append((role, subject.of(value).kind if len(value) in narrowed else kind, value))
            else:
                found.extend([(role, subject.of(item).kind, item) for item in value if item])
        for name, finder in below:
            value = data.get(name)
            if value:
                for item in value if type(value) is list else (value,):
                    if item:
                        finder(item, found)

    return find


def _marked(shape: Shape) -> bool:
    return any(
        _marked(member.shape) if isinstance(member, Branch) else member.subject is not None for member in shape.members
    )


def _narrowed(subject: Subject) -> frozenset[int]:
    """The numbers of digits with which a value identifies something else than its mark says."""
    return frozenset(many for many in range(_MOST_DIGITS) if subject.of("0" * many) != subject)


# No identifier is as long.
_MOST_DIGITS = 32
