"""The token endpoint (cấp mã truy cập): `POST /oauth2/token` and what describes it.

Client credentials only, exactly as RFC 6749 says: errors are `{"error": ...}` and no problems. How clients
prove themselves: `routes.client_proof`. Revocation: RFC 7009. Metadata: RFC 8414, JWKS.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from aiohttp import web
from sqlalchemy import Connection

from routes.client_proof import Denied, Proof, proof_of, read_form
from routes.context import BASE_URL, PEER, REQUEST_ID
from schemas.errors import EvidenceUnavailable, Unauthenticated
from schemas.ids import new_id
from security.assertions import ALGORITHMS, Assertions
from security.audit.batch import Write
from security.audit.entries import Caller, Evidence, Outcome
from security.client_store import revoke_token
from security.identity import Identity
from storage.errors import StorageError

_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE: Final = 'Basic realm="lgsp", charset="UTF-8"'


class Record(Protocol):
    """Makes an entry durable, with further rows in the same commit, or raises EvidenceUnavailable."""

    async def __call__(self, evidence: Evidence, *, writes: Sequence[Write] = ()) -> object: ...


Act = Callable[[web.Request, Mapping[str, str], Proof], Awaitable[web.Response]]
Count = Callable[[str, str, str | None], None]


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """What the endpoint works with.

    `count` takes the requests of those who proved nothing, for entries in bulk: the reason, their address, and the
    registered client that they claimed to be.
    """

    identity: Identity
    assertions: Assertions
    record: Record
    count: Count


ENDPOINT = web.AppKey("token_endpoint", TokenEndpoint)


def setup(app: web.Application, endpoint: TokenEndpoint) -> None:
    """Add the token endpoint, its metadata and the key set."""
    app[ENDPOINT] = endpoint
    app.router.add_post("/oauth2/token", token)
    app.router.add_post("/oauth2/revoke", revoke)
    app.router.add_get("/.well-known/oauth-authorization-server", metadata)
    app.router.add_get("/.well-known/jwks.json", jwks)


async def token(request: web.Request) -> web.Response:
    """Answer a token request (RFC 6749 section 4.4); its entry is durable before the token leaves."""
    return await _proven(request, _issue)


async def revoke(request: web.Request) -> web.Response:
    """End a token of the client that asks (RFC 7009): on this node at once, on the others within seconds."""
    return await _proven(request, _end)


async def _proven(request: web.Request, act: Act) -> web.Response:
    """Let a client that proved itself act; everything that can go wrong has the form that OAuth gives it."""
    endpoint = request.app[ENDPOINT]
    proof: Proof | None = None
    try:
        form = await read_form(request)
        proof = await proof_of(request, form, endpoint.identity, endpoint.assertions)
        return await act(request, form, proof)
    except Denied as denied:
        try:
            return await _denied(request, denied, proof)
        except EvidenceUnavailable:
            return _unavailable()
    except (EvidenceUnavailable, StorageError):
        return _unavailable()


async def _issue(request: web.Request, form: Mapping[str, str], proof: Proof) -> web.Response:
    if "grant_type" not in form:
        raise Denied("invalid_request", "grant_type is missing")
    if form["grant_type"] != "client_credentials":
        raise Denied("unsupported_grant_type", "only client_credentials is supported")
    if "scope" in form:
        # What a client may do is said by its grants alone (GET /v1/me).
        raise Denied("invalid_scope", "there are no scopes: leave the parameter out")
    tokens = request.app[ENDPOINT].identity.tokens
    issued, claims = tokens.issue(*proof)
    await _record(request, proof, Outcome("ok", 200), {"token": claims.token_id, "expires_at": claims.expires_at})
    return _answer({"access_token": issued, "token_type": "Bearer", "expires_in": tokens.lifetime}, 200)


async def _end(request: web.Request, form: Mapping[str, str], proof: Proof) -> web.Response:
    identity = request.app[ENDPOINT].identity
    if "token" not in form:
        raise Denied("invalid_request", "token is missing")
    try:
        claims = identity.tokens.verify(form["token"])
    except Unauthenticated:
        # It is worth nothing already, which is what was asked for (RFC 7009 section 2.2).
        return _answer({}, 200)
    if claims.client_id != proof[0].client_id:
        raise Denied("unauthorized_client", "the token belongs to another client")
    now = int(identity.now().timestamp())

    def end(connection: Connection, _index: int) -> None:
        revoke_token(connection, claims.token_id, claims.expires_at, now)

    await _record(request, proof, Outcome("ok", 200), {"revoked": claims.token_id}, (end,))
    await identity.registry.refresh()
    return _answer({}, 200)


async def _denied(request: web.Request, denied: Denied, proof: Proof | None) -> web.Response:
    if proof is None:
        # Whoever only names a client has proved nothing and must not be able to grow the log entry by entry.
        endpoint, claimed = request.app[ENDPOINT], denied.claimed
        known = claimed if claimed is not None and endpoint.identity.registry.get(claimed) is not None else None
        endpoint.count(denied.reason or denied.error.replace("_", "-"), request[PEER].address, known)
    else:
        await _record(request, proof, Outcome(denied.error, denied.status))
    headers = {"WWW-Authenticate": _CHALLENGE} if denied.status == 401 else {}
    return _answer({"error": denied.error, "error_description": denied.description}, denied.status, headers)


def _unavailable() -> web.Response:
    return _answer({"error": "temporarily_unavailable"}, 503, {"Retry-After": "1"})


def _answer(content: Mapping[str, object], status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(content, status=status, headers={**_HEADERS, **(headers or {})})


async def _record(
    request: web.Request,
    proof: Proof,
    outcome: Outcome,
    details: Mapping[str, str | int] | None = None,
    writes: Sequence[Write] = (),
) -> None:
    client, credential, _ = proof
    await request.app[ENDPOINT].record(
        Evidence(
            new_id(),
            "token",
            datetime.now(UTC),
            Caller(client.client_id, client.agency, f"{credential.kind}:{credential.id}"),
            request_id=request.get(REQUEST_ID),
            outcome=outcome,
            details=details or {},
        ),
        writes=writes,
    )


async def metadata(request: web.Request) -> web.Response:
    """Describe the authorization server (RFC 8414)."""
    base_url = request.app[BASE_URL]
    return web.json_response(
        {
            "issuer": request.app[ENDPOINT].identity.tokens.issuer,
            "token_endpoint": f"{base_url}/oauth2/token",
            "jwks_uri": f"{base_url}/.well-known/jwks.json",
            "revocation_endpoint": f"{base_url}/oauth2/revoke",
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
