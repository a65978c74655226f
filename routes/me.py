"""`GET /v1/me`: what the gateway knows of the caller and lets it do (quyền của bên gọi)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from aiohttp import web

from routes.context import CALLER
from routes.language import Language, preferred
from schemas.exchange import Credential, Database, Grant
from schemas.purposes import PURPOSES
from security.identity import Identity

IDENTITY = web.AppKey("identity", Identity)
SERVED: web.AppKey[frozenset[tuple[str, str]]] = web.AppKey("served_operations")


def setup(app: web.Application, identity: Identity, databases: Iterable[Database]) -> None:
    """Add the route; whoever authenticates requests has set the caller before it is reached.

    Grants are shown for what `databases` serve here: any other would be a promise that nobody keeps.
    """
    app[IDENTITY] = identity
    app[SERVED] = frozenset(
        (database.name, operation.name) for database in databases for operation in database.operations
    )
    app.router.add_get("/v1/me", me)


async def me(request: web.Request) -> web.Response:
    """Show client, live credentials and live grants; titles in the caller's language."""
    identity = request.app[IDENTITY]
    caller = request[CALLER]
    language = preferred(request.headers.get("Accept-Language"))
    now = identity.now()
    client = identity.registry.get(caller.client_id)
    credentials = [item.public() for item in client.credentials if item.lapse(now) is None] if client else []
    served = request.app[SERVED]
    grants = [grant for operation, held in caller.grants.items() if operation in served for grant in held]
    return web.json_response(
        {
            "client_id": caller.client_id,
            "agency": caller.agency,
            "credentials": [_credential(item) for item in credentials],
            "grants": [_grant(item, language) for item in grants if item.expires_at is None or now < item.expires_at],
        },
        headers={"Content-Language": language},
    )


def _credential(credential: Credential) -> dict[str, object]:
    return {"kind": credential.kind, "id": credential.id, "not_after": _instant(credential.not_after)}


def _grant(grant: Grant, language: Language) -> dict[str, object]:
    return {
        "database": grant.database,
        "operation": grant.operation,
        "purposes": [
            {"code": code, "title": getattr(PURPOSES[code], language)}
            for code in sorted(grant.purposes & PURPOSES.keys())
        ],
        "fields": sorted(grant.fields),
        "dossier_required": grant.dossier_required,
        "officer_required": grant.officer_required,
        "signature_required": grant.signature_required,
        "rate": grant.rate,
        "deadline_ms": grant.deadline_ms,
        "expires_at": _instant(grant.expires_at),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
