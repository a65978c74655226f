"""An operation with the question and the answer of its example, as snippets and pages name them (ví dụ gọi)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lxml import etree
from pydantic import BaseModel

from routes.openapi import Examples
from routes.openapi_models import Schema, model_schemas, pascal, schema_name
from routes.soap.answers import record_writer, text
from routes.soap.names import GATEWAY, action_of, camel, element_of, namespace
from routes.soap.types import record_type
from routes.soap.wsdl import Version
from schemas.exchange import Database, Operation
from schemas.fields import Branch, Shape, shape_of
from security.soap_plain import SOAP
from security.xml import parse

HEADERS: Final = {
    "Lgsp-Purpose": "dossier-processing",
    "Lgsp-Dossier": "000.00.00.H26-260105-0001",
    "Lgsp-Officer": "demo.officer",
}
"""What the examples say beside the question, as the samples of the demo do."""


class Asked(NamedTuple):
    """A member of a question: its REST name, its JSON schema, and the example's value, None where it has none."""

    name: str
    schema: Schema
    required: bool
    value: Any

    @property
    def element(self) -> str:
        """Name of the member's element."""
        return camel(self.name)

    @property
    def words(self) -> bool:
        """Whether it is one of a fixed set of words, for which tools make a type of its own."""
        return "enum" in self.schema


@dataclass(frozen=True)
class Example:
    """One operation; `base` is the public address of the gateway, `body` and `data` are those of the REST face."""

    base: str
    database: Database
    operation: Operation
    body: Mapping[str, Any]
    data: Mapping[str, Any]
    asked: tuple[Asked, ...]

    @property
    def name(self) -> str:
        """`database/operation`."""
        return f"{self.database.name}/{self.operation.name}"

    @property
    def service(self) -> str:
        """Name of the database in the names of its contract."""
        return pascal(self.database.name)

    @property
    def element(self) -> str:
        """Local name of the request."""
        return element_of(self.operation)

    @property
    def method(self) -> str:
        """Name of the method that tools of Java make of the operation."""
        return self.element[0].lower() + self.element[1:]

    @property
    def record(self) -> str:
        """Name of the type of `data` in the contract."""
        return record_type(self.operation.answer)

    @property
    def package(self) -> str:
        """A name for the code that tools generate for the database."""
        return self.database.name.replace("-", "")

    @property
    def rest(self) -> str:
        """Address over REST."""
        return f"{self.base}/v1/{self.name}"

    @property
    def soap(self) -> str:
        """Address over SOAP."""
        return f"{self.base}/soap/{self.database.name}"

    @property
    def action(self) -> str:
        """SOAP action."""
        return action_of(self.database.name, self.element)

    def given(self) -> Iterator[Asked]:
        """Yield the members that the example gives, in the order of the contract."""
        return (member for member in self.asked if member.value is not None)

    def envelope(self, version: Version = "1.1") -> str:
        """Return the SOAP message that asks the example, indented."""
        blocks = "".join(
            f"    <g:{name.removeprefix('Lgsp-')}>{value}</g:{name.removeprefix('Lgsp-')}>\n"
            for name, value in HEADERS.items()
        )
        members = "".join(
            f"      <{member.element}>{text(_plain(member.value))}</{member.element}>\n" for member in self.given()
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<soap:Envelope xmlns:soap="{SOAP[version]}" xmlns:g="{GATEWAY}">\n'
            f"  <soap:Header>\n{blocks}  </soap:Header>\n"
            f'  <soap:Body>\n    <{self.element} xmlns="{namespace(self.database.name)}">\n{members}'
            f"    </{self.element}>\n  </soap:Body>\n</soap:Envelope>\n"
        )

    def answer(self) -> str:
        """Return `data` of the example's answer as XML, indented."""
        inside = record_writer(shape_of(self.operation.answer))(dict(self.data))
        return indented(f'<data xmlns="{namespace(self.database.name)}">{inside}</data>'.encode())


def indented(document: bytes) -> str:
    """Return an XML document that holds no mixed content, with one element on each line."""
    root = parse(document)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode") + "\n"


def examples_of(database: Database, base: str, found: Examples) -> tuple[Example, ...]:
    """Return the operations of a database; where `found` has no example, what is asked is made of the declaration."""
    schemas = model_schemas((database,))
    made = []
    for operation in database.operations:
        described = schemas[schema_name(database, operation.question)]
        required = described.get("required", ())
        made_up = {"body": {name: _made_up(described["properties"][name]) for name in required}, "data": {}}
        known = found.get(f"{database.name}/{operation.name}", made_up)
        asked = tuple(
            Asked(name, schema, name in required, known["body"].get(name))
            for name, schema in described["properties"].items()
        )
        made.append(Example(base, database, operation, known["body"], known["data"], asked))
    return tuple(made)


def _made_up(schema: Schema) -> Any:
    """Return a value for a member that no example is known of."""
    if schema.get("examples"):
        return schema["examples"][0]
    return schema["enum"][0] if "enum" in schema else {"boolean": True, "integer": 1}.get(schema.get("type", ""), "…")


class Told(NamedTuple):
    """A member of an answer: where REST and where SOAP have it, and its JSON schema."""

    path: str
    place: str
    schema: Schema


def told_of(database: Database, operation: Operation) -> list[Told]:
    """Return every member of an operation's answer, parents before children."""
    schemas = model_schemas((database,))
    return list(told_below(shape_of(operation.answer), lambda model: schemas[schema_name(database, model)]))


def told_below(
    shape: Shape,
    schema_of: Callable[[type[BaseModel]], Schema],
    path: str = "",
    place: str = "",
    without: tuple[type[BaseModel], ...] = (),
) -> Iterator[Told]:
    """Yield every member of a shape, parents before children; `path` and `place` are what theirs begin with.

    What is below a member of one of the models `without` is left out.
    """
    properties = schema_of(shape.model)["properties"]
    for member in shape.members:
        many = ("[]", "/item") if member.many else ("", "")
        here, there = f"{path}{member.name}{many[0]}", f"{place}{camel(member.name)}{many[1]}"
        yield Told(here, there, properties[member.name])
        if isinstance(member, Branch) and member.shape.model not in without:
            yield from told_below(member.shape, schema_of, f"{here}.", f"{there}/", without)


def _plain(value: Any) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)
