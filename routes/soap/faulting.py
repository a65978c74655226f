"""The middleware of the SOAP face: whatever goes wrong leaves evidence and becomes a fault (xử lý lỗi SOAP)."""

from __future__ import annotations

from collections.abc import Awaitable

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from routes.context import BASE_URL, CALLER, FAILURE, PEER, REQUEST_ID
from routes.direct import Whole
from routes.errors import error_of, is_soap, soap_headers, soap_version
from routes.language import preferred
from routes.recorded import bound_for, leave_evidence, wants_full_receipt
from routes.soap.faults import fault, header_of
from routes.soap.replies import REPLY, Reply, envelope
from schemas.errors import GatewayError, Internal
from security.answer_signing import AnswerSigner
from security.audit.trail import AuditTrail
from security.security_servers import SecurityServers

log = structlog.get_logger()


def faulting(trail: AuditTrail, signer: AnswerSigner, servers: SecurityServers) -> Middleware:
    """Make the middleware; `signer` signs answers to callers who signed, `servers` read no fault that is not a 500."""

    @web.middleware
    def guard(request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
        return guarded(request, handler) if is_soap(request) else handler(request)

    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        # What cannot be read may still have said over HTTP how its receipt should be.
        wanted = wants_full_receipt(request.headers.get("Lgsp-Receipt"))
        reply = request[REPLY] = Reply(soap_version(request), full_receipt=wanted)
        try:
            return await handler(request)
        except ConnectionError:
            # Gone before the whole question was there: nothing was asked, and nobody is left to be told.
            raise
        except Exception as failure:
            error = error_of(failure)
            if isinstance(error, Internal):
                log.error("internal-error", request_id=request[REQUEST_ID], exc_info=failure)
            error = await recorded(request, reply, error)
            request[FAILURE] = error
            return await told(request, reply, error)

    async def recorded(request: web.Request, reply: Reply, error: GatewayError) -> GatewayError:
        """Leave evidence of what never became an exchange; return the error that the caller is told."""
        caller = request.get(CALLER)
        if caller is None:
            trail.anonymous(error, request[PEER].address)
            return error
        bearing = bound_for(request[REQUEST_ID], reply.database, reply.operation, reply.purpose)
        try:
            await leave_evidence(trail, caller, error, bearing, full=reply.full_receipt)
        except GatewayError as unrecorded:
            return unrecorded
        return error

    async def told(request: web.Request, reply: Reply, error: GatewayError) -> web.Response:
        language = preferred(request.headers.get("Accept-Language"))
        status, payload = fault(
            error,
            reply.version,
            request_id=request[REQUEST_ID],
            language=language,
            base_url=request.app[BASE_URL],
        )
        block = header_of(error, reply.version).encode()
        try:
            body = await envelope(payload, reply, signer, block)
        except GatewayError:
            # The key that should sign does not answer: what went wrong is told all the same, and nothing was disclosed.
            reply.confirms = None
            body = await envelope(payload, reply, signer, block)
        if request[PEER].certificate in servers:
            # Of any other status an X-Road security server tells the asker no more than the number.
            status = 500
        headers = soap_headers(error, reply.version, request.headers.get("Authorization"))
        return Whole(body, headers, status)

    return guard
