"""How the doubles reach an information system: an async function, or a real HTTP server asked as a server asks it."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from multidict import CIMultiDict
from yarl import URL

from tests.test_xroad.double.rest_message import Headers, RestRequest
from tests.test_xroad.double.soap_answer import SoapAnswer
from tests.test_xroad.double.soap_request import SoapRequest

AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """An answer over REST; header names keep the case in which they came."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The last value of a header, None if it is absent."""
        found = [value for each, value in self.headers if each.lower() == name.lower()]
        return found[-1] if found else None


SoapProvider = Callable[[SoapRequest], Awaitable[SoapAnswer]]
RestProvider = Callable[[RestRequest], Awaitable[RestAnswer]]


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a provider.

    `provider` is a URL, or an async function of `SoapRequest` to `SoapAnswer`, or of `RestRequest` to `RestAnswer`.
    What is asked in the other protocol is refused with `service_type`, as X-Road forbids mixing both. `adds` gives the
    HTTP headers that an adapter between the provider's server and `provider` puts in: its log-in at the registry, say,
    since in SOAP no header of the asker's but two comes so far.
    """

    kind: Literal["soap", "rest"]
    provider: str | SoapProvider | RestProvider
    adds: Callable[[], Mapping[str, str]] = dict


class Link:
    """Connections to information systems; none of them is followed elsewhere, unpacked or kept waiting for long."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        connector = TCPConnector(ssl=tls) if tls else TCPConnector()
        self._session = ClientSession(
            connector=connector, auto_decompress=False, skip_auto_headers=AUTOMATIC, timeout=ClientTimeout(total=60)
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._session.close()

    async def soap(self, url: str, request: SoapRequest, added: Mapping[str, str] = {}) -> SoapAnswer:
        """Post the envelope as it came; of the asker's HTTP headers only these two arrive (PR-MESS 2.2)."""
        headers = CIMultiDict({"Content-Type": request.content_type})
        if request.soap_action is not None:
            headers["SOAPAction"] = request.soap_action
        headers.update(added)
        async with self._session.post(
            URL(url, encoded=True), data=request.envelope, headers=headers, allow_redirects=False
        ) as answer:
            return SoapAnswer(answer.status, answer.headers.get("Content-Type"), await answer.read())

    async def rest(self, url: str, request: RestRequest, added: Mapping[str, str] = {}) -> RestAnswer:
        """Send the same method, body and headers to the service's address with path and query behind it.

        X-Road-Service is not among the headers: the servers set it in answers only (`RestRequest`, X-Road 7.8).
        """
        address = url[:-1] + request.path if url.endswith("/") and request.path else url + request.path
        if request.query is not None:
            address += f"?{request.query}"
        headers = CIMultiDict(request.headers)
        headers.update(added)
        async with self._session.request(
            request.verb,
            URL(address, encoded=True),
            data=request.body or None,
            headers=headers,
            allow_redirects=False,
        ) as answer:
            answered = [(name.decode(), value.decode()) for name, value in answer.raw_headers]
            return RestAnswer(answer.status, answered, await answer.read())
