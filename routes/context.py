"""What the routes and middlewares tell each other about a request and the application, as typed keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from schemas.errors import GatewayError
from schemas.exchange import Caller


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as far as trusted proxies and TLS prove it.

    `address` is an IP address or empty, `scheme` is http or https, `certificate` the client certificate in DER.
    """

    address: str
    scheme: str
    certificate: bytes | None = None


REQUEST_ID = web.RequestKey("request_id", str)
PEER = web.RequestKey("peer", Peer)
# Set by whoever authenticates the request; the access line names the client.
CALLER = web.RequestKey("caller", Caller)
# Set by whoever renders a failure itself, so that the access line can name it.
FAILURE = web.RequestKey("failure", GatewayError)
# Headers that go on the answer whether it succeeds or fails (rate limits for example); empty at first.
ANSWER_HEADERS = web.RequestKey("answer_headers", dict[str, str])

BASE_URL = web.AppKey("base_url", str)
# Called by each worker on SIGHUP, after the TLS certificates were renewed.
RELOAD: web.AppKey[Callable[[], Awaitable[None]]] = web.AppKey("reload")
# Served on `server.admin_listen` where that is set.
ADMIN = web.AppKey("admin", web.Application)
