"""`GET /v1/me`: what the gateway knows of the caller and lets it do (quyền của bên gọi)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from routes.context import CALLER
from routes.language import Language, preferred
from schemas.exchange import Caller, Credential, Database, Grant
from schemas.purposes import PURPOSES
from security.identity import Identity

Describe = Callable[[Caller, Language], dict[str, Any]]
"""Tells what is known of a caller: client, live credentials and live grants, titles in this language."""


def describing(identity: Identity, databases: Iterable[Database]) -> Describe:
    """Make what tells callers about themselves, in the names of the REST face.

    Grants are shown for what `databases` serve here: any other would be a promise that nobody keeps.
    """
    served = frozenset((database.name, operation.name) for database in databases for operation in database.operations)

    def describe(caller: Caller, language: Language) -> dict[str, Any]:
        now = identity.now()
        client = identity.registry.get(caller.client_id)
        credentials = [item.public() for item in client.credentials if item.lapse(now) is None] if client else []
        grants = [grant for operation, held in caller.grants.items() if operation in served for grant in held]
        return {
            "client_id": caller.client_id,
            "agency": caller.agency,
            "credentials": [_credential(item) for item in credentials],
            "grants": [_grant(item, language) for item in grants if item.expires_at is None or now < item.expires_at],
        }

    return describe


def setup(app: web.Application, describe: Describe) -> None:
    """Add the route; whoever authenticates requests has set the caller before it is reached."""

    async def me(request: web.Request) -> web.Response:
        language = preferred(request.headers.get("Accept-Language"))
        return web.json_response(describe(request[CALLER], language), headers={"Content-Language": language})

    app.router.add_get("/v1/me", me)


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
