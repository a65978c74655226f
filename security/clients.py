"""Registered applications (ứng dụng đăng ký): what is known of each.

A client belongs to an agency, proves itself with credentials and holds grants. Clients are never deleted: a revoked one
keeps its id for the audit trail. Tables: `security.client_store`; in memory: `security.registry`; changes:
`security.administration`.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from schemas.exchange import Caller, Credential, CredentialKind, Grant


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """One credential of a client; `id` is public. `material` by kind:

    secret: `salt`, `digest` (base64) · private-key-jwt: `jwk` (public, RFC 7517) · mtls and signature: `sha256` (hex of
    the certificate's DER), for signature also `certificate` (base64 DER) · or for mtls `subject` (RFC 4514) and
    `issuer` (base64 DER of the issuing CA's certificate) · xroad: nothing, the id is all there is.
    """

    kind: CredentialKind
    id: str
    material: Mapping[str, Any]
    created_at: datetime
    not_after: datetime | None = None
    revoked_at: datetime | None = None

    def lapse(self, at: datetime) -> str | None:
        """`revoked` or `expired` where it no longer counts, else None; a revocation counts whatever its clock said."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.not_after is not None and at >= self.not_after else None

    @property
    def exclusive(self) -> bool:
        """Whether its id may stand for one living client only: a pinned certificate, an X-Road client."""
        return self.kind == "xroad" or "sha256" in self.material

    def public(self) -> Credential:
        """What callers and the audit trail may see of it."""
        return Credential(self.kind, self.id, self.not_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered application: `rights` are roles beyond look-ups, for example `audit`."""

    client_id: str
    name: str
    agency: str
    created_at: datetime
    version: int = 0
    rights: frozenset[str] = frozenset()
    revoked_at: datetime | None = None
    credentials: tuple[StoredCredential, ...] = ()
    grants: tuple[Grant, ...] = ()
    _callers: dict[str, Caller] = field(default_factory=dict, init=False, compare=False, repr=False)

    def credential(self, credential_id: str) -> StoredCredential | None:
        """Return the credential of this id, lapsed or not."""
        return next((item for item in self.credentials if item.id == credential_id), None)

    def caller(self, credential: StoredCredential) -> Caller:
        """Return the caller that this credential proves, made once per credential."""
        known = self._callers.get(credential.id)
        if known is None:
            by_operation: dict[tuple[str, str], tuple[Grant, ...]] = {}
            for grant in self.grants:
                key = (grant.database, grant.operation)
                by_operation[key] = (*by_operation.get(key, ()), grant)
            known = self._callers[credential.id] = Caller(
                self.client_id, self.agency, credential.public(), by_operation, self.rights
            )
        return known


# Client secrets are 256 random bits and cannot be guessed, so one fast keyed hash is enough; a slow one (bcrypt,
# scrypt) exists to protect what people choose and would only let anybody spend our CPU at the token endpoint.
def new_secret() -> str:
    """Make a client secret; the prefix lets secret scanners find one that was committed somewhere."""
    return "lgsp_" + secrets.token_urlsafe(32)


def secret_material(secret: str) -> dict[str, str]:
    """The salt and digest by which a secret is recognised later."""
    salt = secrets.token_bytes(16)
    return {"salt": base64.b64encode(salt).decode(), "digest": base64.b64encode(_hashed(salt, secret)).decode()}


def secret_matches(material: Mapping[str, Any], secret: str) -> bool:
    """Compare a presented secret in constant time."""
    return hmac.compare_digest(
        base64.b64decode(material["digest"]), _hashed(base64.b64decode(material["salt"]), secret)
    )


def _hashed(salt: bytes, secret: str) -> bytes:
    return hmac.digest(salt, secret.encode("utf-8", "surrogatepass"), sha256)


def pinned_id(kind: CredentialKind, digest: str) -> str:
    """The credential id of a registered certificate, from the hex of its SHA-256."""
    return f"sha256:{digest}" if kind == "mtls" else f"{kind}-sha256:{digest}"


def xroad_id(client: str) -> str:
    """The credential id of an X-Road client, from its identifier (`schemas.xroad.client_identifier`)."""
    return f"xroad:{client}"
