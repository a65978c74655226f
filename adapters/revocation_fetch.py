"""Fetching revocation lists and OCSP answers over HTTP: bounded in time and size, no redirects, nothing kept open."""

from __future__ import annotations

import asyncio

from yarl import URL

from adapters.transport import Message, Transport, refusal
from config.settings import ConfigurationError, Endpoint, Revocation, Timeout
from schemas.errors import GatewayError

_LARGEST_ANSWER = 64 * 1024
_ASK = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
_LIST = {"Accept": "application/pkix-crl"}


class Unfetched(Exception):
    """Nothing came from an address that could be used; the text says why, without its content.

    `status`: the HTTP status of what came, None where nothing did. `location`: where a redirect leads.
    """

    def __init__(self, text: str, status: int | None = None, location: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.location = location


class Fetcher:
    """Asks addresses that configuration or certificates of validated paths name, never those of messages."""

    def __init__(self, settings: Revocation) -> None:
        self._settings = settings

    async def fetch_list(self, url: str) -> bytes:
        """Return what lies at the address of a revocation list; raises Unfetched."""
        return await self._ask(url, "GET", _LIST, b"", self._settings.max_list)

    async def fetch_answer(self, url: str, question: bytes) -> bytes:
        """Return what a responder answers to an OCSP request in DER form (RFC 6960 appendix A); raises Unfetched."""
        return await self._ask(url, "POST", _ASK, question, _LARGEST_ANSWER)

    async def _ask(self, url: str, method: str, headers: dict[str, str], body: bytes, largest: int) -> bytes:
        limit = self._settings.timeout
        try:
            address = URL(url)
            # As a whole, since an endpoint's path would lose its last slash.
            message = Message(method, address.raw_path_qs, headers, body)
            endpoint = Endpoint(
                url=str(address.origin()),
                timeout=Timeout(connect=limit, read=limit, total=limit),
                concurrency=1,
                max_answer=largest,
            )
            # In a thread: a TLS context reads every CA of the system.
            transport = await asyncio.to_thread(Transport, address.host or "", endpoint)
        except (ValueError, ConfigurationError) as error:
            raise Unfetched(f"{url} is no address that can be asked: {error}") from None
        try:
            reply = await transport.send(message, deadline=asyncio.get_running_loop().time() + limit)
        except GatewayError as error:
            raise Unfetched(error.detail.en) from None
        finally:
            await transport.close()
        failure = refusal(transport.name, reply)
        if failure is not None:
            raise Unfetched(failure.detail.en, reply.status, reply.headers.get("Location", ""))
        return reply.body
