"""A question over SOAP is the one that the same JSON makes over REST, however it was written; so are its flaws."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zeep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from pydantic import ValidationError

from adapters import DATABASES
from adapters.encoding import UNWRITABLE
from routes.flaws import flaws_of
from routes.openapi_models import model_schemas, schema_name
from routes.soap.envelopes import read_unsigned
from routes.soap.questions import question_reader
from routes.soap.wsdl import database_wsdl
from sandbox.run import REGISTRIES
from sandbox.truth import dump
from sandbox.world.world import World
from schemas.errors import Invalid
from schemas.exchange import Database, Operation
from security.xml import compile_schema
from tests.test_soap_contract.test_contract import EACH
from tests.test_soap_face.both import camel, pascal
from tests.test_soap_face.generated import TEXT, value
from tests.test_soap_face.messages import SOAP

EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
CONTRACTS = {database.name: database_wsdl(database, "http://x") for database in DATABASES}
SCHEMAS = {name: compile_schema(text) for name, text in CONTRACTS.items()}
REAL: dict[str, list[dict[str, Any]]] = {}
for line in map(json.loads, dump(World(7, 30), REGISTRIES)):
    REAL.setdefault(f"{line['database']}/{line['operation']}", []).append(line["request"])
PREFIXES = st.from_regex("[a-zA-Z_][a-zA-Z0-9_.-]{0,8}", fullmatch=True).filter(lambda name: name[:3].lower() != "xml")
NOISE = st.sampled_from(["", " ", "\n  ", "<!-- optional -->", "\t<!---->\r\n"])


@st.composite
def values(draw: st.DrawFn, database: Database, operation: Operation) -> dict[str, Any]:
    """Members in their order: a question about somebody of the sandbox, or right ones, null, absent, any text."""
    if draw(st.booleans()):
        asked = draw(st.sampled_from(REAL[f"{database.name}/{operation.name}"]))
        return {name: asked[name] for name in operation.question.model_fields if name in asked}
    schema = model_schemas((database,))[schema_name(database, operation.question)]
    found = {}
    for name in operation.question.model_fields:
        right = value(schema["properties"][name]).filter(lambda text: not UNWRITABLE.search(text))
        one = draw(st.one_of(right, right, right, st.none(), st.just(...), TEXT))
        if one is not ...:
            found[name] = one
    return found


def character_data(dice: Random, text: str) -> str:
    """A text as character data: plain, with references, in CDATA sections, with comments in between."""
    parts = []
    for character in text:
        how = dice.randrange(10)
        if how == 0:
            parts.append(f"&#{ord(character)};")
        elif how == 1:
            parts.append(f"&#x{ord(character):X};<!--x-->")
        elif how == 2 and character not in "]>\r":
            parts.append(f"<![CDATA[{character}]]>")
        elif character in "&<>\r":
            # A line end of another system has to be written as a reference: XML reads a plain one as \n.
            parts.append({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}[character])
        else:
            parts.append(character)
    return "".join(parts)


@st.composite
def written(draw: st.DrawFn, database: Database, operation: Operation, asked: dict[str, Any]) -> bytes:
    """The question in an envelope, as one of many hands could write it."""
    soap, ours, xsi = draw(st.lists(PREFIXES, min_size=3, max_size=3, unique=True))
    own = draw(st.booleans())
    dice = draw(st.randoms(use_true_random=False))
    at = f"{ours}:" if own else ""
    parts = []
    for name, one in asked.items():
        tag = f"{at}{camel(name)}"
        if one is None:
            parts.append(f'<{tag} {xsi}:nil="{draw(st.sampled_from(["true", "1"]))}"/>')
        elif one == "" and draw(st.booleans()):
            parts.append(f"<{tag}/>")
        else:
            parts.append(f"<{tag}>{character_data(dice, one)}</{tag}>")
    noise = draw(st.lists(NOISE, min_size=len(parts) + 1, max_size=len(parts) + 1))
    inside = noise[0] + "".join(part + between for part, between in zip(parts, noise[1:], strict=True))
    declared = f'xmlns{":" + ours if own else ""}="urn:lgsp:{database.name}:1"'
    wrapper = f"{at}{pascal(operation.name)}"
    return (
        f'<{soap}:Envelope xmlns:{soap}="{SOAP["1.1"]}" xmlns:{xsi}="http://www.w3.org/2001/XMLSchema-instance">'
        f"<{soap}:Body>{noise[0]}<{wrapper} {declared}>{inside}</{wrapper}></{soap}:Body></{soap}:Envelope>"
    ).encode()


def outcome(work: Any) -> Any:
    """The question, or what is wrong with it: places with sentences."""
    try:
        return work()
    except Invalid as refused:
        return sorted((flaw.pointer, flaw.detail.en) for flaw in refused.flaws)


@EACH
def test_the_question_is_that_of_rest(database: Database, operation: Operation) -> None:
    read = question_reader(database, operation, SCHEMAS[database.name])
    root = f"/{pascal(operation.name)}"
    seen = {"right": 0, "wrong": 0}

    def rest(asked: dict[str, Any]) -> Any:
        try:
            return operation.question.model_validate(asked)
        except ValidationError as error:
            flaws = flaws_of(error)
        # A question is flat: a place is a member, or the whole.
        places = [f"{root}/{camel(flaw.pointer[1:])}" if flaw.pointer else root for flaw in flaws]
        return sorted(zip(places, [spelled(flaw.detail.en) for flaw in flaws], strict=True))

    def spelled(sentence: str) -> str:
        """The sentence with the names that a SOAP caller knows."""
        words = {name: camel(name) for name in operation.question.model_fields}
        return " ".join(
            words.get(word.strip(","), word.strip(",")) + "," * word.endswith(",") for word in sentence.split(" ")
        )

    @EXAMPLES
    @given(st.data())
    def check(data: st.DataObject) -> None:
        asked = data.draw(values(database, operation))
        document = data.draw(written(database, operation, asked))
        expected = rest(asked)
        assert outcome(lambda: read(read_unsigned(document, "1.1").payload)) == expected
        seen["wrong" if isinstance(expected, list) else "right"] += 1

    check()
    assert min(seen.values()) > 0, seen


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zeep.Client]:
    folder = tmp_path_factory.mktemp("contracts")
    made = {}
    for name, text in CONTRACTS.items():
        path: Path = folder / f"{name}.wsdl"
        path.write_bytes(text)
        made[name] = zeep.Client(str(path))
    return made


@EACH
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_what_zeep_writes(
    clients: dict[str, zeep.Client], database: Database, operation: Operation, version: str
) -> None:
    """A whole message by the contract, as zeep makes it."""
    client = clients[database.name]
    read = question_reader(database, operation, SCHEMAS[database.name])
    binding = f"{{urn:lgsp:{database.name}:1}}{pascal(database.name)}Soap{version.replace('.', '')}"
    service = client.create_service(binding, "http://x")

    seen: list[object] = []

    @settings(EXAMPLES, max_examples=12)
    @given(values(database, operation))
    def check(asked: dict[str, Any]) -> None:
        try:
            expected = operation.question.model_validate(asked)
        except ValidationError:
            return
        given_ = {camel(name): zeep.xsd.Nil if one is None else one for name, one in asked.items()}
        envelope = client.create_message(service, pascal(operation.name), **given_)
        message = read_unsigned(etree.tostring(envelope), version)  # type: ignore[arg-type]
        assert read(message.payload) == expected
        seen.append(expected)

    check()
    assert seen
