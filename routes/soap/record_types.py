"""XML Schema types of messages that hold records and lists of them, from their models (kiểu dữ liệu lồng nhau).

Unlike the answers of databases, of which any member may not be granted, these say which members are always there. An
element is nillable exactly where its member may be null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pydantic import BaseModel

from routes.openapi_models import Schema
from routes.soap.names import camel
from routes.soap.types import ITEM, MANY, document, inside_list, items_of, record_type, value_type, xs
from schemas.errors import Text
from schemas.fields import Branch, Shape, shape_of
from security.xml import Element

_MAYBE: Final = {"minOccurs": "0"}


class Beside(NamedTuple):
    """A member of the gateway's own that no model has: element, type, whether it is always there, what it is."""

    name: str
    type_: str
    always: bool
    text: Text


class Records(NamedTuple):
    """What the types of one schema are made of: JSON schemas by model, members beside those of a model.

    `prefix` is bound to the schema's own namespace.
    """

    prefix: str
    described: Mapping[type[BaseModel], Schema]
    beside: Mapping[type[BaseModel], Sequence[Beside]]

    def add_message(self, schema: Element, name: str, model: type[BaseModel], about: Text) -> None:
        """Append a message: an element with the members of a model."""
        place = xs(schema, "element", name=name)
        document(place, about.vi, about.en)
        self._members(xs(xs(place, "complexType"), "sequence"), shape_of(model))

    def add_records(self, schema: Element, models: Sequence[type[BaseModel]]) -> None:
        """Append the types of all records that these models hold, each once."""
        found = {shape.model: shape for model in models for shape in _below(shape_of(model))}
        for shape in found.values():
            kind = xs(schema, "complexType", name=record_type(shape.model))
            document(kind, "", self.described[shape.model].get("description", ""))
            self._members(xs(kind, "sequence"), shape)

    def _members(self, sequence: Element, shape: Shape) -> None:
        described = self.described[shape.model]
        required = described.get("required", ())
        for member in shape.members:
            properties: Schema = described["properties"][member.name]
            occurs = {} if member.name in required else _MAYBE
            nillable = {"nillable": "true"} if _may_be_null(properties) else {}
            place = xs(sequence, "element", name=camel(member.name), **occurs, **nillable)
            document(place, properties.get("title", ""), properties.get("description", ""))
            if isinstance(member, Branch):
                type_ = f"{self.prefix}:{record_type(member.shape.model)}"
                if member.many:
                    xs(inside_list(place), "element", name=ITEM, type_=type_, **MANY)
                else:
                    place.set("type", type_)
            elif member.many:
                value_type(xs(inside_list(place), "element", name=ITEM, **MANY), member.name, items_of(properties))
            else:
                value_type(place, member.name, properties)
        for one in self.beside.get(shape.model, ()):
            occurs = {} if one.always else _MAYBE
            document(xs(sequence, "element", name=one.name, type_=one.type_, **occurs), *one.text)


def _may_be_null(properties: Schema) -> bool:
    kinds = properties.get("type")
    return (isinstance(kinds, list) and "null" in kinds) or {"type": "null"} in properties.get("anyOf", ())


def _below(shape: Shape) -> Iterator[Shape]:
    for member in shape.members:
        if isinstance(member, Branch):
            yield member.shape
            yield from _below(member.shape)
