"""Who calls, as HTTP and TLS prove it: Basic or Bearer, a client certificate, a security server (bên gọi SOAP)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

from routes.soap.xroad import XRoadHeaders
from routes.xroad import named, nobody_named, two_callers
from schemas.errors import Unauthenticated
from schemas.exchange import Caller
from security.identity import Identity
from security.security_servers import SecurityServers
from security.tokens import unauthenticated

if TYPE_CHECKING:
    from routes.context import Peer

_BASIC: Final = re.compile(r"basic +([A-Za-z0-9+/]+={0,2}) *", re.IGNORECASE | re.ASCII)


class Callers:
    """Recognises who sent a request; `servers` are believed about who asks through them."""

    def __init__(self, identity: Identity, servers: SecurityServers) -> None:
        self._identity = identity
        self._servers = servers

    def is_security_server(self, peer: Peer) -> bool:
        """Tell whether a connection is a security server's; raises Unauthenticated where its certificate ended."""
        if peer.certificate not in self._servers:
            return False
        self._servers.check(peer.certificate)
        return True

    def by_xroad(self, headers: XRoadHeaders | None, known: Caller | None, request_id: str) -> Caller:
        """Return the caller that a security server names; `known` is whom the message proves besides.

        Raises Unauthenticated: missing without the headers of X-Road, malformed, unknown, revoked.
        """
        if headers is None:
            raise nobody_named()
        caller = named(self._identity, headers.client, request_id)
        if known is not None and known.client_id != caller.client_id:
            raise two_callers()
        return caller

    def by_http(self, authorization: str | None, peer: Peer) -> Caller | None:
        """Return the caller that HTTP or TLS proves, None where they prove nobody.

        Raises Unauthenticated for a proof that does not count. A certificate that nobody registered is no proof: it may
        be that of a proxy.
        """
        certificate = None if self.is_security_server(peer) else peer.certificate
        by_tls: Caller | None = None
        if certificate is not None:
            try:
                by_tls = self._identity.identify(None, certificate)
            except Unauthenticated as unproven:
                if authorization is None and unproven.reason != "unknown":
                    raise
        if authorization is None:
            return by_tls
        basic = _BASIC.fullmatch(authorization)
        if basic is None:
            caller = self._identity.identify(authorization, certificate)
        else:
            client, credential = self._identity.by_secret(*_decoded(basic[1]))
            caller = client.caller(credential)
        if by_tls is not None and by_tls.client_id != caller.client_id:
            raise two_callers()
        return caller


def _decoded(text: str) -> tuple[str, str]:
    """Read `id:secret` (RFC 7617, section 2); raises Unauthenticated (malformed)."""
    try:
        identifier, colon, secret = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unauthenticated("malformed") from None
    if not colon:
        raise unauthenticated("malformed")
    return identifier, secret
