"""From the wrapper of a request to the question that the REST face would have read (giải mã câu hỏi SOAP).

The contract's own XSD decides first. What it refuses is explained from the tree and by the model, since the validator's
messages quote values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from lxml import etree
from pydantic import ValidationError

from routes.flaws import flaws_of
from routes.soap.names import camel, camel_pointer, element_of, namespace
from schemas.errors import Flaw, Invalid, Text
from schemas.exchange import Database, Operation
from schemas.fields import Question, shape_of
from security.xml import Element, blank

NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
TRUE: Final = ("true", "1")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

_UNKNOWN = Text("phần tử không có trong hợp đồng", "is not part of the contract")
_ELSEWHERE = Text("phần tử thuộc không gian tên khác với hợp đồng", "is of another namespace than in the contract")
_TWICE = Text("phần tử xuất hiện nhiều lần", "occurs more than once")
_ORDER = Text("phần tử sai thứ tự so với hợp đồng", "stands in another place than in the contract")
_NESTED = Text("phải là văn bản, không chứa phần tử con", "must be text without elements in it")
_TEXT = Text("không được có văn bản giữa các phần tử", "must not hold text between its elements")
_XSD = Text("không đúng lược đồ XSD của hợp đồng", "does not follow the XSD of the contract")

ReadQuestion = Callable[[Element], Question]
"""Reads the wrapper of a request; raises Invalid with a pointer for each thing wrong."""


def question_reader(database: Database, operation: Operation, schema: etree.XMLSchema) -> ReadQuestion:
    """Compile the reader of an operation's requests, which `schema`, that of the contract, describes."""
    prefix = f"{{{namespace(database.name)}}}"
    members = {f"{prefix}{camel(member.name)}": member.name for member in shape_of(operation.question).members}
    kinds = {name: _reader(operation.question, name) for name in members.values()}
    validated = operation.question.model_validate
    root = f"/{element_of(operation)}"
    respelled = _respelled(members.values())
    validate = schema.validate

    def read(wrapper: Element) -> Question:
        if not validate(wrapper):
            # Nothing that the tree shows may be wrong and still a facet be broken, which the model knows as well.
            flaws = list(_structure(wrapper, members))
            values = [] if flaws else list(_broken(said(wrapper)))
            raise Invalid(flaws=below(flaws or values or [Flaw("", _XSD)]))
        try:
            return validated(said(wrapper))
        except ValidationError as error:
            raise Invalid(flaws=below(flaws_of(error))) from None

    def said(wrapper: Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in wrapper:
            name = members[child.tag]
            found[name] = None if child.get(NIL, "").strip() in TRUE else kinds[name](child.text or "")
        return found

    def below(flaws: Iterable[Flaw]) -> list[Flaw]:
        return [Flaw(root + camel_pointer(flaw.pointer), respelled(flaw.detail), flaw.header) for flaw in flaws]

    def _broken(values: dict[str, Any]) -> Iterable[Flaw]:
        try:
            validated(values)
        except ValidationError as error:
            return flaws_of(error)
        return ()

    return read


def _reader(model: type[Question], name: str) -> Callable[[str], Any]:
    """Return what makes a member's value of its text; a text that is no such value is left for the model to refuse."""
    described = model.model_json_schema()["properties"][name]
    kinds = {kind.get("type") for kind in (described, *described.get("anyOf", ()))}
    if "boolean" in kinds:
        return lambda text: _BOOLEANS.get(text.strip(), text)
    if "integer" in kinds:
        return _integer
    return str


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _structure(wrapper: Element, members: dict[str, str]) -> Iterator[Flaw]:
    """What is wrong with the elements, before any value of them is looked at."""
    order = list(members)
    names = {tag.rpartition("}")[2] for tag in members}
    seen: list[str] = []
    for child in wrapper:
        tag = str(child.tag)
        local = tag.rpartition("}")[2]
        if tag not in members:
            # The name may be anything: only one of the contract's is repeated.
            yield Flaw(f"/{local}" if local in names else "", _ELSEWHERE if local in names else _UNKNOWN)
        elif tag in seen:
            yield Flaw(f"/{local}", _TWICE)
        elif any(order.index(tag) < order.index(earlier) for earlier in seen):
            yield Flaw(f"/{local}", _ORDER)
        elif len(child):
            yield Flaw(f"/{local}", _NESTED)
        else:
            seen.append(tag)
        if not blank(child.tail):
            yield Flaw("", _TEXT)
    if not blank(wrapper.text):
        yield Flaw("", _TEXT)


def _respelled(members: Iterable[str]) -> Callable[[Text], Text]:
    """Return what puts the names of elements into a sentence that has those of members."""
    spelled = {name: camel(name) for name in members if "_" in name}
    if not spelled:
        return lambda text: text
    name = re.compile(rf"\b(?:{'|'.join(spelled)})\b")

    def respell(text: Text) -> Text:
        return Text(*(name.sub(lambda found: spelled[found[0]], said) for said in text))

    return respell
