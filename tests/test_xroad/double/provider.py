"""The provider's security server: what stands before an information system that answers through X-Road.

    async with ProviderServer(soap_url="http://.../soap/population", rest_url="http://...", tls=context) as provider:
        answer = await provider.call_soap(envelope)                  # bytes of a whole X-Road request
        assert provider.violations == []                             # every rule that the answer broke
        answer.body                                                  # as the asker would get it, with requestHash
        answer = await provider.call_rest("GET", "/r1/VN/GOV/G02/LGSP/tax/v1/me?x=1", {"X-Road-Client": "VN/GOV/G01/A"})

`tls` is a client context with the server's own certificate (mTLS). What a real server would refuse to carry raises
`NotForwarded`; what it makes of the answer when that is unfit raises `Refused` (both with what was found). A REST
request reaches `rest_url` + what follows the service code, and carries X-Road-Client, -Id, -Request-Id and whatever
else the asker sent (UserId, Issue, Authorization, ...), but no X-Road-Service: servers set that in answers only.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from typing import Self

from aiohttp import ClientError

from tests.test_xroad.double import rest_message, soap_answer
from tests.test_xroad.double.provider_link import Link, RestAnswer
from tests.test_xroad.double.rest_message import RestRequest, read_rest
from tests.test_xroad.double.soap_answer import Refused, SoapAnswer, carried
from tests.test_xroad.double.soap_request import SoapRequest, read_request
from tests.test_xroad.double.vocabulary import Violation


class NotForwarded(Exception):
    """The request breaks a rule and would not have come as far as the provider's server."""

    def __init__(self, found: Iterable[Violation]) -> None:
        self.found = list(found)
        super().__init__("; ".join(f"{each.rule}: {each.text}" for each in self.found))


class ProviderServer:
    """A strict server in front of one information system; start it with `async with`."""

    def __init__(self, *, soap_url: str = "", rest_url: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.soap_url, self.rest_url = soap_url, rest_url
        self.violations: list[Violation] = []
        self.raw: SoapAnswer | RestAnswer | None = None
        """The last answer as the information system gave it."""
        self.request: SoapRequest | RestRequest | None = None
        """The last request as it was forwarded."""
        self._tls = tls

    async def __aenter__(self) -> Self:
        self._link = Link(self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    async def call_soap(
        self, envelope: bytes, *, content_type: str = "text/xml;charset=UTF-8", soap_action: str | None = '""'
    ) -> SoapAnswer:
        """Forward an envelope and give back what the asker would get."""
        request, found = read_request(envelope, content_type, soap_action)
        if request is None or found:
            raise NotForwarded(found)
        self.request = request
        try:
            answer = await self._link.soap(self.soap_url, request)
        except ClientError as error:
            raise Refused("server.serverproxy.service_failed.network_error", repr(error)) from error
        self.raw = answer
        self.violations += soap_answer.answer_violations(request, answer)
        return carried(request, answer)

    async def call_rest(
        self, method: str, target: str, headers: Mapping[str, str] | rest_message.Headers, body: bytes = b""
    ) -> RestAnswer:
        """Forward a request to `/r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE[/path][?query]`."""
        sent = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        request, found = read_rest(method, target, sent, body)
        if request is None or found:
            raise NotForwarded(found)
        self.request = request
        try:
            answer = await self._link.rest(self.rest_url, request)
        except ClientError as error:
            raise Refused("server.serverproxy.network_error", repr(error)) from error
        self.raw = answer
        self.violations += rest_message.answer_violations(answer.headers, answer.body)
        return RestAnswer(answer.status, request.answered(answer.headers), answer.body)
