"""The security-server double towards a SOAP asker: right messages pass, each rule catches what breaks it alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import ClientError, ClientSession, web
from lxml import etree
from yarl import URL

from tests.test_xroad.double.asking import (
    PLAIN_ANSWER,
    SERVICES,
    TEXT_XML,
    ask,
    fault_code,
    header_names,
    plain_rest,
    plain_soap,
    post,
    rules,
)
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.faults import old_spelling
from tests.test_xroad.double.messages import (
    BODY_OF_ANSWER,
    BODY_OF_REQUEST,
    NUMBER,
    REST_HEADERS,
    REST_TARGET,
    fields,
    soap_request,
    spoiled,
)
from tests.test_xroad.double.provider_link import Service
from tests.test_xroad.double.soap_answer import SoapAnswer
from tests.test_xroad.double.soap_request import SoapRequest, read_request
from tests.test_xroad.double.vocabulary import IDENTIFIERS, SOAP, XROAD, parse


@pytest.fixture
async def server() -> AsyncIterator[ConsumerServer]:
    async with ConsumerServer(SERVICES) as started:
        yield started


async def test_a_right_soap_request_is_answered_with_its_fields_and_its_hash(server: ConsumerServer) -> None:
    envelope = soap_request()
    status, answer = await post(server, envelope)
    assert server.violations == []
    assert status == 200
    assert header_names(answer) == ["client", "service", "id", "requestHash", "userId", "issue", "protocolVersion"]
    said = parse(answer).find(f".//{{{XROAD}}}requestHash")
    assert said is not None
    assert said.text == base64.b64encode(hashlib.sha512(envelope).digest()).decode()
    assert said.get("algorithmId") == "http://www.w3.org/2001/04/xmlenc#sha512"
    assert BODY_OF_ANSWER.encode() in answer
    request = server.calls[0].request
    assert isinstance(request, SoapRequest)
    assert (str(request.client), str(request.service), request.id) == (
        "VN/GOV/G01/DVC",
        "VN/GOV/G02/LGSP/FindPerson/v1",
        NUMBER,
    )


SOAP_RULES: dict[str, tuple[Callable[[bytes], bytes], str | None]] = {
    "xml": (lambda good: good[:-1], "invalid_soap"),
    "envelope": (lambda good: good.replace(SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope"), "invalid_soap"),
    "header-missing": (lambda good: spoiled(good, f"<soap:Header>{fields()}</soap:Header>", ""), "missing_header"),
    "header-count": (
        lambda good: spoiled(good, "<soap:Body>", "<soap:Header/><soap:Body>"),
        "duplicate_header_field",
    ),
    "body-missing": (
        lambda good: spoiled(good, f"<soap:Body>{BODY_OF_REQUEST}</soap:Body>", ""),
        "missing_body",
    ),
    "body-count": (lambda good: spoiled(good, "</soap:Body>", "</soap:Body><soap:Body/>"), "invalid_body"),
    "envelope-children": (lambda good: spoiled(good, "</soap:Body>", "</soap:Body><more/>"), "invalid_soap"),
    "body-children": (lambda good: spoiled(good, "</soap:Body>", "<more/></soap:Body>"), "invalid_body"),
    "body-fault": (
        lambda good: spoiled(
            good, BODY_OF_REQUEST, "<soap:Fault><faultcode>x</faultcode><faultstring>x</faultstring></soap:Fault>"
        ),
        "invalid_body",
    ),
    "literal": (lambda good: spoiled(good, "<p:name>", '<p:name soap:encodingStyle="urn:x">'), None),
    "header-unknown": (lambda good: spoiled(good, "<xrd:id>", "<xrd:position/><xrd:id>"), None),
    "header-value": (
        lambda good: spoiled(good, f"{NUMBER}</xrd:id>", f"{NUMBER}<xrd:n/></xrd:id>"),
        "invalid_xml",
    ),
    "header-namespace": (
        lambda good: spoiled(good, "<xrd:userId>", '<userId xmlns="urn:x"/><xrd:userId>'),
        None,
    ),
    "header-repeated": (
        lambda good: spoiled(good, "<xrd:id>", f"<xrd:id>{NUMBER}</xrd:id><xrd:id>"),
        "duplicate_header_field",
    ),
    "request-hash": (lambda good: spoiled(good, "<xrd:id>", "<xrd:requestHash>AA==</xrd:requestHash><xrd:id>"), None),
    "protocol-version": (lambda good: spoiled(good, ">4.0<", ">4.00<"), "invalid_protocol_version"),
    "id-empty": (lambda good: spoiled(good, NUMBER, " "), "missing_header_field"),
    "user-id": (lambda good: spoiled(good, "VN001085012345", "001085012345"), None),
    "issue": (lambda good: spoiled(good, ">H26.12-261130-0001<", "> <"), None),
    "object-type": (
        lambda good: spoiled(good, 'id:objectType="SUBSYSTEM"', 'objectType="SUBSYSTEM"'),
        "invalid_xml",
    ),
    "identifier-children": (
        lambda good: spoiled(good, "<id:serviceCode>", "<id:serverCode>S</id:serverCode><id:serviceCode>"),
        "invalid_xml",
    ),
    "identifier-repeated": (
        lambda good: spoiled(
            good, "<id:serviceCode>", "<id:subsystemCode>LGSP</id:subsystemCode><id:serviceCode>"
        ),
        "duplicate_header_field",
    ),
    "identifier-order": (
        lambda good: spoiled(
            good,
            "<id:memberCode>G02</id:memberCode><id:subsystemCode>LGSP</id:subsystemCode>",
            "<id:subsystemCode>LGSP</id:subsystemCode><id:memberCode>G02</id:memberCode>",
        ),
        "invalid_xml",
    ),
    "identifier-parts": (lambda good: spoiled(good, "<id:memberCode>G02</id:memberCode>", ""), "internal_error"),
    "identifier-characters": (lambda good: spoiled(good, ">G02<", ">G_02<"), None),
    "wrapper-name": (
        lambda good: spoiled(good, ">FindPerson<", ">SeekPerson<"),
        "inconsistent_headers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", SOAP_RULES)
async def test_each_soap_rule_catches_the_message_that_breaks_it(server: ConsumerServer, rule: str) -> None:
    spoil, code = SOAP_RULES[rule]
    status, answer = await post(server, spoil(soap_request()))
    assert rules(server.violations) == [rule]
    assert status == 200
    assert fault_code(answer) == (f"client.{code}" if code else None)


@pytest.mark.parametrize("name", ["client", "service", "id", "protocolVersion"])
async def test_each_mandatory_field_is_missed(server: ConsumerServer, name: str) -> None:
    root = parse(soap_request())
    header = root.find(f"{{{SOAP}}}Header")
    assert header is not None
    header.remove(header.find(f"{{{XROAD}}}{name}"))  # type: ignore[arg-type]
    _, answer = await post(server, etree.tostring(root))
    assert [(each.rule, each.text) for each in server.violations] == [("header-missing", name)]
    assert fault_code(answer) == "client.missing_header_field"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("<id:subsystemCode>DVC</id:subsystemCode>", "", id="subsystem without its code"),
        pytest.param('"SUBSYSTEM"', '"MEMBER"', id="member with a subsystem code"),
        pytest.param('"SUBSYSTEM"', '"SERVICE"', id="a client is no service"),
        pytest.param('"SERVICE"', '"SUBSYSTEM"', id="a service is no client"),
    ],
)
async def test_the_type_of_an_identifier_agrees_with_its_parts(server: ConsumerServer, old: str, new: str) -> None:
    await post(server, spoiled(soap_request(), old, new))
    assert rules(server.violations) == ["object-type"]


HTTP_RULES = {
    "soap 1.2": ("Content-Type", "application/soap+xml; charset=utf-8", "media-type", "client.invalid_content_type"),
    "attachments": ("Content-Type", 'multipart/related; boundary="x"', "media-type", "client.invalid_content_type"),
    "another charset": ("Content-Type", "text/xml; charset=utf-16", "charset", None),
    "no charset": ("Content-Type", "text/xml", None, None),
    "unknown charset": ("Content-Type", "text/xml; charset=tcvn", "charset", "client.invalid_content_type"),
    "bare action": ("SOAPAction", "urn:x", "soap-action", "client.invalid_soap_action"),
    "quoted action": ("SOAPAction", '"urn:x"', None, None),
    "no address": ("SOAPAction", '"a b"', "soap-action", "client.invalid_soap_action"),
}


@pytest.mark.parametrize("case", HTTP_RULES)
async def test_the_two_http_headers_of_a_request_are_checked(server: ConsumerServer, case: str) -> None:
    name, value, rule, code = HTTP_RULES[case]
    _, answer = await post(server, soap_request(), **{name.replace("-", "_"): value})
    assert rules(server.violations) == ([rule] if rule else [])
    assert fault_code(answer) == code


async def test_a_document_type_and_a_wrong_method_are_refused(server: ConsumerServer) -> None:
    await post(server, spoiled(soap_request(), "?>", "?><!DOCTYPE soap:Envelope>"))
    async with ClientSession() as session, session.get(server.url) as answer:
        assert fault_code(await answer.read()) == "client.invalid_http_method"
    assert rules(server.violations) == ["xml", "method"]


async def test_text_beside_the_wrapper_and_a_message_of_no_type_are_seen(server: ConsumerServer) -> None:
    await post(server, spoiled(soap_request(), "<soap:Body>", "<soap:Body>text"))
    assert rules(read_request(soap_request(), None, None)[1]) == ["media-type"]
    assert rules(server.violations) == ["literal"]


async def test_a_byte_order_mark_is_part_of_what_is_hashed(server: ConsumerServer) -> None:
    envelope = b"\xef\xbb\xbf" + soap_request()
    _, answer = await post(server, envelope)
    assert server.violations == []
    assert base64.b64encode(hashlib.sha512(envelope).digest()) in answer


async def test_protocols_are_not_mixed_and_clients_can_be_limited() -> None:
    services = {"FindPerson": Service("rest", plain_rest), "people": Service("soap", plain_soap)}
    async with ConsumerServer(services, spelling="old") as server:
        assert fault_code((await post(server, soap_request()))[1]) == "Server.ServerProxy.ServiceType"
        assert dict((await ask(server))[1])["X-Road-Error"] == "Server.ServerProxy.ServiceType"
    async with ConsumerServer(services, clients=["VN/GOV/G01/OTHER"]) as server:
        assert fault_code((await post(server, soap_request()))[1]) == "server.clientproxy.unknown_member"
        assert server.violations == []


async def test_a_provider_has_to_repeat_the_fields_when_nobody_does_it_for_it() -> None:
    async with ConsumerServer({"FindPerson": Service("soap", plain_soap)}, repeat_headers=False) as server:
        _, answer = await post(server, soap_request())
    assert fault_code(answer) == "server.serverproxy.service_failed.missing_header_field"


@pytest.mark.parametrize("foreign", [False, True])
async def test_an_answer_not_named_after_the_service_passes_on_request_only(foreign: bool) -> None:
    async def strange(request: SoapRequest) -> SoapAnswer:
        return SoapAnswer(200, TEXT_XML, PLAIN_ANSWER.replace(b"FindPersonResponse", b"People"))

    async with ConsumerServer({"FindPerson": Service("soap", strange)}, foreign_wrappers=foreign) as server:
        _, answer = await post(server, soap_request())
    assert fault_code(answer) == (None if foreign else "server.serverproxy.service_failed.inconsistent_headers")


UNFIT = {
    "missing_body": PLAIN_ANSWER.replace(b"s:Body>", b"Body>"),
    "invalid_body": PLAIN_ANSWER.replace(b"</s:Body>", b"<more/></s:Body>"),
    "invalid_soap": PLAIN_ANSWER.replace(SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope"),
}


@pytest.mark.parametrize("code", UNFIT)
async def test_an_unfit_answer_becomes_the_servers_own_error(code: str) -> None:
    async def unfit(request: SoapRequest) -> SoapAnswer:
        header = soap_request(header=fields()).partition(b"<soap:Header>")[2].partition(b"</soap:Header>")[0]
        names = f'<s:Header xmlns:xrd="{XROAD}" xmlns:id="{IDENTIFIERS}">'.encode()
        return SoapAnswer(200, TEXT_XML, UNFIT[code].replace(b"<s:Header/>", names + header + b"</s:Header>"))

    async with ConsumerServer({"FindPerson": Service("soap", unfit)}, repeat_headers=False) as server:
        _, answer = await post(server, soap_request())
    assert fault_code(answer) == f"server.serverproxy.service_failed.{code}"


async def test_a_real_http_provider_gets_only_what_is_forwarded() -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def provide(request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen.append((request.raw_path, headers, await request.read()))
        if request.method == "POST":
            return web.Response(body=PLAIN_ANSWER, headers={"Content-Type": TEXT_XML})
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    runner = web.ServerRunner(web.Server(provide))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/base/"
    services = {"FindPerson": Service("soap", url), "people": Service("rest", url)}
    async with ConsumerServer(services) as server:
        await post(server, soap_request(), Authorization="Basic eA==", SOAPAction='"urn:x"')
        async with ClientSession() as session:
            asked = URL(server.url + REST_TARGET, encoded=True)
            async with session.get(asked, headers=REST_HEADERS, allow_redirects=False) as answer:
                assert answer.status == 302
    await runner.cleanup()
    (path, soap, body), (rest_path, rest, _) = seen
    assert (path, body, soap["soapaction"]) == ("/base/", soap_request(), '"urn:x"')
    assert "authorization" not in soap
    assert rest_path == "/base/v1/person/search?name=Nguy%E1%BB%85n&page=1"
    assert (rest["x-road-client"], rest["x-road-id"]) == ("VN/GOV/G01/DVC", NUMBER)
    assert "x-road-request-id" in rest
    assert "x-road-service" not in rest


NOT_THERE = {"drop-header": "issue", "no-request-hash": "requestHash"}


@pytest.mark.parametrize(
    "kind",
    ["reorder-headers", "drop-header", "change-value", "change-service", "wrong-namespace", "repeated-response-header",
     "wrong-request-hash", "no-request-hash", "wrong-wrapper", "nontechnical-fault"],
)  # fmt: skip
async def test_a_spoiled_soap_answer_differs_in_the_named_way(server: ConsumerServer, kind: str) -> None:
    _, good = await post(server, soap_request())
    server.misbehave(kind, times=1)
    status, bad = await post(server, soap_request())
    assert (status, server.violations) == (200, [])
    names = header_names(good)
    if kind == "reorder-headers":
        assert header_names(bad) == ["protocolVersion", *names[:-1]]
    elif kind in NOT_THERE:
        names.remove("userId" if NOT_THERE[kind] not in names else NOT_THERE[kind])
        assert header_names(bad) == names
    elif kind == "repeated-response-header":
        assert header_names(bad) == [*names, "protocolVersion"]
    else:
        assert header_names(bad) == names
        piece = {
            "change-value": f">{NUMBER}x<",
            "change-service": ">FindPersonOther<",
            "wrong-namespace": "http://x-road.eu/xsd/x-road.xsd",
            "wrong-request-hash": f">{'A' * 86}==<",
            "wrong-wrapper": "OtherResponse",
            "nontechnical-fault": "<fault><faultCode>test_failed</faultCode><faultString>",
        }[kind].encode()
        assert piece in bad
        assert piece not in good
    assert (await post(server, soap_request()))[1] == good


async def test_errors_on_demand_keep_their_spelling(server: ConsumerServer) -> None:
    new = "server.serverproxy.service_failed.network_error"
    for code in (new, old_spelling(new)):
        server.misbehave("fault", code)
        assert fault_code((await post(server, soap_request()))[1]) == code
        status, headers, _ = await ask(server)
        assert (status, dict(headers)["X-Road-Error"]) == (500, code)
    assert old_spelling(new) == "Server.ServerProxy.ServiceFailed.NetworkError"
    server.misbehave("error-without-x-road-error")
    status, headers, body = await ask(server)
    assert (status, "X-Road-Error" in dict(headers)) == (500, False)
    assert b'"type": "server.serverproxy.network_error"' in body
    server.misbehave("nontechnical-fault")
    status, headers, _ = await ask(server)
    assert status == 405
    assert "x-road-request-hash" in dict(headers)


@pytest.mark.parametrize("kind", ["close-connection", "close-midway"])
async def test_connections_end_when_asked_to(server: ConsumerServer, kind: str) -> None:
    server.misbehave(kind)
    for asked in (post(server, soap_request()), ask(server)):
        with pytest.raises(ClientError):
            await asked


async def test_something_else_than_a_message_comes_as_a_page(server: ConsumerServer) -> None:
    server.misbehave("not-a-message")
    assert b"<html>" in (await post(server, soap_request()))[1]


async def test_a_misbehaviour_that_cannot_be_is_refused(server: ConsumerServer) -> None:
    for arguments in (("reorder",), ("fault",), ("drop-header", "x")):
        with pytest.raises(ValueError):
            server.misbehave(*arguments)


async def test_damage_that_means_nothing_for_the_protocol_does_not_pass_for_done(server: ConsumerServer) -> None:
    server.misbehave("error-without-x-road-error")
    assert (await post(server, soap_request()))[0] == 500
    server.misbehave("reorder-headers")
    assert (await ask(server))[0] == 500
    assert rules(server.violations) == ["double", "double"]


def test_readers_find_everything_in_one_pass() -> None:
    envelope = spoiled(spoiled(soap_request(), ">4.0<", ">3.1<"), "<xrd:userId>VN", "<xrd:userId>")
    assert rules(read_request(envelope, TEXT_XML, None)[1]) == ["protocol-version", "user-id"]
