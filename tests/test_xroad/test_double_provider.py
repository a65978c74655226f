"""The security-server double before a provider: right answers pass, each rule catches the answer that breaks it."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from multidict import CIMultiDict

from tests.test_resilience.test_transport_tls import issue
from tests.test_xroad.double.asking import fault_code, header_names, rules
from tests.test_xroad.double.messages import (
    BODY_OF_ANSWER,
    BODY_OF_REQUEST,
    NUMBER,
    REST_HEADERS,
    REST_TARGET,
    soap_request,
    spoiled,
)
from tests.test_xroad.double.provider import NotForwarded, ProviderServer
from tests.test_xroad.double.rest_message import answer_violations
from tests.test_xroad.double.soap_answer import Refused

ID = f"<xrd:id>{NUMBER}</xrd:id>"
FAULT = (
    "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>No</faultstring>"
    '<detail><g:Problem xmlns:g="urn:g"/></detail></soap:Fault>'
)


@dataclass
class Gateway:
    """An information system that answers what it is told to, and keeps what it was asked."""

    status: int = 200
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "text/xml; charset=utf-8")])
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        seen = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.raw_path, seen, await request.read()))
        return web.Response(status=self.status, body=self.body, headers=CIMultiDict(self.headers))


def right_answer() -> bytes:
    return spoiled(soap_request(), BODY_OF_REQUEST, BODY_OF_ANSWER)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    told = Gateway(body=right_answer())
    runner = web.ServerRunner(web.Server(told.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield told
    await runner.cleanup()


@pytest.fixture
async def provider(gateway: Gateway) -> AsyncIterator[ProviderServer]:
    async with ProviderServer(soap_url=f"{gateway.url}/soap/people", rest_url=gateway.url) as server:
        yield server


async def test_a_right_answer_passes_and_gets_the_hash(gateway: Gateway, provider: ProviderServer) -> None:
    answer = await provider.call_soap(soap_request(), soap_action='"urn:x"')
    assert provider.violations == []
    assert header_names(answer.body) == ["client", "service", "id", "requestHash", "userId", "issue", "protocolVersion"]
    assert base64.b64encode(hashlib.sha512(soap_request()).digest()) in answer.body
    ((method, path, headers, body),) = gateway.asked
    assert (method, path, body) == ("POST", "/soap/people", soap_request())
    assert (headers["soapaction"], headers["content-type"]) == ('"urn:x"', "text/xml;charset=UTF-8")


async def test_another_prefix_for_the_same_namespace_is_the_same_field(
    gateway: Gateway, provider: ProviderServer
) -> None:
    gateway.body = right_answer().replace(b"xrd:", b"x:").replace(b"xmlns:xrd=", b"xmlns:x=")
    answer = await provider.call_soap(soap_request())
    assert provider.violations == []
    assert b"<x:requestHash" in answer.body


async def test_a_fault_passes_as_it_stands(gateway: Gateway, provider: ProviderServer) -> None:
    gateway.status, gateway.body = 500, spoiled(soap_request(), BODY_OF_REQUEST, FAULT)
    answer = await provider.call_soap(soap_request())
    assert provider.violations == []
    assert (answer.status, answer.body) == (200, gateway.body)
    assert fault_code(answer.body) == "soap:Client"


ANSWER_RULES: dict[str, tuple[Callable[[bytes], bytes], str | None]] = {
    "answer-xml": (lambda good: good[:-1], "service_failed.invalid_soap"),
    "answer-envelope": (lambda good: spoiled(good, "</soap:Body>", "</soap:Body><more/>"), None),
    "literal": (lambda good: spoiled(good, "<p:found>", '<p:found soap:encodingStyle="urn:x">'), None),
    "answer-header": (
        lambda good: good[: good.index(b"<soap:Header>")] + good[good.index(b"<soap:Body>") :],
        "service_failed.missing_header",
    ),
    "answer-request-hash": (
        lambda good: spoiled(good, "<xrd:id>", "<xrd:requestHash>AA==</xrd:requestHash><xrd:id>"),
        None,
    ),
    "answer-header-fields": (
        lambda good: spoiled(good, "<xrd:userId>VN001085012345</xrd:userId>", ""),
        "service_failed.inconsistent_response",
    ),
    "answer-header-order": (
        lambda good: spoiled(spoiled(good, ID, ""), "</soap:Header>", f"{ID}</soap:Header>"),
        None,
    ),
    "answer-header-value": (
        lambda good: spoiled(good, ">VN001085012345<", ">VN001085012345 <"),
        "service_failed.inconsistent_response",
    ),
    "answer-wrapper": (lambda good: good.replace(b"FindPersonResponse", b"FindPersonAnswer"), None),
}


@pytest.mark.parametrize("rule", ANSWER_RULES)
async def test_each_rule_catches_the_answer_that_breaks_it(
    gateway: Gateway, provider: ProviderServer, rule: str
) -> None:
    spoil, code = ANSWER_RULES[rule]
    gateway.body = spoil(right_answer())
    if code is None:
        answer = await provider.call_soap(soap_request())
        assert (answer.body.count(b"<xrd:requestHash "), answer.body.count(b">AA==<")) == (1, 0)
    else:
        with pytest.raises(Refused, match=code.replace(".", r"\.")):
            await provider.call_soap(soap_request())
    assert rules(provider.violations) == [rule]


async def test_a_field_in_another_namespace_is_no_repetition(gateway: Gateway, provider: ProviderServer) -> None:
    gateway.body = spoiled(right_answer(), "<xrd:issue>", '<issue xmlns="urn:x">').replace(b"</xrd:issue>", b"</issue>")
    with pytest.raises(Refused, match="inconsistent_response"):
        await provider.call_soap(soap_request())
    assert rules(provider.violations) == ["answer-header-fields", "answer-header-namespace"]


HTTP_RULES: dict[str, tuple[int, str | None, list[str], str | None]] = {
    "status 401": (401, "text/xml", ["answer-status"], "http_error"),
    "status 202": (202, "text/xml", ["answer-status"], "http_error"),
    "fault-less 500": (500, "text/xml", ["answer-fault-status"], None),
    "soap 1.2": (200, "application/soap+xml", ["answer-media-type"], "invalid_content_type"),
    "charset": (200, "text/xml; charset=iso-8859-1", ["charset"], None),
}


@pytest.mark.parametrize("case", HTTP_RULES)
async def test_status_and_type_of_an_answer_are_checked(gateway: Gateway, provider: ProviderServer, case: str) -> None:
    gateway.status, kind, expected, code = HTTP_RULES[case]
    gateway.headers = [("Content-Type", kind)] if kind else []
    if code:
        with pytest.raises(Refused, match=code):
            await provider.call_soap(soap_request())
    else:
        await provider.call_soap(soap_request())
    assert rules(provider.violations) == expected


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        pytest.param("soap:Client", "lgsp:Client", "fault-code", id="unbound prefix"),
        pytest.param("soap:Client", "soap:Sender", "fault-code", id="code of soap 1.2"),
        pytest.param("soap:Client", "", "fault-code", id="no code"),
        pytest.param(">No<", "><", "fault-string", id="no text"),
        pytest.param("<detail>", '<detail xmlns="urn:x">', "fault-children", id="detail elsewhere"),
        pytest.param("</soap:Fault>", "</soap:Fault><more/>", "fault-alone", id="something beside"),
    ],
)
async def test_each_rule_of_faults_catches_what_breaks_it(
    gateway: Gateway, provider: ProviderServer, old: str, new: str, rule: str
) -> None:
    gateway.status, gateway.body = (
        500,
        spoiled(soap_request(), BODY_OF_REQUEST, spoiled(FAULT.encode(), old, new).decode()),
    )
    await provider.call_soap(soap_request())
    assert rules(provider.violations) == [rule]


async def test_a_fault_with_200_is_seen(gateway: Gateway, provider: ProviderServer) -> None:
    gateway.body = spoiled(soap_request(), BODY_OF_REQUEST, FAULT)
    await provider.call_soap(soap_request())
    assert rules(provider.violations) == ["answer-fault-status"]


async def test_what_breaks_the_protocol_does_not_come_so_far(gateway: Gateway, provider: ProviderServer) -> None:
    with pytest.raises(NotForwarded, match="protocol-version"):
        await provider.call_soap(spoiled(soap_request(), ">4.0<", ">3.0<"))
    with pytest.raises(NotForwarded, match="rest-client-missing"):
        await provider.call_rest("GET", REST_TARGET, {})
    assert gateway.asked == []


async def test_a_rest_request_arrives_with_its_headers_and_the_answer_gets_the_servers(
    gateway: Gateway, provider: ProviderServer
) -> None:
    gateway.headers, gateway.body = [("Content-Type", "application/json"), ("X-Own", "a")], b"{}"
    answer = await provider.call_rest(
        "POST", REST_TARGET, [*REST_HEADERS, ("Content-Type", "application/json")], b'{"a":1}'
    )
    assert provider.violations == []
    ((method, path, headers, body),) = gateway.asked
    assert (method, path, body) == ("POST", "/v1/person/search?name=Nguy%E1%BB%85n&page=1", b'{"a":1}')
    assert {name: headers.get(name.lower()) for name, _ in REST_HEADERS} == dict(REST_HEADERS)
    assert headers["x-road-request-id"] == answer.header("X-Road-Request-Id")
    assert "x-road-service" not in headers
    assert answer.header("X-Road-Service") == "VN/GOV/G02/LGSP/people"
    assert (answer.status, answer.body, answer.header("x-own")) == (200, b"{}", "a")


@pytest.mark.parametrize(
    "name", ["X-Road-Id", "X-Road-Client", "X-Road-Service", "X-Road-Error", "X-Road-Request-Hash", "X-Road-Request-Id"]
)
async def test_a_provider_sets_no_header_of_the_servers(gateway: Gateway, provider: ProviderServer, name: str) -> None:
    gateway.headers, gateway.body = [("Content-Type", "application/json"), (name, "x")], b"{}"
    await provider.call_rest("GET", REST_TARGET, REST_HEADERS)
    assert rules(provider.violations) == ["rest-own-header"]


def test_a_rest_answer_says_what_its_body_is() -> None:
    assert rules(list(answer_violations([], b"{}"))) == ["rest-content-type"]
    assert rules(list(answer_violations([("content-type", "text/plain")], b"a"))) == []
    assert rules(list(answer_violations([], b""))) == []


async def test_the_servers_certificate_is_shown(tmp_path: Path) -> None:
    authority = issue("ca", tmp_path)
    issue("server", tmp_path, authority)
    issue("client", tmp_path, authority)
    listening = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    listening.verify_mode = ssl.CERT_REQUIRED
    listening.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    asking = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    shown: list[object] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        shown.append(request.get_extra_info("peercert")["subject"])
        return web.Response(body=right_answer(), headers={"Content-Type": "text/xml"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=listening).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/"
    async with ProviderServer(soap_url=url, tls=asking) as without:
        with pytest.raises(Refused, match="network_error"):
            await without.call_soap(soap_request())
    asking = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    asking.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    async with ProviderServer(soap_url=url, tls=asking) as provider:
        await provider.call_soap(soap_request())
        assert provider.violations == []
    await runner.cleanup()
    assert shown == [((("commonName", "client"),),)]
