"""Who calls, as HTTP and TLS prove it: Basic or Bearer, a client certificate, a security server (bên gọi SOAP)."""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from schemas.errors import Text, Unauthenticated
from schemas.exchange import Caller
from security.identity import Identity
from security.tokens import unauthenticated

if TYPE_CHECKING:
    from routes.context import Peer

_BASIC: Final = re.compile(r"basic +([A-Za-z0-9+/]+={0,2}) *", re.IGNORECASE | re.ASCII)
_TWO = Text(
    "Hai bằng chứng định danh chỉ hai bên gọi khác nhau",
    "Two proofs of who calls name two different clients",
)


class Callers:
    """Recognises who sent a request; `servers` are the SHA-256 (hexadecimal) of security servers' certificates."""

    def __init__(self, identity: Identity, servers: frozenset[str] = frozenset()) -> None:
        self._identity = identity
        self._servers = servers

    def is_security_server(self, peer: Peer) -> bool:
        """Tell whether a connection comes from a configured security server."""
        return (
            bool(self._servers)
            and peer.certificate is not None
            and sha256(peer.certificate).hexdigest() in self._servers
        )

    def by_http(self, authorization: str | None, peer: Peer) -> Caller | None:
        """Return the caller that HTTP or TLS proves, None where they prove nobody.

        Raises Unauthenticated for a proof that does not count. A certificate that nobody registered is no proof: it may
        be that of a proxy.
        """
        server = self.is_security_server(peer)
        certificate = None if server else peer.certificate
        if authorization is None:
            return None if certificate is None else self._identity.identify(None, certificate)
        basic = _BASIC.fullmatch(authorization)
        if basic is None:
            return self._identity.identify(authorization, certificate)
        client, credential = self._identity.by_secret(*_decoded(basic[1]))
        if certificate is not None:
            try:
                other, _ = self._identity.by_certificate(certificate)
            except Unauthenticated:
                other = client
            if other.client_id != client.client_id:
                raise two_callers()
        return client.caller(credential)


def two_callers() -> Unauthenticated:
    """Say that the proofs of a request contradict each other."""
    return Unauthenticated(_TWO, reason="unknown")


def _decoded(text: str) -> tuple[str, str]:
    """Read `id:secret` (RFC 7617, section 2); raises Unauthenticated (malformed)."""
    try:
        identifier, colon, secret = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unauthenticated("malformed") from None
    if not colon:
        raise unauthenticated("malformed")
    return identifier, secret
