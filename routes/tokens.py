"""The token endpoint (cấp mã truy cập): `POST /oauth2/token` and what describes it.

Client credentials only, exactly as RFC 6749 says: errors are `{"error": ...}` and no problems. Clients prove themselves
by HTTP Basic or form, `private_key_jwt` (RFC 7523) or their TLS certificate (RFC 8705). Metadata: RFC 8414, JWKS.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from routes.bodies import BODY_SECONDS, single
from routes.context import BASE_URL, PEER, REQUEST_ID
from schemas.errors import EvidenceUnavailable, GatewayError, Malformed, Unauthenticated
from security.assertions import ALGORITHMS, ASSERTION_TYPE, Assertions
from security.audit.entries import Caller, Evidence, Outcome
from security.clients import Client, StoredCredential
from security.identity import Identity, thumbprint
from storage.errors import StorageError

_LARGEST: Final = 16_384
_FORM = re.compile(r'application/x-www-form-urlencoded( *; *charset="?utf-8"?)?', re.IGNORECASE | re.ASCII)
_BASIC = re.compile(r"basic +([A-Za-z0-9+/=]+) *", re.IGNORECASE | re.ASCII)
_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE: Final = 'Basic realm="lgsp", charset="UTF-8"'

Record = Callable[[Evidence], Awaitable[object]]
Count = Callable[[GatewayError, str], None]


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """What the endpoint works with.

    `record` makes an entry durable or raises EvidenceUnavailable; `count` takes what nobody proved itself for, with the
    source address, for bulk entries.
    """

    identity: Identity
    assertions: Assertions
    record: Record
    count: Count


class _Denied(Exception):
    """An error response of RFC 6749 section 5.2; `client` is set once somebody proved to be it."""

    def __init__(self, error: str, description: str, *, status: int = 400, reason: str | None = None) -> None:
        super().__init__(error)
        self.error, self.description, self.status, self.reason = error, description, status, reason


_Proof = tuple[Client, StoredCredential, str | None]
ENDPOINT = web.AppKey("token_endpoint", TokenEndpoint)


def setup(app: web.Application, endpoint: TokenEndpoint) -> None:
    """Add the token endpoint, its metadata and the key set."""
    app[ENDPOINT] = endpoint
    app.router.add_post("/oauth2/token", token)
    app.router.add_get("/.well-known/oauth-authorization-server", metadata)
    app.router.add_get("/.well-known/jwks.json", jwks)


async def token(request: web.Request) -> web.Response:
    """Answer a token request; the entry of the audit trail is durable before the token leaves."""
    endpoint = request.app[ENDPOINT]
    proof: _Proof | None = None
    try:
        form = await _form(request)
        proof = await _proof(request, form)
        _check_grant(form)
        client, credential, bound = proof
        issued, claims = endpoint.identity.tokens.issue(client, credential, bound)
        await _record(request, proof, Outcome("ok", 200), {"token": claims.token_id, "expires_at": claims.expires_at})
    except _Denied as denied:
        return await _denied(request, denied, proof)
    except Malformed as failure:
        return await _denied(request, _Denied("invalid_request", failure.detail.en), proof)
    except (EvidenceUnavailable, StorageError):
        return _answer({"error": "temporarily_unavailable"}, 503, {"Retry-After": "1"})
    return _answer(
        {"access_token": issued, "token_type": "Bearer", "expires_in": endpoint.identity.tokens.lifetime}, 200
    )


async def _denied(request: web.Request, denied: _Denied, proof: _Proof | None) -> web.Response:
    endpoint = request.app[ENDPOINT]
    if proof is None:
        # Whoever only names a client has proved nothing and must not be able to grow the log entry by entry.
        endpoint.count(Unauthenticated(reason=denied.reason or denied.error.replace("_", "-")), request[PEER].address)
    else:
        try:
            await _record(request, proof, Outcome(denied.error, denied.status))
        except EvidenceUnavailable:
            return _answer({"error": "temporarily_unavailable"}, 503, {"Retry-After": "1"})
    headers = {"WWW-Authenticate": _CHALLENGE} if denied.status == 401 else {}
    return _answer({"error": denied.error, "error_description": denied.description}, denied.status, headers)


def _answer(content: Mapping[str, object], status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(content, status=status, headers={**_HEADERS, **(headers or {})})


async def _record(
    request: web.Request, proof: _Proof, outcome: Outcome, details: Mapping[str, str | int] | None = None
) -> None:
    client, credential, _ = proof
    await request.app[ENDPOINT].record(
        Evidence(
            str(uuid.uuid4()),
            "token",
            datetime.now(UTC),
            Caller(client.client_id, client.agency, f"{credential.kind}:{credential.id}"),
            request_id=request.get(REQUEST_ID),
            outcome=outcome,
            details=details or {},
        )
    )


async def _form(request: web.Request) -> dict[str, str]:
    """Read the parameters: form only, each once, none in the URL; one without a value counts as absent."""
    if request.query_string:
        raise _Denied("invalid_request", "parameters belong in the body, not in the URL")
    if _FORM.fullmatch(single(request, "Content-Type") or "") is None:
        raise _Denied("invalid_request", "the content type is application/x-www-form-urlencoded")
    if "Content-Encoding" in request.headers:
        raise _Denied("invalid_request", "the body is sent without content coding")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > _LARGEST:
                    raise _Denied("invalid_request", f"the body has at most {_LARGEST} bytes", status=413)
    except TimeoutError:
        raise _Denied("invalid_request", "the body did not arrive in time", status=408) from None
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=32
        )
    except ValueError:
        raise _Denied("invalid_request", "the body is not a form in UTF-8") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _Denied("invalid_request", "a parameter is sent once")
    if any(not value.isprintable() for value in form.values()):
        raise _Denied("invalid_request", "a parameter holds control characters")
    form = {name: value for name, value in form.items() if value}
    if "grant_type" not in form:
        raise _Denied("invalid_request", "grant_type is missing")
    return form


def _check_grant(form: Mapping[str, str]) -> None:
    if form["grant_type"] != "client_credentials":
        raise _Denied("unsupported_grant_type", "only client_credentials is supported")
    if "scope" in form:
        # What a client may do is said by its grants alone (GET /v1/me).
        raise _Denied("invalid_scope", "there are no scopes: leave the parameter out")


async def _proof(request: web.Request, form: Mapping[str, str]) -> _Proof:
    """Find out which client asks; gives also the thumbprint that binds the token when a certificate proved it."""
    endpoint = request.app[ENDPOINT]
    authorization = single(request, "Authorization")
    asserted = "client_assertion" in form or "client_assertion_type" in form
    if (authorization is not None) + ("client_secret" in form) + asserted > 1:
        raise _Denied("invalid_request", "a client proves itself in one way at a time")
    try:
        if authorization is not None:
            client_id, secret = _basic(authorization)
            if form.get("client_id", client_id) != client_id:
                raise _Denied("invalid_request", "client_id differs from the one in Authorization")
            return *endpoint.identity.by_secret(client_id, secret), None
        if asserted:
            if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
                raise _Denied("invalid_request", f"client_assertion_type is {ASSERTION_TYPE}")
            return *await endpoint.assertions.verify(form["client_assertion"], form.get("client_id")), None
        if "client_id" not in form:
            raise _unproven("missing")
        if "client_secret" in form:
            return *endpoint.identity.by_secret(form["client_id"], form["client_secret"]), None
        certificate = request[PEER].certificate
        if certificate is None:
            raise _unproven("missing")
        client, credential = endpoint.identity.by_certificate(certificate)
        if client.client_id != form["client_id"]:
            raise _unproven("unknown")
        return client, credential, thumbprint(certificate)
    except Unauthenticated as failure:
        raise _unproven(failure.reason or "unknown") from None


def _unproven(reason: str) -> _Denied:
    description = {
        "missing": "the client did not authenticate",
        "expired": "the credential has expired",
        "revoked": "the credential was revoked",
        "malformed": "the credential cannot be read",
        "replayed": "the assertion was used before",
    }.get(reason, "the client or its credential is unknown")
    return _Denied("invalid_client", description, status=401, reason=reason)


def _basic(authorization: str) -> tuple[str, str]:
    """Take id and secret out of HTTP Basic; both are form-encoded first (RFC 6749 section 2.3.1)."""
    match = _BASIC.fullmatch(authorization)
    try:
        decoded = base64.b64decode(match[1], validate=True).decode("utf-8") if match else ""
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise _unproven("malformed")
    return unquote_plus(client_id), unquote_plus(secret)


async def metadata(request: web.Request) -> web.Response:
    """Describe the authorization server (RFC 8414)."""
    base_url = request.app[BASE_URL]
    return web.json_response(
        {
            "issuer": request.app[ENDPOINT].identity.tokens.issuer,
            "token_endpoint": f"{base_url}/oauth2/token",
            "jwks_uri": f"{base_url}/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
                "tls_client_auth",
            ],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "tls_client_certificate_bound_access_tokens": True,
        },
        headers={"Cache-Control": "public, max-age=300"},
    )


async def jwks(request: web.Request) -> web.Response:
    """Publish the keys that verify access tokens."""
    keys = request.app[ENDPOINT].identity.tokens.jwks()
    return web.json_response(keys, content_type="application/jwk-set+json", headers={"Cache-Control": "max-age=300"})
