"""Access tokens (mã truy cập): ES256-signed JWTs of RFC 9068, short-lived, ended early by revoking their credential.

A token names its client and the credential that got it; one got by mTLS also names the certificate (RFC 8705) and is
worth nothing without it. Every verification costs a signature; `security.identity` remembers whom a token proved.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from schemas.errors import Text, Unauthenticated
from security.clients import Client, StoredCredential
from security.keys import Key, KeyRing, KeysUnusable

ALGORITHM: Final = "ES256"
_TYPE: Final = "at+jwt"
_LONGEST: Final = 4096
_KEY_ID = re.compile(r"token-[0-9]{1,4}", re.ASCII)
_LOOK_AGAIN: Final = 5.0
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)

# RFC 6750 section 3.1 needs a sentence for each of them; `routes.errors` renders it.
REASONS: Final = {
    "missing": Text("Thiếu mã truy cập hoặc chứng thư", "There is no access token and no client certificate"),
    "malformed": Text("Không đọc được thông tin xác thực", "The credential cannot be read"),
    "unknown": Text("Không nhận ra thông tin xác thực", "The credential is unknown"),
    "expired": Text("Thông tin xác thực đã hết hạn", "The credential has expired"),
    "revoked": Text("Thông tin xác thực đã bị thu hồi", "The credential was revoked"),
}


def unauthenticated(reason: str) -> Unauthenticated:
    """The error for one of `REASONS`."""
    return Unauthenticated(REASONS[reason], reason=reason)


class Claims(NamedTuple):
    """What a verified token says; times are POSIX seconds, `thumbprint` the certificate's `x5t#S256` (RFC 8705)."""

    client_id: str
    credential_id: str
    token_id: str
    issued_at: int
    expires_at: int
    thumbprint: str | None
    key_ends: float = float("inf")


class Tokens:
    """Issues and verifies the tokens of one issuer with the generations of the `token` key.

    `turn` changes whenever what was verified before has to be verified anew.
    """

    def __init__(
        self,
        keys: KeyRing,
        issuer: str,
        lifetime: int = 600,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.lifetime = lifetime
        self._keys = keys
        self._clock = clock
        self._parsed: dict[str, ECKey] = {}
        self._look_again_at = 0.0
        self.turn = 0

    def issue(self, client: Client, credential: StoredCredential, thumbprint: str | None = None) -> tuple[str, Claims]:
        """Make a token for a client that has just proved itself with a credential."""
        now = int(self._clock())
        claims = Claims(client.client_id, credential.id, str(uuid.uuid4()), now, now + self.lifetime, thumbprint)
        content: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": claims.client_id,
            "client_id": claims.client_id,
            "credential": claims.credential_id,
            "jti": claims.token_id,
            "iat": claims.issued_at,
            "exp": claims.expires_at,
        }
        if thumbprint is not None:
            content["cnf"] = {"x5t#S256": thumbprint}
        current = self._keys.current("token")
        header = {"alg": ALGORITHM, "kid": current.id, "typ": _TYPE}
        return jwt.encode(header, content, self._key(current.id), algorithms=[ALGORITHM]), claims

    def verify(self, token: str) -> Claims:
        """Return what a token says; raises Unauthenticated (malformed, unknown, expired).

        Whether client and credential still count is for the registry to say, at every use.
        """
        return self.living(self._check(token))

    def living(self, claims: Claims) -> Claims:
        """Return what a verified token says unless its time, or that of its key, is over; raises Unauthenticated."""
        now = self._clock()
        if now >= claims.expires_at:
            raise unauthenticated("expired")
        if now >= claims.key_ends:
            raise unauthenticated("unknown")
        return claims

    def forget(self) -> None:
        """Verify every token anew; called when keys were rotated or withdrawn."""
        self.turn += 1
        self._parsed.clear()

    def jwks(self) -> dict[str, Any]:
        """The public keys that verify tokens now, as a JWK set (RFC 7517)."""
        return {
            "keys": [
                {**self._key(key.id).as_dict(private=False), "kid": key.id, "use": "sig", "alg": ALGORITHM}
                for key in self._keys.usable("token", self._now())
            ]
        }

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _key(self, key_id: str) -> ECKey:
        """Return the key of an id if it still verifies; raises KeyError.

        A key that another node of the deployment has just rotated in is looked for on disk, at most every few seconds.
        """
        found = self._usable(key_id)
        if found is None and _KEY_ID.fullmatch(key_id) and self._clock() >= self._look_again_at:
            self._look_again_at = self._clock() + _LOOK_AGAIN
            self._keys.reload()
            found = self._usable(key_id)
        if found is None:
            raise KeyError(key_id)
        if key_id not in self._parsed:
            self._parsed[key_id] = ECKey.import_key(found.material)
        return self._parsed[key_id]

    def _usable(self, key_id: str) -> Key | None:
        return next((key for key in self._keys.usable("token", self._now()) if key.id == key_id), None)

    def _check(self, token: str) -> Claims:
        if len(token) > _LONGEST or _SHAPE.fullmatch(token) is None:
            raise unauthenticated("malformed")
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError, TypeError, RecursionError):
            raise unauthenticated("malformed") from None
        if header.get("typ") != _TYPE or header.get("alg") != ALGORITHM:
            raise unauthenticated("unknown")
        try:
            content = jwt.decode(token, self._key(header["kid"]), algorithms=[ALGORITHM]).claims
            key = self._usable(header["kid"])
            if key is None:
                raise unauthenticated("unknown")
            if content["iss"] != self.issuer or content["aud"] != self.issuer:
                raise unauthenticated("unknown")
            confirmation = content.get("cnf")
            return Claims(
                content["client_id"],
                content["credential"],
                content["jti"],
                content["iat"],
                content["exp"],
                confirmation["x5t#S256"] if confirmation is not None else None,
                float("inf") if key.until is None else key.until.timestamp(),
            )
        except (JoseError, ValueError, KeyError, TypeError, KeysUnusable):
            raise unauthenticated("unknown") from None
