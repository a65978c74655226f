"""Who really asks: `X-Forwarded-*` and `Client-Cert` (RFC 9440) count only from trusted proxies.

Handlers read `request[PEER]` and never those headers; from anybody else the headers are as if they had not been sent.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import ssl
from collections.abc import Awaitable, Sequence
from functools import lru_cache
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from config.settings import ConfigurationError
from routes.bodies import single
from routes.context import PEER, Peer
from schemas.errors import Flaw, Malformed, Text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(trusted: Sequence[str]) -> tuple[Network, ...]:
    """Parse `server.trusted_proxies`: addresses or CIDR networks; raises ConfigurationError naming a wrong one."""
    try:
        return tuple(ipaddress.ip_network(entry) for entry in trusted)
    except ValueError as error:
        raise ConfigurationError(
            f"server.trusted_proxies: {error}; write an address or a network like 10.0.0.0/8"
        ) from None


@lru_cache(maxsize=1024)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    # A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _trusted(address: str, proxies: Sequence[Network]) -> bool:
    parsed = _address(address)
    return parsed is not None and any(parsed in network for network in proxies)


def client_certificate(value: str) -> bytes:
    """Decode a `Client-Cert` value, `:base64:` (RFC 9440, 2.1), to DER; raises Malformed."""
    text = value.strip()
    try:
        if len(text) > 2 and text.startswith(":") and text.endswith(":"):
            return base64.b64decode(text[1:-1], validate=True)
    except binascii.Error:
        pass
    flaw = Flaw("", Text("phải có dạng :base64: (RFC 9440)", "must be :base64: (RFC 9440)"), header="Client-Cert")
    raise Malformed(flaws=[flaw])


# The same for every request of a connection, and of most callers' connections.
_direct = lru_cache(maxsize=1024)(Peer)


def peer_of(request: web.BaseRequest, proxies: Sequence[Network]) -> Peer:
    """Return who is at the other end of `request`; raises Malformed for a proxy's unreadable or repeated headers."""
    transport = request.transport
    name = transport.get_extra_info("peername") if transport is not None else None
    address = str(name[0]) if isinstance(name, tuple) else ""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport is not None else None
    if not proxies or not _trusted(address, proxies):
        return _direct(address, "https", tls.getpeercert(binary_form=True)) if tls else _direct(address, "http", None)
    hops = [hop.strip() for value in request.headers.getall("X-Forwarded-For", ()) for hop in value.split(",")]
    # Each proxy appends whom it saw: from the right, the first hop that is no proxy of ours is the client.
    client = next((hop for hop in reversed(hops) if not _trusted(hop, proxies)), hops[0] if hops else address)
    parsed = _address(client)
    scheme = (single(request, "X-Forwarded-Proto") or "").rpartition(",")[2].strip().lower()
    certificate = single(request, "Client-Cert")
    return Peer(
        str(parsed) if parsed else address,
        scheme if scheme in ("http", "https") else ("https" if tls else "http"),
        client_certificate(certificate) if certificate is not None else None,
    )


def trusting(trusted: Sequence[str]) -> Middleware:
    """Return the middleware that sets `request[PEER]`."""
    proxies = networks(trusted)

    @web.middleware
    def peer(request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
        # Where no proxy is believed, all requests of a connection come from its other end: our own keep it.
        connection: Any = request.protocol
        known: Peer | None = None if proxies else getattr(connection, "peer", None)
        if known is None:
            known = peer_of(request, proxies)
            if hasattr(connection, "peer"):
                connection.peer = known
        request[PEER] = known
        return handler(request)

    return peer
