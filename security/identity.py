"""Who asks: from the `Authorization` header and the TLS client certificate to a Caller (định danh bên gọi).

Knows neither HTTP server nor sockets: which certificate was proved, by our own TLS or to a trusted proxy (RFC 9440), is
decided where the connection is known (`routes.peers`).
"""

from __future__ import annotations

import base64
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from schemas.exchange import Caller
from security.clients import Client, StoredCredential
from security.registry import ClientRegistry
from security.tokens import Claims, Tokens, unauthenticated

_BEARER = re.compile(r"bearer +([^ ]+) *", re.IGNORECASE | re.ASCII)


def thumbprint(der: bytes) -> str:
    """The `x5t#S256` of a certificate (RFC 8705): unpadded base64url of the SHA-256 of its DER."""
    return base64.urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()


class _Proven(NamedTuple):
    """Whom a token proved; `until` (POSIX seconds) is when token or credential ends by itself."""

    caller: Caller
    client: Client
    claims: Claims
    turn: int
    until: float


class Identity:
    """Recognises callers; one per process.

    Whom a token proved is remembered for `remembered` tokens. What can change meanwhile is asked at every use.
    """

    def __init__(
        self,
        registry: ClientRegistry,
        tokens: Tokens,
        *,
        remembered: int = 20_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self.tokens = tokens
        self._clock = clock
        self._remembered = remembered
        self._proven: OrderedDict[str, _Proven] = OrderedDict()

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
        proven = self._proven.get(authorization)
        if proven is None or proven.turn != self.tokens.turn:
            match = _BEARER.fullmatch(authorization)
            if match is None:
                raise unauthenticated("malformed")
            return self._by_claims(self.tokens.verify(match[1]), authorization, certificate)
        claims, registry = proven.claims, self.registry
        if (
            # Any change of a client, its credentials or its grants makes another object of it.
            proven.client is registry.get(claims.client_id)
            and not registry.ended(claims.token_id)
            and self._clock() < proven.until
            and (claims.thumbprint is None or _held(claims, certificate))
        ):
            return proven.caller
        return self._by_claims(self.tokens.living(claims), authorization, certificate)

    def _by_claims(self, claims: Claims, authorization: str, certificate: bytes | None) -> Caller:
        if not _held(claims, certificate):
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
        caller = holder.caller(proof)
        # A value padded with blanks is as good, but whoever sends ever more of them must not fill the memory.
        if authorization.count(" ") == 1:
            ends = min(claims.expires_at, claims.key_ends)
            if proof.not_after is not None:
                ends = min(ends, proof.not_after.timestamp())
            self._proven[authorization] = _Proven(caller, holder, claims, self.tokens.turn, ends)
            if len(self._proven) > self._remembered:
                self._proven.popitem(last=False)
        return caller

    def by_secret(self, client_id: str, secret: str) -> tuple[Client, StoredCredential]:
        """Recognise a client by id and secret, as the token endpoint and SOAP's HTTP Basic need it."""
        return self.registry.by_secret(client_id, secret, self.now())

    def by_certificate(self, certificate: bytes) -> tuple[Client, StoredCredential]:
        """Recognise a client by its TLS certificate (DER)."""
        return self.registry.by_certificate(certificate, sha256(certificate).hexdigest(), self.now())

    def by_xroad(self, client: str) -> Caller:
        """Return the caller that a security server names; raises Unauthenticated with reason unknown or revoked."""
        known, credential = self.registry.by_xroad(client, self.now())
        return known.caller(credential)

    def now(self) -> datetime:
        """The time that credentials are judged at (UTC)."""
        return datetime.fromtimestamp(self._clock(), UTC)


def _held(claims: Claims, certificate: bytes | None) -> bool:
    """Tell whether a token that is bound to a certificate came with it (RFC 8705)."""
    return claims.thumbprint is None or (certificate is not None and thumbprint(certificate) == claims.thumbprint)
