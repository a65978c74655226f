"""Who asks: from the `Authorization` header and the TLS client certificate to a Caller (định danh bên gọi).

Knows neither HTTP server nor sockets: which certificate was proved, by our own TLS or to a trusted proxy (RFC 9440), is
decided where the connection is known (`routes.peers`).
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from schemas.exchange import Caller
from security.clients import Client, StoredCredential
from security.registry import ClientRegistry
from security.tokens import Tokens, unauthenticated

_BEARER = re.compile(r"bearer +([^ ]+) *", re.IGNORECASE | re.ASCII)


def thumbprint(der: bytes) -> str:
    """The `x5t#S256` of a certificate (RFC 8705): unpadded base64url of the SHA-256 of its DER."""
    return base64.urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()


class Identity:
    """Recognises callers; one per process."""

    def __init__(self, registry: ClientRegistry, tokens: Tokens, *, clock: Callable[[], float] = time.time) -> None:
        self.registry = registry
        self.tokens = tokens
        self._clock = clock

    def identify(self, authorization: str | None, certificate: bytes | None) -> Caller:
        """Return the caller of a request from its `Authorization` value and its client certificate (DER).

        A token decides where there is one; a certificate alone identifies too. Raises Unauthenticated with reason
        missing, malformed, unknown, expired or revoked.
        """
        if authorization is None:
            if certificate is None:
                raise unauthenticated("missing")
            client, credential = self.by_certificate(certificate)
            return client.caller(credential)
        match = _BEARER.fullmatch(authorization)
        if match is None:
            raise unauthenticated("malformed")
        claims = self.tokens.verify(match[1])
        if claims.thumbprint is not None and (certificate is None or thumbprint(certificate) != claims.thumbprint):
            # Somebody else's token, or a proxy that dropped the certificate: worth nothing either way (RFC 8705).
            raise unauthenticated("unknown")
        holder = self.registry.get(claims.client_id)
        if holder is None:
            raise unauthenticated("unknown")
        proof = holder.credential(claims.credential_id)
        if holder.revoked_at is not None or proof is None or self.registry.ended(claims.token_id):
            raise unauthenticated("revoked")
        lapse = proof.lapse(self.now())
        if lapse is not None:
            raise unauthenticated(lapse)
        return holder.caller(proof)

    def by_secret(self, client_id: str, secret: str) -> tuple[Client, StoredCredential]:
        """Recognise a client by id and secret, as the token endpoint and SOAP's HTTP Basic need it."""
        return self.registry.by_secret(client_id, secret, self.now())

    def by_certificate(self, certificate: bytes) -> tuple[Client, StoredCredential]:
        """Recognise a client by its TLS certificate (DER)."""
        return self.registry.by_certificate(certificate, sha256(certificate).hexdigest(), self.now())

    def now(self) -> datetime:
        """The time that credentials are judged at (UTC)."""
        return datetime.fromtimestamp(self._clock(), UTC)
