"""A plain client and plain providers with which the double itself is tried; no code of the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import ClientSession
from lxml import etree
from yarl import URL

from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.messages import BODY_OF_ANSWER, REST_HEADERS, REST_TARGET
from tests.test_xroad.double.provider_link import RestAnswer, Service
from tests.test_xroad.double.rest_message import RestRequest
from tests.test_xroad.double.soap_answer import SoapAnswer
from tests.test_xroad.double.soap_request import SoapRequest
from tests.test_xroad.double.vocabulary import SOAP, Violation, parse

TEXT_XML = "text/xml; charset=utf-8"
PLAIN_ANSWER = (
    f'<?xml version="1.0"?><s:Envelope xmlns:s="{SOAP}"><s:Header/><s:Body>{BODY_OF_ANSWER}</s:Body></s:Envelope>'
).encode()
ACTION = {"Content-Type": TEXT_XML, "SOAPAction": '""'}


async def plain_soap(request: SoapRequest) -> SoapAnswer:
    return SoapAnswer(200, TEXT_XML, PLAIN_ANSWER)


async def plain_rest(request: RestRequest) -> RestAnswer:
    return RestAnswer(200, [("Content-Type", "application/json"), ("X-Road-Id", "mine")], b'{"found":2}')


SERVICES = {"FindPerson": Service("soap", plain_soap), "people": Service("rest", plain_rest)}


async def post(server: ConsumerServer, envelope: bytes, **headers: str) -> tuple[int, bytes]:
    sent = ACTION | {name.replace("_", "-"): value for name, value in headers.items()}
    async with ClientSession() as session, session.post(server.url, data=envelope, headers=sent) as answer:
        return answer.status, await answer.read()


async def ask(
    server: ConsumerServer,
    target: str = REST_TARGET,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = REST_HEADERS,
    verb: str = "GET",
) -> tuple[int, list[tuple[str, str]], bytes]:
    url = URL(server.url + target, encoded=True)
    async with ClientSession() as session, session.request(verb, url, headers=headers) as answer:
        return answer.status, list(answer.headers.items()), await answer.read()


def fault_code(document: bytes) -> str | None:
    return parse(document).findtext(f".//{{{SOAP}}}Fault/faultcode")


def header_names(document: bytes) -> list[str]:
    header = parse(document).find(f"{{{SOAP}}}Header")
    assert header is not None
    return [etree.QName(each).localname for each in header]


def rules(found: list[Violation]) -> list[str]:
    return [each.rule for each in found]
