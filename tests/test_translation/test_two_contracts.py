"""One database behind two different contracts: the declaration says the difference, the data is the same."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from zeep.xsd import Nil

from adapters.bindings import Codec, Expected
from adapters.contract_check import hold_to_contracts
from adapters.site import Site
from adapters.transport import Reply
from config.settings import ConfigurationError, Endpoint
from schemas.exchange import Database
from security.xml import parse
from tests.test_oracles.asking import exchange_of, gateway_to
from tests.test_translation.foreign import Source, asked, envelope, http, listening, same
from tests.test_translation.permits import (
    ANSWERS,
    BARE,
    DATA,
    DATABASES,
    OtherAsk,
    OtherPermit,
    binding_of,
    read_by_zeep,
)


@pytest.mark.parametrize("name", DATABASES)
async def test_one_permit_is_the_same_behind_every_contract(name: str) -> None:
    database = DATABASES[name]
    hold_to_contracts([database])
    same(await asked(database, http(envelope(ANSWERS[name], binding_of(database).version))), DATA)


@pytest.mark.parametrize("name", BARE)
async def test_what_is_not_known_is_the_same_too(name: str) -> None:
    nothing = dict.fromkeys(DATA) | {"number": "1", "parts": []}
    same(await asked(DATABASES[name], http(envelope(BARE[name], binding_of(DATABASES[name]).version))), nothing)


@pytest.mark.parametrize("name", DATABASES)
def test_the_contract_of_another_is_refused_at_the_start(name: str) -> None:
    for other, database in DATABASES.items():
        mine: Any = DATABASES[name].operations[0].binding
        theirs: Any = database.operations[0].binding
        if other != name:
            changed = replace(mine, wsdl=theirs.wsdl)
            operation = replace(DATABASES[name].operations[0], binding=changed)
            with pytest.raises(ConfigurationError, match="do not agree"):
                hold_to_contracts([replace(DATABASES[name], wsdl=theirs.wsdl, operations=(operation,))])


@pytest.mark.parametrize("name", DATABASES)
async def test_each_is_asked_in_its_own_words(name: str) -> None:
    """zeep reads what was sent, from the contract alone."""
    database = DATABASES[name]
    binding = binding_of(database)
    contract = read_by_zeep(binding)
    element = contract.types.get_element(f"{{{binding.request[0]}}}Hoi")
    source = Source(http(envelope(ANSWERS[name], binding.version)))
    numbers = ["00", "a & <b>", " 1 ", "Nguyễn"]
    async with listening(source) as url, gateway_to(database, Endpoint(url=url)) as gateway:
        for number in numbers:
            await gateway.ask("thing", {"number": number})
    read = []
    for heard in source.heard:
        (body,) = parse(heard.partition(b"\r\n\r\n")[2])
        found = element.parse(body[0], contract.types)
        read.append(found.key.value if database.operations[0].question is OtherAsk else found.So)
    assert read == numbers


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n &<>\"'e\u0323"),
    max_size=12,
)
amounts = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,9})?", fullmatch=True)
dates = st.dates().filter(lambda day: day.year >= 1000).map(str)
permits = st.fixed_dictionaries(
    {
        "number": texts,
        "holder": st.none() | texts,
        "issued": st.none() | dates | dates.map(lambda day: day[:7]) | dates.map(lambda day: day[:4]),
        "pages": st.none() | st.integers(-(2**31), 2**31 - 1),
        "valid": st.none() | st.booleans(),
        "status": st.none() | st.sampled_from(["open", "closed"]),
        "parts": st.lists(st.fixed_dictionaries({"name": texts, "amount": st.none() | amounts}), max_size=3),
    }
)


def first(permit: dict[str, Any]) -> dict[str, Any]:
    """What zeep is given to write this permit by the first contract."""
    parts = [{"Ten": part["name"], "SoTien": part["amount"]} for part in permit["parts"]]
    return {
        "So": permit["number"],
        "ChuGiayPhep": {"Ten": permit["holder"]},
        "NgayCap": Nil if permit["issued"] is None else permit["issued"],
        "SoTrang": permit["pages"],
        "HieuLuc": Nil if permit["valid"] is None else permit["valid"],
        "TrangThai": {"open": "1", "closed": "2", None: None}[permit["status"]],
        "DanhSach": {"Muc": parts},
    }


def other(permit: dict[str, Any]) -> dict[str, Any]:
    """The same by the other contract."""
    day = permit["issued"]
    written = {
        "no": permit["number"],
        "item": [{"label": {"text": part["name"]}, "amount": part["amount"]} for part in permit["parts"]],
        "holderName": permit["holder"],
        "isValid": {True: "Y", False: "N", None: None}[permit["valid"]],
        "meta": {
            "issue": None if day is None else {"date": "/".join(reversed(day.split("-")))},
            "pages": permit["pages"],
        },
    }
    return written | (
        {} if permit["status"] is None else {"state": {"open": "OPEN", "closed": "DONE"}[permit["status"]]}
    )


def codec_of(database: Database) -> Codec:
    operation = database.operations[0]
    binding: Any = operation.binding
    codec: Codec = binding.compile(operation, Site("foreign", Endpoint(url="http://127.0.0.1:1")))
    return codec


def said_again(value: Any) -> Any:
    """What is read of a text that is blank, which says nothing."""
    if isinstance(value, str):
        return None if value and value.isspace() else value
    if isinstance(value, list):
        return [said_again(item) for item in value]
    return {name: said_again(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("name", DATABASES)
def test_whatever_zeep_writes_by_a_contract_is_read_as_it_was_said(name: str) -> None:
    database = DATABASES[name]
    binding = binding_of(database)
    contract = read_by_zeep(binding)
    element = contract.types.get_element(f"{{{binding.answer[0]}}}HoiResponse")
    codec = codec_of(database)

    @settings(max_examples=200, deadline=None)
    @given(permits)
    def agree(permit: dict[str, Any]) -> None:
        is_other = database.operations[0].answer is OtherPermit
        value = {"results": {"permit": [other(permit)]}} if is_other else {"GiayPhep": first(permit)}
        holder = etree.Element("holder")
        element.render(holder, element(**value))
        body = envelope(etree.tostring(holder[0], encoding="unicode"), binding.version)
        answer = codec.read(Reply(200, {}, body), Expected("m"))
        assert answer.data == said_again(permit)
        assert answer.warnings == ()

    agree()


@pytest.mark.parametrize("name", DATABASES)
def test_whatever_is_asked_is_sent_as_it_was_said(name: str) -> None:
    database = DATABASES[name]
    codec = codec_of(database)
    operation = database.operations[0]

    @settings(max_examples=200, deadline=None)
    @given(texts)
    def agree(number: str) -> None:
        message, _ = codec.write(exchange_of(database, operation, {"number": number}))
        (body,) = parse(message.body)
        question: Any = operation.question
        # The value of the model: questions are brought to NFC on the way in.
        assert "".join(body.itertext()) == question(number=number).number

    agree()
