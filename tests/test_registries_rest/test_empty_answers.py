"""Answers that hold no record: only what the declaration calls none is told as `no-record`, the rest is unreadable."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from adapters.schemes import NoLogin
from config.settings import Endpoint
from schemas.errors import GatewayError, NoRecord, UpstreamRefused, UpstreamUnreadable
from schemas.exchange import Answer
from tests.test_registries_rest.wiring import DATABASES, Gateway
from tests.test_translation.foreign import Flat, Source, asked, binding_of, database_of, http, listening

PARAMS = {"hoTenCb": "A", "cccdCb": "B", "maDonVi": "C"}
NUMBER = {"personal_id": "001085012345"}
PERSON = {"full_name": "Nguyễn Văn An", "birth_date": "1985-04-12"}
QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "birth": NUMBER,
    "marriage": NUMBER,
    "death": NUMBER,
    "marital-status": NUMBER,
    "enterprise": {"code": "0100109106"},
    "registration-status": {"journal_number": "1"},
    "participant": {"number": "7912345678"},
    "find-number": PERSON | {"sex": "male", "province": "79", "address_kind": "household"},
    "household": PERSON | {"sex": "male", "province": "79", "address_kind": "household"},
    "health-card": PERSON | {"card_number": "DN4797912345678"},
}


async def told(name: str, operation: str, answer: Any) -> Answer:
    """What the gateway makes of the JSON that a source answers on a socket, its log-in left out."""
    database = replace(DATABASES[name], logins=dict.fromkeys(DATABASES[name].logins, NoLogin()))
    async with listening(Source(http(json.dumps(answer).encode(), b"application/json"))) as url:
        endpoint = Endpoint(url=url, params=PARAMS)
        links = {one: Link(one, endpoint, NoLogin()) for one in database.logins}
        try:
            gateway = Gateway(dispatch(compile_codecs([database], dict.fromkeys(links, endpoint)), links))
            return await gateway.ask(name, operation, QUESTIONS[operation])
        finally:
            for link in links.values():
                await link.close()


async def refused(name: str, operation: str, answer: Any, error: type[GatewayError]) -> None:
    with pytest.raises(error) as caught:
        await told(name, operation, answer)
    assert type(caught.value) is error


def _civil(**members: Any) -> dict[str, Any]:
    return {"trangThai": "1", "maLoi": "", "moTaLoi": "", **members}


NOTHING_HELD = {
    "null": None,
    "empty": "",
    "root": "<hotich/>",
    "root-with-end-tag": "<hotich></hotich>",
    "root-with-white-space": "<hotich>\n  </hotich>",
    "nil-root": '<hotich xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>',
    "empty-record": "<hotich><hoso/></hotich>",
    "nil-record": '<hotich><hoso xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/></hotich>',
}


@pytest.mark.parametrize("case", NOTHING_HELD)
@pytest.mark.parametrize("operation", ["birth", "marriage", "death", "marital-status"])
async def test_a_civil_record_that_is_not_there_is_said_so(operation: str, case: str) -> None:
    await refused("civil-status", operation, _civil(data=NOTHING_HELD[case]), NoRecord)


NOT_HELD = {
    "object": {"a": 1},
    "list": [],
    "list-of-text": ["<hotich/>"],
    "true": True,
    "false": False,
    "number": 0,
    "blank": " ",
    "error": "<error>x</error>",
    "page": "<html><body>x</body></html>",
    "no-xml": "x",
    "other-root": "<HoTich/>",
    "root-in-a-namespace": '<hotich xmlns="urn:x"/>',
    "record-as-root": "<hoso><so>1</so></hoso>",
    "other-records": "<hotich><ban><so>1</so></ban></hotich>",
    "record-in-a-namespace": '<hotich><hoso xmlns="urn:x"><so>1</so></hoso></hotich>',
    "text-in-the-root": "<hotich>x</hotich>",
    "other-members": "<hotich><hoso><x>1</x></hoso></hotich>",
    "text-for-a-record": "<hotich><hoso>x</hoso></hotich>",
}


@pytest.mark.parametrize("case", NOT_HELD)
@pytest.mark.parametrize("operation", ["birth", "marital-status"])
async def test_what_holds_no_civil_record_is_not_taken_for_none(operation: str, case: str) -> None:
    await refused("civil-status", operation, _civil(data=NOT_HELD[case]), UpstreamUnreadable)


async def test_a_civil_answer_without_its_document_is_unreadable() -> None:
    await refused("civil-status", "birth", _civil(), UpstreamUnreadable)


@pytest.mark.parametrize("data", [None, "", "<hotich/>", "<hotich><hoso><so>1</so></hoso></hotich>"])
async def test_a_failure_of_the_civil_registry_is_no_statement_about_anybody(data: Any) -> None:
    await refused("civil-status", "birth", _civil(trangThai="0", data=data), UpstreamRefused)
    await refused("civil-status", "birth", _civil(trangThai=None, data=data), UpstreamUnreadable)


async def test_a_civil_record_may_hold_more_than_is_declared() -> None:
    held = '<hotich phienBan="2"><dau>x</dau><hoso><so>1</so><x>2</x></hoso></hotich>'
    assert (await told("civil-status", "birth", _civil(data=held))).data["number"] == "1"


def _enterprise(**members: Any) -> dict[str, Any]:
    return {"Status": "1", "Message": "success", "DataCount": 1, **members}


BESIDE = {"Representatives": [{"FULL_NAME": "An"}], "x": 1}


@pytest.mark.parametrize("main", [None, "", {}, [], [{}]], ids=json.dumps)
@pytest.mark.parametrize("operation", ["enterprise", "registration-status"])
async def test_an_enterprise_without_its_main_part_is_none(operation: str, main: Any) -> None:
    await refused("enterprise", operation, _enterprise(MainInformation=main), NoRecord)


MAINS = [{"MainInformation": {"X": 1}}, {"MainInformation": {"NAME": None}}, {"MainInformation": {"NAME": ""}}, {}]


@pytest.mark.parametrize("main", MAINS, ids=json.dumps)
@pytest.mark.parametrize("beside", [{}, BESIDE], ids=["alone", "beside"])
@pytest.mark.parametrize("operation", ["enterprise", "registration-status"])
async def test_success_that_says_nothing_of_an_enterprise_is_unreadable(
    operation: str, beside: dict[str, Any], main: dict[str, Any]
) -> None:
    await refused("enterprise", operation, _enterprise(**main, **beside), UpstreamUnreadable)


@pytest.mark.parametrize("more", [{}, {"x": 1}, {"hoTen": None, "maThe": ""}, {"hoTen": " "}], ids=json.dumps)
@pytest.mark.parametrize("operation", ["participant", "find-number", "household", "health-card"])
async def test_success_that_says_nothing_of_an_insured_person_is_unreadable(
    operation: str, more: dict[str, Any]
) -> None:
    verdict = {"maKetQua": "000"} if operation == "health-card" else {"errorCode": "0"}
    await refused("social-insurance", operation, verdict | more, UpstreamUnreadable)


async def test_a_value_without_a_word_of_ours_is_something_said() -> None:
    answer = await told("enterprise", "enterprise", _enterprise(MainInformation={"ENTERPRISE_TYPE_ID": "77"}))
    assert [notice.code for notice in answer.warnings] == ["unmapped-code"]


@pytest.mark.parametrize("code", ["001077012345", "A1", "0912345678", "số 001077012345"])
async def test_a_result_code_that_is_not_declared_is_not_repeated(code: str) -> None:
    for name, operation, answer in (
        ("social-insurance", "participant", {"errorCode": code}),
        ("civil-status", "birth", _civil(trangThai="0") | {"maLoi": code, "data": ""}),
        ("enterprise", "enterprise", {"Status": "0", "Message": code}),
    ):
        with pytest.raises(UpstreamRefused) as caught:
            await told(name, operation, answer)
        assert (caught.value.detail.en, code in caught.value.detail.vi) == ("The source's result code is ?", False)


@pytest.mark.parametrize(
    ("answer", "error"),
    [({"Thu": None}, NoRecord), ({"Thu": {}}, NoRecord), ({"Thu": []}, NoRecord), ({}, UpstreamUnreadable)],
    ids=["null", "object", "list", "nothing"],
)
async def test_a_record_of_its_own_that_is_not_there(answer: Any, error: type[GatewayError]) -> None:
    with pytest.raises(error) as caught:
        await asked(database_of(binding_of("rest"), Flat), http(json.dumps(answer).encode(), b"application/json"))
    assert type(caught.value) is error
