"""A value that the contract refuses is one that the model refuses, and the patterns mean the same in both."""

import re
from typing import Annotated, Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree
from pydantic import TypeAdapter, ValidationError

from adapters import DATABASES
from adapters.encoding import UNWRITABLE
from routes.soap.names import camel, element_of, namespace
from routes.soap.wsdl import database_wsdl
from security.xml import compile_schema
from tests.test_soap_contract.test_contract import OPERATIONS, children, schema, top

MEMBERS = [
    (database, operation, name) for database, operation in OPERATIONS for name in operation.question.model_fields
]
IDS = [f"{database.name}/{operation.name}/{name}" for database, operation, name in MEMBERS]
SCHEMAS = {database.name: compile_schema(database_wsdl(database, "")) for database in DATABASES}

# Characters that patterns of ours speak of, and neighbours that look like them.
NEAR = st.text(alphabet="0123456789-.:/TZ+ ABCDĐĐđaz_@\t\n٣３٫é​", max_size=30)
# At the bounds of free text, which counts characters: not bytes, not what two of them are composed to.
LONG = [one * many for one in ("a", "ễ", "\U0001f600", "e\u0302") for many in (250, 251, 500, 501)]
WRITABLE = st.text(max_size=520).filter(lambda text: not UNWRITABLE.search(text))


def said_of(kind: Any, key: str) -> Any:
    """What the JSON schema of a member says under a key, wherever in it."""
    found = TypeAdapter(kind).json_schema()
    return next((place[key] for place in (found, *found.get("anyOf", ())) if key in place), None)


def kind_of(operation: Any, name: str) -> Any:
    info = operation.question.model_fields[name]
    kind = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    # A text that is no value is what is looked at here: null is another member of the union.
    assert get_args(kind) or kind is str
    return kind


@pytest.mark.parametrize(("database", "operation", "name"), MEMBERS, ids=IDS)
def test_contract_and_model_accept_the_same(database: Any, operation: Any, name: str) -> None:
    messages = schema(etree.fromstring(database_wsdl(database, "")), namespace(database.name))
    (declared,) = (
        each
        for each in children(messages, top(messages, "element", element_of(operation)))
        if each.get("name") == camel(name)
    )
    # The member alone, so that nothing else of the question can be wrong.
    alone = etree.Element(
        f"{{{messages.nsmap['xs']}}}schema", nsmap={"xs": messages.nsmap["xs"], "t": namespace(database.name)}
    )
    alone.set("targetNamespace", namespace(database.name))
    place = etree.SubElement(alone, f"{{{messages.nsmap['xs']}}}element", {"name": "value"})
    place.set("type", declared.get("type", ""))
    for kind in messages:
        if str(kind.tag).endswith("simpleType"):
            alone.append(etree.fromstring(etree.tostring(kind)))
    xsd = etree.XMLSchema(alone)
    adapter = TypeAdapter(kind_of(operation, name))
    pattern, words = (said_of(kind_of(operation, name), key) for key in ("pattern", "enum"))
    values = st.one_of(NEAR, WRITABLE, st.sampled_from(LONG))
    if words is not None:
        values = st.one_of(values, st.sampled_from(words), st.sampled_from(words).map(str.upper))
    if pattern is not None:
        # Python's `$` also stands before a last line end, XML Schema has no anchors at all.
        whole = re.compile(pattern.removeprefix("^").removesuffix("$"), re.ASCII)
        values = st.one_of(values, st.from_regex(whole, fullmatch=True), st.from_regex(whole))

    @settings(max_examples=40, database=None, deadline=None)
    @given(values)
    @example(LONG[-2])
    @example(LONG[3])
    def check(text: str) -> None:
        if UNWRITABLE.search(text):
            return
        element = etree.Element(f"{{{namespace(database.name)}}}value")
        element.text = text
        by_contract = xsd.validate(element)
        try:
            by_model = adapter.validate_python(text, strict=True) is not None
            ours = False
        except ValidationError as error:
            by_model = False
            # What only our own code knows: a check digit, a day that never was, an unassigned character.
            ours = all(each["type"] == "value_error" for each in error.errors())
        assert by_contract or not by_model
        if pattern is not None:
            assert by_contract == (whole.fullmatch(text) is not None)
        elif by_contract and not by_model:
            assert ours

    check()


def test_it_would_notice() -> None:
    """The comparison is no tautology: a pattern of one digit more is told apart."""
    xsd = SCHEMAS["population"]
    wrapper = f'<Person xmlns="{namespace("population")}"><personalId>%s</personalId></Person>'
    assert xsd.validate(etree.fromstring(wrapper % ("0" * 12)))
    assert not xsd.validate(etree.fromstring(wrapper % ("0" * 11)))
    assert not xsd.validate(etree.fromstring(wrapper % ("0" * 13)))
    assert not xsd.validate(etree.fromstring(wrapper % (" " + "0" * 12)))
    assert not xsd.validate(etree.fromstring(wrapper % ("０" * 12)))
