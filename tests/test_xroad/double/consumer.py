"""The consumer's own security server: what an information system that asks through X-Road speaks with.

    async with ConsumerServer({"Person": Service("soap", registry_url), "tax": Service("rest", answer)}) as server:
        ...                                  # ask server.url (SOAP at /, REST at /r1/...)
        assert server.violations == []       # every rule of PR-MESS 4.0 and PR-REST r1 that was broken
        server.calls[-1].request             # the SoapRequest or RestRequest as it was read
        server.misbehave("wrong-request-hash")               # from now on; `times=1` for one answer
        server.misbehave("fault", "server.serverproxy.access_denied")    # or old_spelling(...) of it
        server.behave()

`repeat_headers` (default True) puts the request's X-Road fields into the answers of providers that know nothing of
X-Road; with False a provider has to repeat them itself, as behind a real server. `foreign_wrappers` (default False)
lets answers pass whose wrapper is not named after the service; a real server refuses them. `clients` limits who may
ask. `spelling="old"` gives the double's own error codes as servers up to 7.7 spell them. With `tls` it serves HTTPS.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from aiohttp import ClientError, web
from multidict import CIMultiDict

from tests.test_xroad.double import misbehaviour
from tests.test_xroad.double.faults import fault_response, old_spelling, rest_error, soap_response
from tests.test_xroad.double.provider_link import Link, RestAnswer, RestProvider, Service, SoapProvider
from tests.test_xroad.double.rest_message import RestRequest, read_rest
from tests.test_xroad.double.soap_answer import Refused, SoapAnswer, carried, repeated
from tests.test_xroad.double.soap_request import SoapRequest, read_request
from tests.test_xroad.double.vocabulary import Identifier, Violation


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived; `request` is None when it could not be read. `certificate` is the asker's, by mTLS."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    request: SoapRequest | RestRequest | None
    certificate: Mapping[str, Any] | None


class ConsumerServer:
    """A strict server on loopback; start it with `async with`."""

    def __init__(
        self,
        services: Mapping[str, Service],
        *,
        repeat_headers: bool = True,
        foreign_wrappers: bool = False,
        clients: Iterable[str] | None = None,
        spelling: Literal["new", "old"] = "new",
        tls: ssl.SSLContext | None = None,
        provider_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.services = dict(services)
        self.violations: list[Violation] = []
        self.calls: list[Call] = []
        self.url = ""
        self._repeat, self._foreign = repeat_headers, foreign_wrappers
        self._clients = None if clients is None else {Identifier.of(each) for each in clients}
        self._old = spelling == "old"
        self._tls, self._provider_tls = tls, provider_tls
        self._kind: str | None = None
        self._code = ""
        self._left: int | None = None

    async def __aenter__(self) -> Self:
        self._link = Link(self._provider_tls)
        self._runner = web.ServerRunner(web.Server(self._handle), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._link.close()

    def misbehave(self, kind: str, code: str = "", *, times: int | None = None) -> None:
        """Spoil the answers from now on, `times` of them or until `behave`; `code` is the code of a `fault`."""
        if kind not in (*misbehaviour.SOAP_KINDS, *misbehaviour.REST_KINDS):
            raise ValueError(f"no such misbehaviour: {kind}")
        if (kind == "fault") != bool(code):
            raise ValueError("a fault, and nothing else, has a code")
        self._kind, self._code, self._left = kind, code, times

    def behave(self) -> None:
        """Answer rightly again."""
        self._kind = None

    def _next_kind(self) -> str | None:
        kind = self._kind
        if kind is not None and self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._kind = None
        return kind

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        headers = tuple((name.decode("latin-1"), value.decode("utf-8")) for name, value in request.raw_headers)
        target = request.raw_path
        certificate = request.get_extra_info("peercert")
        kind = self._next_kind()
        if re.match(r"/r\d+(/|$)", target):
            rest, found = read_rest(request.method, target, headers, body)
            self.calls.append(Call(request.method, target, headers, body, rest, certificate))
            self.violations += found
            return await self._rest(request, rest, found, kind)
        action = request.headers.get("SOAPAction")
        soap, found = read_request(body, request.headers.get("Content-Type"), action)
        if request.method != "POST":
            found = [Violation("method", request.method, "invalid_http_method")]
        self.calls.append(Call(request.method, target, headers, body, soap, certificate))
        self.violations += found
        return await self._soap(request, soap, found, kind)

    async def _soap(
        self, http: web.BaseRequest, request: SoapRequest | None, found: list[Violation], kind: str | None
    ) -> web.StreamResponse:
        self._applicable(kind, misbehaviour.SOAP_KINDS, "SOAP")
        broken = next((each for each in found if each.fault), None)
        try:
            if broken or request is None:
                raise Refused(f"client.{broken.fault if broken else 'invalid_soap'}", f"{broken}")
            if kind == "fault":
                return fault_response(self._code, "As asked for")
            answer = carried(request, await self._ask_soap(request), foreign_wrapper=self._foreign)
        except Refused as refused:
            return fault_response(self._spelt(refused.code), refused.text)
        if kind in ("close-connection", "close-midway", "not-a-message"):
            return await _broken(http, kind, answer.content_type or "", answer.body)
        document = misbehaviour.damaged_soap(kind, answer.body) if kind else answer.body
        return soap_response(document, answer.content_type or "")

    async def _ask_soap(self, request: SoapRequest) -> SoapAnswer:
        service = self._service(request.client, request.service, "soap")
        try:
            if isinstance(service.provider, str):
                answer = await self._link.soap(service.provider, request, service.adds())
            else:
                answer = await cast("SoapProvider", service.provider)(request)
        except (ClientError, TimeoutError) as error:
            raise Refused("server.serverproxy.service_failed.network_error", repr(error)) from error
        return repeated(request, answer) if self._repeat else answer

    async def _rest(
        self, http: web.BaseRequest, request: RestRequest | None, found: list[Violation], kind: str | None
    ) -> web.StreamResponse:
        self._applicable(kind, misbehaviour.REST_KINDS, "REST")
        broken = next((each for each in found if each.fault), None)
        accept = http.headers.getall("Accept", [])
        try:
            if broken or request is None:
                raise Refused(f"server.clientproxy.{broken.fault if broken else 'internal_error'}", f"{broken}")
            if kind == "fault":
                return rest_error(self._code, "As asked for", accept)
            if kind == "error-without-x-road-error":
                return rest_error("server.serverproxy.network_error", "As asked for", accept, flagged=False)
            answer = await self._ask_rest(request)
        except Refused as refused:
            return rest_error(self._spelt(refused.code), refused.text, accept)
        status, headers, body = answer.status, request.answered(answer.headers), answer.body
        if kind in ("close-connection", "close-midway", "not-a-message"):
            return await _broken(http, kind, answer.header("Content-Type") or "", body)
        if kind:
            status, headers, body = misbehaviour.damaged_rest(kind, status, headers, body)
        return web.Response(status=status, body=body, headers=CIMultiDict(headers))

    async def _ask_rest(self, request: RestRequest) -> RestAnswer:
        service = self._service(request.client, request.service, "rest")
        try:
            if isinstance(service.provider, str):
                return await self._link.rest(service.provider, request, service.adds())
            return await cast("RestProvider", service.provider)(request)
        except (ClientError, TimeoutError) as error:
            raise Refused("server.serverproxy.network_error", repr(error)) from error

    def _service(self, client: Identifier, service: Identifier, kind: str) -> Service:
        if self._clients is not None and client not in self._clients:
            raise Refused("server.clientproxy.unknown_member", f"Client '{client}' not found")
        found = self.services.get(service.service or "")
        if found is None:
            raise Refused("server.serverproxy.unknown_service", f"Unknown service: {service}")
        if found.kind != kind:
            raise Refused("server.serverproxy.service_type", f"Service is a {found.kind} service")
        return found

    def _applicable(self, kind: str | None, known: tuple[str, ...], protocol: str) -> None:
        # A test that asks for damage which means nothing here would otherwise pass by itself.
        if kind is not None and kind not in known:
            self.violations.append(Violation("double", f"{kind} means nothing for {protocol}"))
            raise ValueError(kind)

    def _spelt(self, code: str) -> str:
        return old_spelling(code) if self._old else code


async def _broken(http: web.BaseRequest, kind: str, content_type: str, body: bytes) -> web.StreamResponse:
    if kind == "not-a-message":
        return web.Response(
            status=200, text="<html><body>Trang của máy trung gian</body></html>", content_type="text/html"
        )
    response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": f"{len(body)}"})
    if kind == "close-midway":
        await response.prepare(http)
        await response.write(body[: len(body) // 2])
        # What was written has to be on the way before the connection ends.
        await asyncio.sleep(0)
    if http.transport is not None:
        http.transport.close() if kind == "close-midway" else http.transport.abort()
    return response
