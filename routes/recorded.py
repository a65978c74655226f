"""Who calls, and what is left of a request that fails before it becomes an exchange: evidence either way.

Everything below `/v1/` needs a known caller. A known one leaves an entry of its own for whatever goes wrong; requests
without one are counted in bulk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from routes.context import CALLER, PEER, REQUEST_ID
from routes.errors import error_of
from schemas.errors import GatewayError, Unauthenticated
from schemas.exchange import Caller, Database
from schemas.purposes import PURPOSES
from security.audit.trail import AuditTrail, Bearing

Identify = Callable[[web.Request], Caller]

_PROTECTED = "/v1/"
# For everybody: the degree of a dossier, and of the log numbers, hashes and signatures, but not its entries.
_PUBLIC: Final = re.compile(
    r"/v1/(?:public/.*|audit/(?:checkpoint|consistency|keys|log/checkpoint|log/tile/[0-9].*))", re.DOTALL
)


def recorded(identify: Identify, trail: AuditTrail, databases: Iterable[Database]) -> Middleware:
    """Make the middleware that authenticates and leaves evidence of what never became an exchange."""
    routes = {
        f"/v1/{database.name}/{operation.name}": (database.name, operation.name)
        for database in databases
        for operation in database.operations
    }

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        if path not in routes and (not path.startswith(_PROTECTED) or _PUBLIC.fullmatch(path)):
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
            database, operation = routes.get(path, (None, None))
            bearing = bound_for(request[REQUEST_ID], database, operation, request.headers.get("Lgsp-Purpose"))
            full = wants_full_receipt(request.headers.get("Lgsp-Receipt"))
            await leave_evidence(trail, caller, error, bearing, full=full)
            raise error from failure

    return record


def bound_for(request_id: str, database: str | None, operation: str | None, purpose: str | None) -> Bearing:
    """Return where a request was headed; any purpose but one of ours could be a personal value."""
    return Bearing(request_id, database, operation, purpose if purpose in PURPOSES else None)


async def leave_evidence(
    trail: AuditTrail, caller: Caller, error: GatewayError, bearing: Bearing, *, full: bool
) -> None:
    """Record what went wrong for a known caller where no exchange did; with `full` its receipt gets the proof.

    What is over a limit is counted elsewhere. Raises EvidenceUnavailable.
    """
    if error.code in ("too-many-requests", "evidence-unavailable"):
        return
    if error.receipt is None:
        await trail.refused(caller, error, bearing)
    if error.receipt is not None and full:
        error.proof = await trail.proof(error.receipt)


def wants_full_receipt(sent: str | None) -> bool:
    """Tell whether a caller who sent this `Lgsp-Receipt` asked for the entry and its proof (`full`)."""
    return sent is not None and sent.strip().lower() == "full"
