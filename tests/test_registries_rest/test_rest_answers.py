"""How single answers of the sources are read: result codes, quirks, values without a word of ours."""

import json
from typing import Any

import pytest

from adapters import civil_status, enterprise, social_insurance
from adapters.bindings import Expected
from adapters.dispatch import compile_codecs
from adapters.social_insurance import token_ended
from adapters.transport import Reply
from config.settings import Endpoint
from schemas.errors import (
    Ambiguous,
    GatewayError,
    Invalid,
    NoRecord,
    UpstreamRefused,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from schemas.exchange import Answer, Database

CODECS = compile_codecs(
    (enterprise.DATABASE, social_insurance.DATABASE, civil_status.DATABASE),
    dict.fromkeys(
        ("enterprise", "social-insurance", "health-card", "civil-status"),
        Endpoint(url="http://127.0.0.1:1", params={"hoTenCb": "A", "cccdCb": "B", "maDonVi": "C"}),
    ),
)


def read(database: Database, name: str, body: Any, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CODECS[database.name, name].read(Reply(status, {}, content), Expected("id"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("000", "valid"),
        ("003", "replaced"),
        ("010", "expired"),
        ("110", "revoked"),
        *((str(code), "reduced") for code in range(120, 125)),
    ],
)
def test_a_card_is_answered_with_how_it_stands(code: str, status: str) -> None:
    answer = read(social_insurance.DATABASE, "health-card", {"maKetQua": code, "maThe": "DN4797912345678"})
    assert answer.data["status"] == status
    operation = social_insurance.DATABASE.operation("health-card")
    assert operation is not None
    assert operation.examine is not None
    question: Any = None
    notices = [notice.code for notice in operation.examine(question, answer.data)]
    assert notices == ([] if status == "valid" else [f"card-{status}"])


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("050", NoRecord),
        ("051", Invalid),
        ("052", Invalid),
        ("053", Invalid),
        ("060", NoRecord),
        ("061", NoRecord),
        ("070", NoRecord),
        ("080", NoRecord),
        ("100", UpstreamUnavailable),
        ("101", UpstreamUnavailable),
        ("401", UpstreamRefused),
        ("999", UpstreamRefused),
        (None, UpstreamUnreadable),
    ],
)
def test_a_card_that_is_not_answered_has_its_error(code: str | None, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        read(social_insurance.DATABASE, "health-card", {"maKetQua": code, "maThe": "DN4797912345678"})


@pytest.mark.parametrize(
    ("code", "error"),
    [("1", NoRecord), ("2", Ambiguous), ("3", UpstreamRefused), ("9", UpstreamUnavailable), ("7", UpstreamRefused)],
)
@pytest.mark.parametrize("operation", ["participant", "find-number", "household"])
def test_insurance_result_codes(operation: str, code: str, error: type[GatewayError]) -> None:
    for written in (code, int(code)):
        with pytest.raises(error):
            read(social_insurance.DATABASE, operation, {"errorCode": written})


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("201", NoRecord),
        *((code, UpstreamRefused) for code in ("100", "101", "106", "108", "200", "302", "500", "12345")),
    ],
)
@pytest.mark.parametrize("operation", ["birth", "marriage", "death", "marital-status"])
def test_civil_status_error_codes(operation: str, code: str, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        read(civil_status.DATABASE, operation, {"trangThai": "0", "maLoi": code, "data": ""})


def _civil(data: str) -> dict[str, str]:
    return {"trangThai": "1", "maLoi": "", "moTaLoi": "", "data": data}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("", NoRecord),
        ("<hotich/>", NoRecord),
        ("<hotich><hoso><so>1</so></hoso><hoso><so>2</so></hoso></hotich>", Ambiguous),
        ("<hotich><hoso><so>1</so>", UpstreamUnreadable),
        ("<hotich><hoso><so>1</so><so>2</so></hoso></hotich>", UpstreamUnreadable),
        ("<hotich><hoso><so><b>1</b></so></hoso></hotich>", UpstreamUnreadable),
        ('<!DOCTYPE a [<!ENTITY b "c">]><hotich><hoso><so>&b;</so></hoso></hotich>', UpstreamUnreadable),
    ],
)
def test_xml_inside_json_is_held_to_its_contract(data: str, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        read(civil_status.DATABASE, "birth", _civil(data))


def test_civil_status_values() -> None:
    data = (
        '<hotich><hoso xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><so> 007 </so><quyenSo/>'
        '<trangSo xsi:nil="true"/><nguoiKy>   </nguoiKy><nksHoTen>  Đỗ &amp; &lt;con&gt; </nksHoTen>'
        "<nksGioiTinh>7</nksGioiTinh><nksNgaySinh>02/1950</nksNgaySinh><meNgaySinh>1920</meNgaySinh>"
        "<chaNgaySinh>31/02/1950</chaNgaySinh></hoso></hotich>"
    )
    answer = read(civil_status.DATABASE, "birth", _civil(data))
    assert answer.data["number"] == " 007 "
    assert answer.data["book"] == ""
    assert answer.data["page"] is None
    assert answer.data["signer"] is None
    assert answer.data["full_name"] == "  Đỗ & <con> "
    assert answer.data["sex"] is None
    assert (answer.data["birth_date"], answer.data["mother_birth_date"]) == ("1950-02", "1920")
    assert answer.data["father_birth_date"] is None
    assert [(notice.code, notice.pointer, notice.detail) for notice in answer.warnings] == [
        ("unmapped-code", "/data/sex", "7"),
        ("unreadable-value", "/data/father_birth_date", "31/02/1950"),
    ]


def _enterprise(**members: Any) -> dict[str, Any]:
    return {"Status": "1", "Message": "success", "DataCount": 1, "MainInformation": {"NAME": "A"}, **members}


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({"FULL_NAME": "An"}, ["An"]),
        ([{"FULL_NAME": "An"}], ["An"]),
        ([{"FULL_NAME": "An"}, {"FULL_NAME": "Bình"}], ["An", "Bình"]),
        ([], []),
        (None, []),
        ("", []),
    ],
)
def test_representatives_are_always_a_list(sent: Any, names: list[str]) -> None:
    data = read(enterprise.DATABASE, "enterprise", _enterprise(Representatives=sent)).data
    assert [person["full_name"] for person in data["representatives"]] == names
    assert data["members"] == []
    assert data["head_office"] is None


@pytest.mark.parametrize(
    "text", ["1500000000", "1500000000.500", "0.10", '"0012.50"', "123456789012345678901234567890"]
)
def test_amounts_keep_every_digit(text: str) -> None:
    body = b'{"Status":"1","Message":"success","MainInformation":{"CAPITAL_AMOUNT":' + text.encode() + b"}}"
    assert read(enterprise.DATABASE, "enterprise", body).data["capital"] == text.strip('"')


@pytest.mark.parametrize(
    ("message", "error"),
    [("NOT_FOUND", NoRecord), ("INVALID_PARAMETER", UpstreamRefused), ("Lỗi hệ thống", UpstreamRefused)],
)
@pytest.mark.parametrize("operation", ["enterprise", "registration-status"])
def test_messages_of_the_enterprise_registry(operation: str, message: str, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        read(enterprise.DATABASE, operation, {"Status": "0", "Message": message, "DataCount": 0})


@pytest.mark.parametrize("status", [400, 403, 404, 415])
@pytest.mark.parametrize("database", [enterprise.DATABASE, social_insurance.DATABASE, civil_status.DATABASE])
def test_the_platforms_refusals_do_not_pass_through(database: Database, status: int) -> None:
    for operation in database.operations:
        with pytest.raises(UpstreamRefused):
            read(database, operation.name, {"fault": {"code": 900900}}, status)


@pytest.mark.parametrize(
    ("reply", "ended"),
    [
        (Reply(401, {}, b""), True),
        (Reply(200, {}, b'{"maKetQua":"401"}'), True),
        (Reply(200, {}, b'{"maKetQua":401}'), True),
        (Reply(200, {}, b'{"maKetQua":"000"}'), False),
        (Reply(200, {}, b"[]"), False),
        (Reply(500, {}, b"<html>"), False),
    ],
)
def test_the_end_of_a_token_at_the_hospital_gateway(reply: Reply, ended: bool) -> None:
    assert token_ended(reply) is ended
