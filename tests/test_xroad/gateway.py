"""What a security server in front of the live gateway sends, and how its answers are read."""

import json
import ssl
from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from lxml import etree
from multidict import CIMultiDict

from adapters import DATABASES
from routes.openapi_models import pascal
from routes.soap.names import camel
from schemas.fields import shape_of
from tests.test_gateway.live import Live, Reply
from tests.test_xroad.double import messages
from tests.test_xroad.double.messages import NUMBER, fields
from tests.test_xroad.double.provider import ProviderServer
from tests.test_xroad.double.soap_answer import SoapAnswer
from tests.test_xroad.double.vocabulary import BODY, HEADER, SOAP, Identifier, parse

SEED, PEOPLE = 20_251, 60
GATEWAY = "urn:lgsp:gateway:1"
PROVINCE = Identifier.of("LGSP-SANDBOX/GOV/H26/DVC")
LIMITED = Identifier.of("LGSP-SANDBOX/GOV/H26.12/SNV")
PERSON = "population/person"
DOSSIER = "000.00.00.H26-260105-0001"


class Behind:
    """The demo behind its security server."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.url = str(live.described["gateway_tls"])
        self.tls = ssl.create_default_context(cafile=live.described["trust"]["gateway"])
        papers = live.described["xroad"]
        self.tls.load_cert_chain(papers["certificate"], papers["key"])

    def server(self, database: str = "population", tls: ssl.SSLContext | None = None) -> ProviderServer:
        """The server, for the services of a database; start it with `async with`."""
        return ProviderServer(soap_url=f"{self.url}/soap/{database}", rest_url=self.url, tls=tls or self.tls)

    def asked(self, name: str) -> dict[str, Any]:
        """The demo's own question for an operation: `headers`, `body`, and `data`, its answer."""
        found: dict[str, Any] = self.live.described["samples"][name]
        return found

    def body(self, name: str) -> str:
        """The wrapper of that question, its members in the order of the contract."""
        database, _, operation = name.partition("/")
        (asked,) = (
            one for each in DATABASES if each.name == database for one in each.operations if one.name == operation
        )
        body = self.asked(name)["body"]
        members = [member.name for member in shape_of(asked.question).members if member.name in body]
        inside = "".join(f"<{camel(key)}>{escape(str(body[key]))}</{camel(key)}>" for key in members)
        wrapper = pascal(operation)
        return f'<{wrapper} xmlns="urn:lgsp:{database}:1">{inside}</{wrapper}>'

    def blocks(self, name: str, without: tuple[str, ...] = ()) -> str:
        """The gateway's own header blocks that go with it."""
        said = {key.removeprefix("Lgsp-"): text for key, text in self.asked(name)["headers"].items()}
        return "".join(
            f'<g:{key} xmlns:g="{GATEWAY}">{escape(text)}</g:{key}>' for key, text in said.items() if key not in without
        )

    def envelope(
        self,
        name: str = PERSON,
        client: Identifier = PROVINCE,
        *,
        header: str | None = None,
        without: tuple[str, ...] = (),
        body: str | None = None,
        service: str | None = None,
        **said: Any,
    ) -> bytes:
        """A whole X-Road message of that question; `header` are its X-Road fields, `said` changes the usual ones."""
        if header is None:
            header = fields(
                client, self.service(name, service), **({"user": "VNdemo.officer", "issue": DOSSIER} | said)
            )
        return messages.soap_request(body or self.body(name), header + self.blocks(name, without))

    async def post(self, envelope: bytes, database: str = "population", **headers: str) -> SoapAnswer:
        """Send from the server's own connection what no server would let through."""
        sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', **headers}
        async with (
            ClientSession(connector=TCPConnector(ssl=self.tls), cookie_jar=DummyCookieJar()) as session,
            session.post(f"{self.url}/soap/{database}", data=envelope, headers=sent) as answer,
        ):
            return SoapAnswer(answer.status, answer.headers.get("Content-Type"), await answer.read())

    async def send(
        self,
        headers: Iterable[tuple[str, str]],
        name: str = PERSON,
        tls: ssl.SSLContext | None = None,
        url: str | None = None,
    ) -> Reply:
        """Ask over REST with exactly these headers, from the server's own connection or another, or at another URL."""
        async with (
            ClientSession(connector=TCPConnector(ssl=tls or self.tls), cookie_jar=DummyCookieJar()) as session,
            session.post(
                f"{url or self.url}/v1/{name}", data=self.question(name), headers=CIMultiDict(headers)
            ) as answer,
        ):
            return Reply(answer.status, answer.headers, await answer.read())

    @staticmethod
    def service(name: str, code: str | None = None) -> Identifier:
        """The identifier of the operation as a service of ours."""
        return Identifier.of(f"LGSP-SANDBOX/GOV/G02/LGSP/{code or pascal(name.rpartition('/')[2])}/v1")

    def rest(self, name: str = PERSON, client: str = str(PROVINCE), **changed: str | None) -> dict[str, str]:
        """The headers of a REST request; `changed` by name with `_` for `-`, None drops one."""
        sent: Mapping[str, str | None] = {
            "X-Road-Client": client,
            "X-Road-Id": NUMBER,
            "Content-Type": "application/json",
            **self.asked(name)["headers"],
            **{key.replace("_", "-"): text for key, text in changed.items()},
        }
        return {key: text for key, text in sent.items() if text is not None}

    def question(self, name: str = PERSON) -> bytes:
        """The body of a REST request."""
        return json.dumps(self.asked(name)["body"]).encode()

    @staticmethod
    def target(name: str) -> str:
        """Where a REST request goes, as the asker's own server is asked."""
        return f"/r1/LGSP-SANDBOX/GOV/G02/LGSP/gateway/v1/{name}"


def payload(answer: SoapAnswer) -> etree._Element:
    """The element of the Body."""
    body = parse(answer.body).find(BODY)
    assert body is not None
    (found,) = body
    return found


def data(answer: SoapAnswer) -> bytes:
    """The canonical bytes of what an answer discloses."""
    found = payload(answer)[0]
    assert etree.QName(found).localname == "data"
    # Of its own document: prefixes that only the envelope declares are no part of it.
    return etree.tostring(found, method="c14n", exclusive=True)


def problem(answer: SoapAnswer) -> dict[str, str]:
    """The Problem in the detail of a fault, its plain members."""
    fault = payload(answer)
    assert fault.tag == f"{{{SOAP}}}Fault", etree.tostring(fault)
    (found,) = fault.iterfind(f"detail/{{{GATEWAY}}}Problem")
    return {etree.QName(each).localname: each.text or "" for each in found if not len(each)}


def header_blocks(document: bytes) -> list[bytes]:
    """The X-Road blocks of a message, each in canonical form, in their order."""
    header = parse(document).find(HEADER)
    assert header is not None
    return [
        etree.tostring(each, method="c14n", exclusive=True)
        for each in header
        if str(each.tag).startswith("{http://x-road.eu/")
    ]
