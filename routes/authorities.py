"""To whom a signed request may be addressed: what was signed for another gateway is not answered by this one.

A caller may be registered with the same certificate at several gateways. `@authority` (RFC 9421 section 2.2.3) is what
tells its requests apart, so it has to be an address of ours and not merely the one that the request came with.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from yarl import URL

from config.settings import Server
from routes.loopback import is_loopback

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def addressed_to(server: Server) -> Callable[[str], bool]:
    """Return what tells whether an authority, in lower case and without a default port, is one of ours.

    Ours are the host of `public_url` and the addresses that are listened on, on loopback by any of its names. Where no
    `public_url` is set and a wildcard, a free port or a proxy hides how callers name us, every authority is. Of a proxy
    nothing else is believed here: callers sign the `Host` that they send, which it has to leave as it is.
    """
    listens = [("http", server.listen), *([("https", server.tls.listen)] if server.tls else [])]
    if server.public_url is None:
        if server.trusted_proxies or not all(_is_known(listen) for _, listen in listens):
            return lambda authority: True
        public = None
    else:
        public = _authority(server.public_url)
    ours = {name for scheme, listen in listens if _is_known(listen) for name in _names(scheme, listen)}
    return frozenset(ours if public is None else {*ours, public}).__contains__


def _authority(url: str) -> str | None:
    try:
        return URL(url).host_port_subcomponent
    except ValueError:
        # `lgsp check` says what is wrong with it.
        return None


def _is_known(listen: str) -> bool:
    """Tell whether an address to listen on is also one to send to: no wildcard, no port that is yet to be found."""
    host, _, port = listen.rpartition(":")
    try:
        return int(port) != 0 and not ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return host != "" and port.isdigit()


def _names(scheme: str, listen: str) -> Iterator[str]:
    host, _, port = listen.rpartition(":")
    for name in {host.strip("[]"), *(_LOOPBACK if is_loopback(listen) else ())}:
        authority = URL.build(scheme=scheme, host=name, port=int(port)).host_port_subcomponent
        if authority is not None:
            yield authority
