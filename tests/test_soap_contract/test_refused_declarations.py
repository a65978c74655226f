"""What the SOAP face cannot say without loss is refused when the gateway starts, with the reason."""

from dataclasses import replace
from typing import Annotated, Any, Literal

import pytest
from aiohttp import web
from pydantic import StringConstraints, WithJsonSchema

from adapters import DATABASES
from config.settings import ConfigurationError
from routes.soap.face import compiled
from routes.soap.names import check_names
from routes.soap.published import add_contracts
from routes.soap.wsdl import database_wsdl
from schemas.exchange import Database
from schemas.fields import Question, Record, said
from tests.test_openapi.vehicle import VEHICLE

(REGISTERED,) = VEHICLE.operations


class Nothing(Question):
    """A question without members."""


class Empty(Record):
    """A record without members."""


def database(question: type[Question] = Nothing, answer: type[Record] = Empty, *names: str) -> Database:
    """A database with an operation of each name."""
    operations = [replace(REGISTERED, name=name, question=question, answer=answer) for name in names or ("look-up",)]
    return replace(VEHICLE, operations=tuple(operations))


def reason(*databases: Database) -> str:
    """Why the gateway does not start with these."""
    with pytest.raises(ConfigurationError) as refused:
        begin(*databases)
    return str(refused.value)


def begin(*databases: Database) -> None:
    """What the gateway makes of its databases when it starts."""
    add_contracts(web.UrlDispatcher(), databases, "")
    for each in databases:
        compiled(each)


def record(*members: tuple[str, Any]) -> type[Record]:
    """A record with these members."""
    content = {name: said(name, name) for name, _ in members}
    return type(
        "Made",
        (Record,),
        {"__annotations__": dict(members), "__doc__": "Made here.", "__module__": __name__} | content,
    )


def question(*members: tuple[str, Any]) -> type[Question]:
    content = {name: said(name, name, name) for name, _ in members}
    return type(
        "Asked",
        (Question,),
        {"__annotations__": dict(members), "__doc__": "Made here.", "__module__": __name__} | content,
    )


def pattern(text: str) -> Any:
    return Annotated[str, WithJsonSchema({"type": "string", "pattern": text})]


def test_a_plain_declaration_is_taken() -> None:
    begin(VEHICLE)
    begin(database())
    begin(database(question(("number", str | None)), record(("name", str | None), ("words", list[str] | None))))


def test_two_members_that_become_one_element() -> None:
    told = reason(database(answer=record(("birth_date", str | None), ("birthDate", str | None))))
    assert "vehicle/look-up" in told
    assert "birthDate" in told
    assert "Made" in told


def test_two_members_of_a_record_inside() -> None:
    inside = record(("line_1", str | None), ("line1", str | None))
    told = reason(database(answer=record(("place", inside | None))))
    assert "line1" in told


def test_two_operations_that_are_alike_but_for_their_case() -> None:
    told = reason(database(Nothing, Empty, "look-up", "lookup"))
    assert "vehicle/look-up" in told
    assert "vehicle/lookup" in told


def test_operations_of_two_databases_are_unique_too() -> None:
    told = reason(*DATABASES, database(Nothing, Empty, "person"))
    assert "vehicle/person" in told
    assert "population/person" in told


def test_an_operation_named_as_the_response_of_another() -> None:
    told = reason(database(Nothing, Empty, "look-up", "look-up-response"))
    assert "LookUpResponse" in told


def test_the_order_of_declaration_does_not_matter_for_that() -> None:
    told = reason(database(Nothing, Empty, "look-up-response", "look-up"))
    assert "LookUpResponse" in told


def test_a_nested_question() -> None:
    class Inside(Question):
        """Part of a question."""

        number: str | None = said("Số", "Number", "so")

    told = reason(database(question(("inside", Inside | None))))
    assert "inside" in told
    assert "look-up" in told


def test_a_list_in_a_question() -> None:
    told = reason(database(question(("numbers", list[str] | None))))
    assert "numbers" in told


@pytest.mark.parametrize("kind", [float, dict[str, str], Any, str | int], ids=["float", "dict", "any", "union"])
def test_a_value_without_a_form_in_xml(kind: Any) -> None:
    told = reason(database(answer=record(("amount", kind))))
    assert "amount" in told


@pytest.mark.parametrize(
    "text",
    [
        r"^\d{3}$",
        r"^(?:a|b)$",
        r"^(?=a)a$",
        r"^(?i:a)$",
        r"^\w+$",
        r"^a+?$",
        r"^(a)\1$",
        r"a",
        r"^a",
        r"a$",
        r"^a|b$",
        r"^(a$|b)$",
        r"^a\/b$",
        r"^[\x41]$",
        r"^a{,3}$",
        r"^[a-z-[aeiou]]$",
        r"^a\$",
    ],
)
def test_a_pattern_that_means_something_else_in_xml_schema(text: str) -> None:
    told = reason(database(question(("number", pattern(text) | None))))
    assert "number" in told
    assert text in told


@pytest.mark.parametrize(
    "text", [r"^[0-9]{3}$", r"^(a|b)\.[0-9]$", r"^[A-ZĐ]{2} ?([0-9]{6}|[0-9]{8})$", r"^[$^|]$", r"^\^\|$", "^$"]
)
def test_a_pattern_that_means_the_same(text: str) -> None:
    begin(database(question(("number", pattern(text) | None))))


def test_a_word_that_xml_cannot_hold() -> None:
    told = reason(database(question(("kind", Literal["a", "b\x00"] | None))))
    assert "kind" in told


def test_a_single_word_is_an_enumeration_of_one() -> None:
    one = database(question(("kind", Literal["only"] | None)))
    text = database_wsdl(one, "")
    assert b'<xs:enumeration value="only"/>' in text


def test_bounds_of_length_are_facets() -> None:
    bounded = Annotated[str, StringConstraints(min_length=2, max_length=7)]
    text = database_wsdl(database(question(("kind", bounded | None))), "")
    assert b'<xs:minLength value="2"/>' in text
    assert b'<xs:maxLength value="7"/>' in text


def test_the_address_that_tells_callers_about_themselves() -> None:
    assert "/soap/me" in reason(replace(database(), name="me"))


def test_names_of_the_project_itself_are_fine() -> None:
    check_names(DATABASES)
