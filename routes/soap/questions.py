"""From the wrapper of a request to the question that the REST face would have read (giải mã câu hỏi SOAP).

The contract's own XSD decides first. What it refuses is explained from the tree and by the model, since the validator's
messages quote values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lxml import etree
from pydantic import ValidationError

from routes.flaws import flaws_of
from routes.soap.names import camel_pointer, element_of, namespace
from routes.soap.record_reader import NIL, TRUE, members_of, respelling, structure
from schemas.errors import Flaw, Invalid, Text
from schemas.exchange import Database, Operation
from schemas.fields import Question
from security.xml import Element

XSD = Text("không đúng lược đồ XSD của hợp đồng", "does not follow the XSD of the contract")

ReadQuestion = Callable[[Element], Question]
"""Reads the wrapper of a request; raises Invalid with a pointer for each thing wrong."""


def question_reader(database: Database, operation: Operation, schema: etree.XMLSchema) -> ReadQuestion:
    """Compile the reader of an operation's requests, which `schema`, that of the contract, describes."""
    prefix = f"{{{namespace(database.name)}}}"
    members = members_of(operation.question, prefix)
    validated = operation.question.model_validate
    root = f"/{element_of(operation)}"
    respelled = respelling(member.name for member in members.values())
    validate = schema.validate

    def read(wrapper: Element) -> Question:
        if not validate(wrapper):
            # Nothing that the tree shows may be wrong and still a facet be broken, which the model knows as well.
            flaws = list(structure(wrapper, members))
            values = [] if flaws else list(_broken(said(wrapper)))
            raise Invalid(flaws=below(flaws or values or [Flaw("", XSD)]))
        try:
            return validated(said(wrapper))
        except ValidationError as error:
            raise Invalid(flaws=below(flaws_of(error))) from None

    def said(wrapper: Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in wrapper:
            member = members[child.tag]
            found[member.name] = None if child.get(NIL, "").strip() in TRUE else member.read(child.text or "")
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
