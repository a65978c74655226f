"""Who calls, and what is left of a request that fails before it becomes an exchange: evidence either way.

Everything below `/v1/` needs a known caller. A known one leaves an entry of its own for whatever goes wrong; requests
without one are counted in bulk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from routes.context import CALLER, PEER, REQUEST_ID
from routes.errors import error_of
from schemas.errors import Unauthenticated
from schemas.exchange import Caller, Database
from schemas.purposes import PURPOSES
from security.audit.trail import AuditTrail, Bearing

Identify = Callable[[web.Request], Caller]

_PROTECTED = "/v1/"


def recorded(
    identify: Identify, trail: AuditTrail, databases: Iterable[Database], public: str = "/v1/public/"
) -> Middleware:
    """Make the middleware that authenticates and leaves evidence of what never became an exchange."""
    routes = {
        f"/v1/{database.name}/{operation.name}": (database.name, operation.name)
        for database in databases
        for operation in database.operations
    }

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        if path not in routes and (not path.startswith(_PROTECTED) or path.startswith(public)):
            return await handler(request)
        try:
            caller = request[CALLER] = identify(request)
        except Unauthenticated as unknown:
            trail.anonymous(unknown, request[PEER].address)
            raise
        try:
            return await handler(request)
        except ConnectionError:
            # Gone before the whole question was there: nothing was asked, and nobody is left to be refused.
            raise
        except Exception as failure:
            error = error_of(failure)
            if error.code in ("too-many-requests", "evidence-unavailable"):
                raise
            if error.receipt is None:
                database, operation = routes.get(path, (None, None))
                purpose = request.headers.get("Lgsp-Purpose")
                await trail.refused(
                    caller,
                    error,
                    Bearing(request[REQUEST_ID], database, operation, purpose if purpose in PURPOSES else None),
                )
            if error.receipt is not None and wants_full_receipt(request.headers.get("Lgsp-Receipt")):
                error.proof = await trail.proof(error.receipt)
            raise error from failure

    return record


def wants_full_receipt(sent: str | None) -> bool:
    """Tell whether a caller who sent this `Lgsp-Receipt` asked for the entry and its proof (`full`)."""
    return sent is not None and sent.strip().lower() == "full"
