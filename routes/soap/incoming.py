"""From what came over the wire to a message of a known caller (nhận thông điệp SOAP).

Of a signed message only signed parts are read. Before a signature holds nothing in the message decides anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple, TypeVar, TypeVarTuple

from aiohttp import web

from adapters.offloading import LARGE, in_thread
from routes.bodies import read_body
from routes.context import CALLER, PEER, REQUEST_ID
from routes.frame import is_fit
from routes.soap.callers import Callers
from routes.soap.envelopes import blocks_of, parts_of, read_unsigned, understood, version_of
from routes.soap.names import XROAD
from routes.soap.replies import REPLY
from routes.soap.wsdl import Version
from routes.soap.xroad import XRoadHeaders, signed_only, xroad_headers
from routes.xroad import two_callers
from schemas.exchange import Caller, CallerSignature
from security.request_signatures import CallerUnsettled
from security.soap_addressed import check_addressed
from security.soap_callers import SignedCall
from security.tokens import unauthenticated
from security.trust_status import Unsettled
from security.xml import Element, parse

# Whoever signs has to name this namespace, and whoever speaks X-Road that one.
_SECURITY: Final = b"oasis-200401-wss-wssecurity-secext-1.0.xsd"
_XROAD: Final = XROAD.encode()
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Seconds for asking whether a caller's certificate was revoked, once for each that was never seen before.
_PATIENCE: Final = 10.0


class Judges(NamedTuple):
    """How callers are recognised.

    `verify` judges the signature over a message and raises SignatureRejected. `settle` finds out whether certificates
    were revoked, until a deadline on the event loop's clock (seconds). `can_sign` raises SigningUnavailable where no
    answer could be signed. `addressed` tells whether an authority is one of ours.
    """

    callers: Callers
    verify: Callable[[bytes, Version], SignedCall]
    settle: Callable[[Unsettled, float], Awaitable[None]]
    can_sign: Callable[[], None]
    addressed: Callable[[str], bool]


class Incoming(NamedTuple):
    """A message of a known caller: its header blocks and X-Road headers, the element of its Body."""

    caller: Caller
    blocks: tuple[Element, ...]
    xroad: XRoadHeaders | None
    payload: Element
    signed: CallerSignature | None = None


async def receive(request: web.Request, judges: Judges, max_body: int) -> Incoming:
    """Read a request; sets its caller as soon as that is known, and what its answer has to repeat or confirm.

    Raises UnsupportedMediaType, TooLarge, Malformed and its kinds, Unauthenticated, SignatureRejected,
    SigningUnavailable, Overloaded.
    """
    callers = judges.callers
    through_xroad = callers.is_security_server(request[PEER])
    known = callers.by_http(request.headers.get("Authorization"), request[PEER])
    if known is not None:
        request[CALLER] = known
    version = version_of(request.headers.getall("Content-Type", ()))
    document = await read_body(request, max_body)
    if _SECURITY not in document:
        if known is None and not through_xroad:
            raise unauthenticated("missing" if request[PEER].certificate is None else "unknown")
        message = await _off_the_loop(document, read_unsigned, document, version)
        xroad = _repeating(request, message.blocks)
        if known is not None and not through_xroad:
            caller = known
        else:
            caller = callers.by_xroad(xroad, known, request[REQUEST_ID])
        request[CALLER] = caller
        return Incoming(caller, message.blocks, xroad, message.payload)
    judges.can_sign()
    call = await _verified(document, version, judges)
    if known is not None and known.client_id != call.caller.client_id:
        raise two_callers()
    caller = request[CALLER] = call.caller
    request[REPLY].confirms = call.value
    if not through_xroad:
        # Through X-Road a message is addressed to the asker's own security server.
        check_addressed(call.headers, judges.addressed)
    xroad = None
    if _XROAD in document:
        # They are an agreement with the security server, which nobody signs; the verified tree is without them.
        header, _ = parts_of(parse(document), version)
        xroad = _repeating(request, blocks_of(header))
    if through_xroad:
        caller = request[CALLER] = callers.by_xroad(xroad, caller, request[REQUEST_ID])
    if xroad is not None:
        xroad = signed_only(xroad, call.headers)
    return Incoming(caller, tuple(understood(call.headers, version)), xroad, call.body, call.signed)


def _repeating(request: web.Request, blocks: Iterable[Element]) -> XRoadHeaders | None:
    """Read the X-Road headers of a message, which its answer has to repeat, whatever becomes of it."""
    xroad = xroad_headers(blocks)
    if xroad is not None:
        request[REPLY].echo = xroad.echo
        # Not every message has an id of ours besides, and an operator looks for this one.
        if request[REQUEST_ID] != request.headers.get("X-Request-Id") and is_fit(xroad.id):
            request[REQUEST_ID] = xroad.id
    return xroad


async def _verified(document: bytes, version: Version, judges: Judges) -> SignedCall:
    try:
        return await _off_the_loop(document, judges.verify, document, version)
    except CallerUnsettled as first:
        await judges.settle(first.unknown, asyncio.get_running_loop().time() + _PATIENCE)
        return await _off_the_loop(document, judges.verify, document, version)


async def _off_the_loop(document: bytes, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    return work(*arguments) if len(document) < LARGE else await in_thread(work, *arguments)
