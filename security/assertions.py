"""Client assertions (RFC 7521, RFC 7523, `private_key_jwt`): a client proves itself by signing with its own key.

An assertion lives five minutes at most and counts once: its `jti` is remembered until a day after it ended, in the SQL
storage that all processes and nodes share.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, Table, delete, insert
from sqlalchemy.exc import IntegrityError

from schemas.errors import Unauthenticated
from security.clients import Client, StoredCredential
from security.registry import ClientRegistry, living
from security.tokens import unauthenticated
from storage.engine import Storage
from storage.metadata import BIGINT, METADATA

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("ES256", "ES384", "PS256", "RS256")
_BY_CURVE: Final = {"P-256": "ES256", "P-384": "ES384"}
_LIFETIME: Final = 300
_LEEWAY: Final = 30
_LONGEST: Final = 8192

USED = Table(
    "used_assertions",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", BIGINT, nullable=False, index=True),
)
# Seconds. By a clock that is ahead we would forget what counts again once that clock is set back. A day is more than by
# how much local time differs from UTC (seven hours in Viet Nam, fourteen at most), and cheap: 106 bytes a row.
_KEPT_LONGER: Final = 86_400


def forgettable(now: int) -> ColumnElement[bool]:
    """The rows of `USED` that need not be remembered any longer at `now` (POSIX seconds), even if it is a day ahead."""
    return USED.c.expires_at < now - _KEPT_LONGER


class UsedAssertions:
    """Remembers which assertions and nonces of signatures were used; several processes and nodes share the memory."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def first_use(
        self, client_id: str, token_id: str, expires_at: int, now: int, signed_at: datetime | None = None
    ) -> bool:
        """Tell whether this is the first use of a `jti` by a client, and remember it. Raises StorageUnavailable."""
        digest = sha256(f"{client_id}\0{token_id}".encode("utf-8", "surrogatepass")).digest()

        def remember(connection: Connection) -> bool:
            connection.execute(delete(USED).where(forgettable(now)))
            try:
                with connection.begin_nested():
                    connection.execute(insert(USED).values(digest=digest, expires_at=expires_at))
            except IntegrityError:
                return False
            return True

        return await self._storage.write(remember)


def claimed(assertion: str) -> str | None:
    """Return the client that an assertion says it is of, without any proof of it; None where it cannot be read."""
    try:
        claims = _read(assertion)[1]
    except Unauthenticated:
        return None
    return str(claims["sub"])


def _read(assertion: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Take header and claims out of an assertion that nobody has verified yet; raises Unauthenticated (malformed)."""
    if len(assertion) > _LONGEST or not assertion.isascii():
        raise unauthenticated("malformed")
    try:
        parsed = jws.extract_compact(assertion.encode())
        header, claims = parsed.headers(), json.loads(parsed.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise unauthenticated("malformed") from None
    if not isinstance(claims, dict) or not isinstance(claims.get("sub"), str):
        raise unauthenticated("malformed")
    return header, claims


class Assertions:
    """Verifies client assertions addressed to any of `audiences` (issuer and token endpoint)."""

    def __init__(
        self,
        registry: ClientRegistry,
        used: UsedAssertions,
        audiences: frozenset[str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._used = used
        self._audiences = audiences
        self._clock = clock

    async def verify(self, assertion: str, client_id: str | None) -> tuple[Client, StoredCredential]:
        """Recognise the client that signed; `client_id` is what the form said beside it.

        Raises Unauthenticated (malformed, unknown, expired, revoked; `replayed` for a second use), StorageUnavailable.
        """
        header, claims = _read(assertion)
        subject = claims["sub"]
        client = self._registry.get(subject)
        if client is None or claims.get("iss") != subject or client_id not in (None, subject):
            raise unauthenticated("unknown")
        signers = [
            item
            for item in client.credentials
            if item.kind == "private-key-jwt" and _signed(assertion, header, item.material["jwk"])
        ]
        now = self._clock()
        credential = living(client, signers, datetime.fromtimestamp(now, UTC))
        expires_at, token_id = self._check_claims(claims, now)
        if not await self._used.first_use(subject, token_id, expires_at + _LEEWAY, int(now)):
            raise Unauthenticated(reason="replayed")
        return client, credential

    def _check_claims(self, claims: Mapping[str, Any], now: float) -> tuple[int, str]:
        audience = claims.get("aud")
        named = [audience] if isinstance(audience, str) else audience
        # An assertion that is also addressed to somebody else could be presented to us by them.
        if (
            not isinstance(named, list)
            or not named
            or any(not isinstance(item, str) or item not in self._audiences for item in named)
        ):
            raise unauthenticated("unknown")
        times = [claims.get("exp"), claims.get("iat", now), claims.get("nbf", now)]
        token_id = claims.get("jti")
        if not all(_number(item) for item in times) or not isinstance(token_id, str) or not 1 <= len(token_id) <= 256:
            raise unauthenticated("malformed")
        expires_at, issued_at, not_before = times
        if now >= expires_at + _LEEWAY:
            raise unauthenticated("expired")
        if expires_at > now + _LIFETIME + _LEEWAY or max(issued_at, not_before) > now + _LEEWAY:
            raise unauthenticated("malformed")
        return int(expires_at), token_id


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 53


def _signed(assertion: str, header: Mapping[str, Any], jwk: Mapping[str, Any]) -> bool:
    key, allowed = public_key(json.dumps(jwk, sort_keys=True))
    if "kid" in header and "kid" in jwk and header["kid"] != jwk["kid"]:
        return False
    try:
        jwt.decode(assertion, key, algorithms=list(allowed))
    except (JoseError, ValueError, TypeError):
        return False
    return True


@lru_cache(maxsize=4096)
def public_key(jwk: str) -> tuple[ECKey | RSAKey, tuple[str, ...]]:
    """Import a public JWK (JSON text) with the algorithms it may verify; raises ValueError for any other key.

    The key decides about the algorithm, not the header of who sends it. RSA needs 2048 bits or more.
    """
    fields = json.loads(jwk)
    if not isinstance(fields, dict) or "d" in fields:
        raise ValueError("not a public key: a JWK with private members must never leave its owner")
    try:
        if fields.get("kty") == "EC" and fields.get("crv") in _BY_CURVE:
            return ECKey.import_key(fields), (_BY_CURVE[fields["crv"]],)
        if fields.get("kty") == "RSA":
            key = RSAKey.import_key(fields)
            if key.public_key.key_size >= 2048:
                return key, ("PS256", "RS256")
    except (JoseError, TypeError, KeyError) as failure:
        raise ValueError("the JWK cannot be read") from failure
    raise ValueError("a client key is EC P-256, EC P-384 or RSA of at least 2048 bits")
