"""XML Schema types of questions and answers, from the schemas that the OpenAPI document shows (kiểu dữ liệu XSD).

Every value but a boolean or an integer is text with facets: an `xs:decimal` or `xs:dateTime` invites clients to round
or to reformat what they were told, and the text is what the evidence commits to. Absent means not granted or not asked,
`xsi:nil` that the source has none; a list is an element with an `item` for each, since an empty one is not absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lxml import etree

from adapters.encoding import UNWRITABLE
from config.settings import ConfigurationError
from routes.openapi_models import Schema, model_schemas, schema_name
from routes.soap.names import camel, element_of
from schemas.exchange import Database
from schemas.fields import Branch, Leaf, Record, Shape, shape_of
from security.xml import Element

XS: Final = "http://www.w3.org/2001/XMLSchema"
LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
ITEM: Final = "item"

MANY: Final = {"minOccurs": "0", "maxOccurs": "unbounded"}
_BOUNDS: Final = (
    ("minLength", "minLength"),
    ("maxLength", "maxLength"),
    ("minimum", "minInclusive"),
    ("maximum", "maxInclusive"),
)
_SIMPLE: Final = {"string": "string", "boolean": "boolean", "integer": "long"}
# One escaped character, as XML Schema has them (part 2, appendix F.1); everywhere else the same means the same.
_ESCAPED: Final = r"\\[nrt|.?*+(){}\[\]\\^-]"
# What both mean by the same words: no classes by letter, no groups with a question mark, no anchors, no reluctance, and
# no dot, which is another set of characters in each.
_PIECE: Final = re.compile(
    rf"(?P<opened>\((?!\?))|(?P<closed>\))|(?P<either>\|)"
    rf"|(?:{_ESCAPED}|\[\^?(?:[^\[\]\\]|{_ESCAPED})+\]|[^\\\[\]().|?*+{{}}^$])"
    r"|(?:[?*+]|\{[0-9]+(?:,[0-9]*)?\})(?![?+])"
)


def xs(parent: Element, name: str, /, **attributes: str) -> Element:
    """Append an element of XML Schema; a name of Python's (`type_`) may end in an underscore."""
    return etree.SubElement(parent, f"{{{XS}}}{name}", {key.rstrip("_"): value for key, value in attributes.items()})


def document(parent: Element, vi: str, en: str) -> None:
    """Say in both languages what an element is."""
    annotation = xs(parent, "annotation")
    for language, text in (("vi", vi), ("en", en)):
        if text:
            documentation = xs(annotation, "documentation")
            documentation.set(LANGUAGE, language)
            documentation.text = text


def add_models(schema: Element, prefix: str, database: Database) -> None:
    """Append the elements of all questions and the record types of all answers; raises ConfigurationError.

    `prefix` is bound to the schema's own namespace.
    """
    shown = model_schemas((database,))
    records: dict[type, Shape] = {}
    for operation in database.operations:
        question = xs(schema, "element", name=element_of(operation))
        document(question, operation.title.vi, operation.title.en)
        sequence = xs(xs(question, "complexType"), "sequence")
        described = shown[schema_name(database, operation.question)]
        required = described.get("required", ())
        for member in shape_of(operation.question).members:
            if isinstance(member, Branch) or member.many:
                raise ConfigurationError(f"{database.name}/{operation.name}: {member.name} of a question is no value")
            _leaf(sequence, member, described["properties"][member.name], required=member.name in required)
        _collect(shape_of(operation.answer), records)
    for shape in records.values():
        described = shown[schema_name(database, shape.model)]
        _record(schema, prefix, shape, described)


def name_types(schema: Element, prefix: str) -> None:
    """Take each type that stands inside a local element out to the schema, under a name made of where it stood.

    Some generators of classes (Mono's svcutil) write nothing, and say nothing, for a contract with others. `prefix` is
    bound to the schema's own namespace.
    """
    for inside in [*schema.iter(f"{{{XS}}}complexType", f"{{{XS}}}simpleType")]:
        place = inside.getparent()
        if place is None or place is schema or place.getparent() is schema:
            continue
        owner = next(each for each in place.iterancestors() if each.getparent() is schema)
        said = str(place.attrib["name"])
        name = f"{str(owner.attrib['name']).removesuffix('Type')}{said[0].upper()}{said[1:]}Type"
        place.set("type", f"{prefix}:{name}")
        inside.set("name", name)
        schema.append(inside)


def record_type(model: type) -> str:
    """Return the name of the type of a record, which is none of an element's."""
    return f"{model.__name__}Record"


def _collect(shape: Shape, found: dict[type, Shape]) -> None:
    found.setdefault(shape.model, shape)
    for member in shape.members:
        if isinstance(member, Branch):
            _collect(member.shape, found)


def _record(schema: Element, prefix: str, shape: Shape, described: Schema) -> None:
    if not issubclass(shape.model, Record):
        raise ConfigurationError(f"{shape.model.__name__} is part of an answer and no Record")
    kind = xs(schema, "complexType", name=record_type(shape.model))
    document(kind, "", described.get("description", ""))
    sequence = xs(kind, "sequence")
    for member in shape.members:
        properties: Schema = described["properties"][member.name]
        if isinstance(member, Branch):
            place = _optional(sequence, member.name)
            document(place, properties.get("title", ""), properties.get("description", ""))
            type_ = f"{prefix}:{record_type(member.shape.model)}"
            if member.many:
                xs(inside_list(place), "element", name=ITEM, type_=type_, nillable="true", **MANY)
            else:
                place.set("type", type_)
        elif member.many:
            place = _optional(sequence, member.name)
            document(place, properties.get("title", ""), properties.get("description", ""))
            item = xs(inside_list(place), "element", name=ITEM, nillable="true", **MANY)
            value_type(item, member.name, items_of(properties))
        else:
            _leaf(sequence, member, properties)


def _optional(sequence: Element, name: str) -> Element:
    return xs(sequence, "element", name=camel(name), minOccurs="0", nillable="true")


def inside_list(place: Element) -> Element:
    """Give an element the type of a list; return the sequence that its items go into."""
    return xs(xs(place, "complexType"), "sequence")


def items_of(properties: Schema) -> Schema:
    """Return the schema of the items of a list."""
    kinds = [properties, *properties.get("anyOf", ())]
    items: Schema = next(kind["items"] for kind in kinds if "items" in kind)
    return items


def _leaf(sequence: Element, member: Leaf, properties: Schema, *, required: bool = False) -> None:
    place = xs(sequence, "element", name=camel(member.name)) if required else _optional(sequence, member.name)
    document(place, properties.get("title", ""), properties.get("description", ""))
    value_type(place, member.name, properties)


def value_type(place: Element, name: str, properties: Schema) -> None:
    """Give an element the simple type of a value; raises ConfigurationError for what has none."""
    kinds = properties.get("type", "string" if "enum" in properties else None)
    named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds or ()) if kind != "null"]
    if len(named) != 1 or named[0] not in _SIMPLE:
        raise ConfigurationError(f"{name}: a value of type {kinds} has no form in XML that loses nothing")
    base = f"xs:{_SIMPLE[named[0]]}"
    facets = list(_facets(name, properties))
    if not facets:
        place.set("type", base)
        return
    restriction = xs(xs(place, "simpleType"), "restriction", base=base)
    for facet, value in facets:
        xs(restriction, facet, value=value)


def _facets(name: str, properties: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    words = properties.get("enum", [properties["const"]] if "const" in properties else [])
    for word in words:
        if word is not None:
            if UNWRITABLE.search(str(word)):
                raise ConfigurationError(f"{name}: the word {word!r} cannot be written in XML")
            yield "enumeration", str(word)
    for ours, theirs in _BOUNDS:
        if ours in properties:
            yield theirs, str(properties[ours])
    pattern = properties.get("pattern")
    if pattern is not None:
        inside = pattern.removeprefix("^").removesuffix("$")
        if inside != pattern[1:-1] or not _is_common(inside):
            raise ConfigurationError(f"{name}: the pattern {pattern} has no form in XML Schema")
        yield "pattern", inside


def _is_common(pattern: str) -> bool:
    """Tell whether a pattern means the same in XML Schema, which looks at the whole value, as between two anchors."""
    place = depth = 0
    while place < len(pattern):
        piece = _PIECE.match(pattern, place)
        # An anchor binds closer than a choice: `^a|b$` is not `^(a|b)$`.
        if piece is None or (piece["either"] and not depth):
            return False
        depth += bool(piece["opened"]) - bool(piece["closed"])
        place = piece.end()
    return True
