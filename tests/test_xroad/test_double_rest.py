"""The security-server double towards a REST asker: right requests pass, each rule catches what breaks it alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.test_xroad.double.asking import (
    SERVICES,
    ask,
    rules,
)
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.messages import (
    NUMBER,
    REST_HEADERS,
    REST_TARGET,
)
from tests.test_xroad.double.rest_message import read_rest


@pytest.fixture
async def server() -> AsyncIterator[ConsumerServer]:
    async with ConsumerServer(SERVICES) as started:
        yield started


async def test_a_right_rest_request_is_answered_with_the_hash_of_the_servers_bytes(server: ConsumerServer) -> None:
    status, headers, body = await ask(server)
    assert (status, body) == (200, b'{"found":2}')
    assert server.violations == []
    answered = {name.lower(): value for name, value in headers}
    request_id = answered["x-road-request-id"]
    # Written out by hand, in the order in which aiohttp's client sends these headers.
    sent = [each for each in server.calls[0].headers if each[0] not in ("Host", "User-Agent", "Connection")]
    text = f"GET\r\n{REST_TARGET}\r\n" + "".join(f"{name}:{value}\r\n" for name, value in sent)
    text += f"x-road-request-id:{request_id}\r\n"
    assert answered["x-road-request-hash"] == base64.b64encode(hashlib.sha512(text.encode()).digest()).decode()
    assert answered["x-road-client"] == "VN/GOV/G01/DVC"
    assert answered["x-road-service"] == "VN/GOV/G02/LGSP/people"
    assert [value for name, value in headers if name.lower() == "x-road-id"] == [NUMBER]


def test_the_hash_of_a_request_with_a_body_covers_both_and_the_number_the_server_gave() -> None:
    body = "Á".encode()
    sent = [("X-Road-Client", "VN/GOV/G01"), ("content-type", "text/plain"), ("Content-Length", "2"), ("Te", "x")]
    request, found = read_rest("POST", "/r1/VN/GOV/G02/LGSP/echo", sent, body)
    assert request is not None
    assert found == []
    assert request.path == ""
    text = (
        "POST\r\n/r1/VN/GOV/G02/LGSP/echo\r\nX-Road-Client:VN/GOV/G01\r\ncontent-type:text/plain\r\n"
        f"x-road-request-id:{request.request_id}\r\nx-road-id:{request.id}\r\n"
    )
    inner = hashlib.sha512(text.encode()).digest() + hashlib.sha512(body).digest()
    assert request.hash() == base64.b64encode(hashlib.sha512(inner).digest()).decode()
    assert request.id.startswith("VN-")


REST_RULES: dict[str, tuple[str, dict[str, str], str | None]] = {
    "rest-version": ("/r2/VN/GOV/G02/LGSP/people", {}, "internal_error"),
    "rest-path-parts": ("/r1/VN/GOV/G02/people", {}, "internal_error"),
    "identifier-parts": ("/r1/VN//G02/LGSP/people", {}, "internal_error"),
    "rest-percent": ("/r1/VN/GOV/G02/LGSP%C3/people", {}, "internal_error"),
    "identifier-characters": ("/r1/VN/GOV/G02/LGSP/peop%2Fle", {}, None),
    "rest-client-parts": (REST_TARGET, {"X-Road-Client": "VN%2FGOV%2FG01%2FDVC"}, "internal_error"),
    "rest-answer-header": (REST_TARGET, {"X-Road-Service": "VN/GOV/G02/LGSP/people"}, None),
    "id-empty": (REST_TARGET, {"X-Road-Id": " "}, None),
    "user-id": (REST_TARGET, {"X-Road-UserId": "officer"}, None),
    "issue": (REST_TARGET, {"X-Road-Issue": ""}, None),
    "rest-security-server": (REST_TARGET, {"X-Road-Security-Server": "VN/GOV/G02"}, "internal_error"),
    "rest-represented-party": (REST_TARGET, {"X-Road-Represented-Party": "A/B/C"}, "internal_error"),
}


@pytest.mark.parametrize("rule", REST_RULES)
async def test_each_rest_rule_catches_the_request_that_breaks_it(server: ConsumerServer, rule: str) -> None:
    target, changed, code = REST_RULES[rule]
    status, headers, _ = await ask(server, target, dict(REST_HEADERS) | changed)
    assert rules(server.violations) == [rule]
    errors = [value for name, value in headers if name == "X-Road-Error"]
    if code:
        assert (status, errors) == (500, [f"server.clientproxy.{code}"])
    else:
        assert "server.clientproxy" not in "".join(errors)


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        pytest.param([("Accept", "*/*")], "rest-client-missing", id="no client"),
        pytest.param([*REST_HEADERS, REST_HEADERS[0]], "rest-client-repeated", id="two clients"),
        pytest.param([*REST_HEADERS, REST_HEADERS[2]], "rest-header-repeated", id="two users"),
    ],
)
async def test_the_number_of_x_road_headers_is_checked(
    server: ConsumerServer, headers: list[tuple[str, str]], rule: str
) -> None:
    await ask(server, REST_TARGET, headers)
    assert rules(server.violations) == [rule]


@pytest.mark.parametrize("part", ["LG SP", "LG%4SP", "LGSP%", 'LG"SP', "LG%C3SP"])
def test_each_part_is_encoded_for_itself(part: str) -> None:
    _, found = read_rest("GET", f"/r1/VN/GOV/G02/{part}/people", REST_HEADERS, b"")
    assert [each.text for each in found if each.rule == "rest-percent"] != []
    _, found = read_rest("GET", REST_TARGET, [("X-Road-Client", f"VN/GOV/{part}")], b"")
    assert "rest-percent" in rules(found)


def test_a_strange_verb_and_a_body_of_no_type_are_seen() -> None:
    assert rules(read_rest("LINK", REST_TARGET, REST_HEADERS, b"")[1]) == ["rest-verb"]
    assert rules(read_rest("POST", REST_TARGET, REST_HEADERS, b"{}")[1]) == ["rest-content-type"]


async def test_errors_say_whose_they_are_in_the_language_that_was_asked_for(server: ConsumerServer) -> None:
    kinds = {"application/json": "application/json", "text/xml": "text/xml", "*/*": "application/json"}
    for accept, kind in kinds.items():
        status, headers, body = await ask(server, "/r1/VN/GOV/G02/LGSP/nobody", dict(REST_HEADERS) | {"Accept": accept})
        said = dict(headers)
        assert (status, said["X-Road-Error"]) == (500, "server.serverproxy.unknown_service")
        assert said["Content-Type"] == f"{kind};charset=utf-8"
        assert b"server.serverproxy.unknown_service" in body


@pytest.mark.parametrize(
    ("kind", "name", "count"),
    [
        pytest.param("drop-header", "x-road-id", 0, id="drop-header"),
        pytest.param("no-request-hash", "x-road-request-hash", 0, id="no-request-hash"),
        pytest.param("repeated-response-header", "x-road-id", 2, id="repeated-response-header"),
        pytest.param("change-value", "x-road-id", 1, id="change-value"),
        pytest.param("change-service", "x-road-service", 1, id="change-service"),
        pytest.param("wrong-request-hash", "x-road-request-hash", 1, id="wrong-request-hash"),
    ],
)
async def test_a_spoiled_rest_answer_differs_in_the_named_way(
    server: ConsumerServer, kind: str, name: str, count: int
) -> None:
    server.misbehave(kind)
    right = {"x-road-id": NUMBER, "x-road-service": "VN/GOV/G02/LGSP/people"}
    _, headers, _ = await ask(server)
    values = [value for each, value in headers if each.lower() == name]
    assert len(values) == count
    assert values[-1:] != [right.get(name)]
    if kind == "wrong-request-hash":
        assert values == ["A" * 86 + "=="]
