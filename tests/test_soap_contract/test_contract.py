"""What the contracts promise is what the declarations say: operations, members, their bounds, both languages."""

import pytest
from lxml import etree

from adapters import DATABASES
from routes.openapi_models import model_schemas, schema_name
from routes.soap.names import OWN
from schemas.exchange import Database, Operation
from schemas.fields import Branch, Shape, shape_of
from tests.test_soap_contract.golden import contracts

XS = "{http://www.w3.org/2001/XMLSchema}"
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
GATEWAY = "urn:lgsp:gateway:1"

OPERATIONS = [(database, operation) for database in DATABASES for operation in database.operations]
EACH = pytest.mark.parametrize(
    ("database", "operation"),
    OPERATIONS,
    ids=[f"{database.name}/{operation.name}" for database, operation in OPERATIONS],
)
SERVICES = [*(database.name for database in DATABASES), *OWN]
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)
EACH_DATABASE = pytest.mark.parametrize("database", DATABASES, ids=[database.name for database in DATABASES])


@pytest.fixture(scope="module")
def documents() -> dict[str, etree._Element]:
    return {name.removesuffix(".wsdl"): etree.fromstring(text) for name, text in contracts().items()}


def schema(document: etree._Element, namespace: str) -> etree._Element:
    (found,) = (each for each in document.iter(f"{XS}schema") if each.get("targetNamespace") == namespace)
    return found


def top(place: etree._Element, kind: str, name: str) -> etree._Element:
    (found,) = (each for each in place.findall(f"{XS}{kind}") if each.get("name") == name)
    return found


ITEM = {"name": "item", "minOccurs": "0", "maxOccurs": "unbounded", "nillable": "true"}.items()


def type_of(messages: etree._Element, place: etree._Element) -> etree._Element | None:
    """The type of an element: one inside it, or one of this schema by its name; None for a built-in one."""
    inside = next(place.iterchildren(f"{XS}complexType", f"{XS}simpleType"), None)
    prefix, _, name = place.get("type", "").partition(":")
    if inside is None and place.nsmap.get(prefix) == messages.get("targetNamespace"):
        inside = next(each for each in messages if each.get("name") == name and str(each.tag).endswith("Type"))
    return inside


def children(messages: etree._Element, place: etree._Element) -> list[etree._Element]:
    inside = type_of(messages, place)
    return [] if inside is None else inside.findall(f"{XS}sequence/{XS}element")


def facets(messages: etree._Element, place: etree._Element, kind: str) -> list[etree._Element]:
    inside = type_of(messages, place)
    return [] if inside is None else inside.findall(f"{XS}restriction/{XS}{kind}")


def pascal(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in name.split("-"))


def camel(name: str) -> str:
    return name[0] + pascal(name.replace("_", "-"))[1:]


@EACH_DATABASE
def test_every_operation_of_rest_is_one_of_soap(documents: dict[str, etree._Element], database: Database) -> None:
    document = documents[database.name]
    wanted = [pascal(operation.name) for operation in database.operations]
    for place in (document.find(f"{WSDL}portType"), *document.findall(f"{WSDL}binding")):
        assert place is not None
        assert [each.get("name") for each in place.findall(f"{WSDL}operation")] == wanted
    assert len(document.findall(f"{WSDL}binding")) == len(document.findall(f"{WSDL}service/{WSDL}port")) == 2
    assert {each.get("location") for each in document.iter("{*}address")} == {
        f"https://lgsp.example.vn/soap/{database.name}"
    }


def test_names_of_operations_are_unique_whatever_their_case(documents: dict[str, etree._Element]) -> None:
    names = [
        operation.get("name", "").lower()
        for document in documents.values()
        for operation in document.findall(f"{WSDL}portType/{WSDL}operation")
    ]
    # And the gateway's own services: what callers may ask, and dossiers.
    assert len(names) == len(set(names)) == len(OPERATIONS) + sum(map(len, OWN.values()))


@EACH
def test_a_request_has_the_members_of_the_question(
    documents: dict[str, etree._Element], database: Database, operation: Operation
) -> None:
    messages = schema(documents[database.name], f"urn:lgsp:{database.name}:1")
    elements = children(messages, top(messages, "element", pascal(operation.name)))
    fields = operation.question.model_fields
    assert [each.get("name") for each in elements] == [camel(name) for name in fields]
    for element, (name, field) in zip(elements, fields.items(), strict=True):
        # What the question needs is there and has a value; of the rest null is as good as absent, as over REST.
        wanted = (None, None) if field.is_required() else ("0", "true")
        assert (element.get("minOccurs"), element.get("nillable")) == wanted, name
        assert element.get("maxOccurs") is None


@EACH
def test_an_answer_has_the_members_of_the_record(
    documents: dict[str, etree._Element], database: Database, operation: Operation
) -> None:
    messages = schema(documents[database.name], f"urn:lgsp:{database.name}:1")
    inside = top(messages, "element", f"{pascal(operation.name)}Response")
    told = children(messages, inside)
    assert [each.get("name") for each in told] == ["data", "exchange", "receipt"]
    assert all(each.get("minOccurs") is None and each.get("nillable") is None for each in told)
    promised = model_schemas((database,))

    def check(place: etree._Element, shape: Shape) -> None:
        elements = children(messages, place)
        assert [each.get("name") for each in elements] == [camel(member.name) for member in shape.members]
        for element, member in zip(elements, shape.members, strict=True):
            assert (element.get("minOccurs"), element.get("nillable")) == ("0", "true")
            properties = promised[schema_name(database, shape.model)]["properties"][member.name]
            value = element
            if member.many:
                (value,) = children(messages, element)
                assert dict(value.attrib).items() >= ITEM
            if isinstance(member, Branch):
                check(value, member.shape)
            elif not member.many:
                words = [word for word in properties.get("enum", ()) if word is not None]
                assert [each.get("value") for each in facets(messages, value, "enumeration")] == words

    check(told[0], shape_of(operation.answer))


@EACH_SERVICE
def test_every_element_is_explained_in_both_languages(documents: dict[str, etree._Element], service: str) -> None:
    missing = []
    for element in documents[service].iter(f"{XS}element"):
        name = element.get("name")
        # A list says what its items are; a wrapper of an answer is what its request is about.
        if name is None or name == "item" or name.endswith("Response"):
            continue
        said = {each.get(LANG): each.text for each in element.findall(f"{XS}annotation/{XS}documentation")}
        if not (said.get("vi") and said.get("en")):
            missing.append(name)
    assert missing == []


@EACH_SERVICE
def test_values_are_text_booleans_or_whole_numbers(documents: dict[str, etree._Element], service: str) -> None:
    """No other type: clients would round amounts and write dates anew."""
    document = documents[service]
    used = {each.get("type") for each in document.iter(f"{XS}element")} | {
        each.get("base") for each in document.iter(f"{XS}restriction")
    }
    assert {each for each in used if each and each.startswith("xs:")} <= {
        "xs:string",
        "xs:boolean",
        "xs:long",
        "xs:int",
    }


def test_the_shared_part_is_the_same_in_all(documents: dict[str, etree._Element]) -> None:
    shared = {etree.tostring(schema(each, GATEWAY), method="c14n", exclusive=True) for each in documents.values()}
    assert len(shared) == 1
