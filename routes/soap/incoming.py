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
from routes.signed import PATIENCE
from routes.soap.addressing import check_addresses
from routes.soap.callers import Callers
from routes.soap.envelopes import blocks_of, check_envelope, parts_of, read_unsigned, understood, version_of
from routes.soap.replies import REPLY
from routes.soap.wsdl import Version
from routes.soap.xroad import XRoadHeaders, signed_only, xroad_headers
from routes.xroad import two_callers
from schemas.errors import SignatureRejected
from schemas.exchange import Caller, CallerSignature
from schemas.ids import new_id
from schemas.xroad import XROAD
from security.request_signatures import CallerUnsettled
from security.soap_addressed import check_addressed
from security.soap_callers import SignedCall
from security.tokens import unauthenticated
from security.trust_status import Unsettled
from security.xml import Element, parse

# Whoever signs has to name this namespace, and whoever speaks X-Road that one.
_SECURITY: Final = b"oasis-200401-wss-wssecurity-secext-1.0.xsd"
_XROAD: Final = XROAD.encode()
_STYLE: Final = b"encodingStyle"
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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
        xroad = _repeating(request, message.blocks, named=True)
        if known is not None and not through_xroad:
            caller = known
        else:
            caller = callers.by_xroad(xroad, known, request[REQUEST_ID])
        request[CALLER] = caller
        check_addresses(message.blocks, None if through_xroad else judges.addressed)
        return Incoming(caller, message.blocks, xroad, message.payload)
    judges.can_sign()
    try:
        call = await _verified(document, version, judges)
    except SignatureRejected as rejection:
        if rejection.reason == "malformed":
            # What is wrong with the envelope is told as it is to those who do not sign.
            await _off_the_loop(document, check_envelope, document, version)
        raise
    if known is not None and known.client_id != call.caller.client_id:
        raise two_callers()
    caller = request[CALLER] = call.caller
    request[REPLY].confirms = call.value
    if "X-Request-Id" in request.headers:
        # Nobody signed it, and a proxy may have put it there.
        request[REQUEST_ID] = new_id()
    if not through_xroad:
        # Through X-Road a message is addressed to the asker's own security server.
        check_addressed(call.headers, judges.addressed)
    xroad = None
    if _XROAD in document or _STYLE in document:
        # The verified tree has nothing that nobody signed. An encoding would count for all that is inside; X-Road's
        # blocks are an agreement with the security server, which the caller does not sign.
        blocks = await _off_the_loop(document, _all_blocks, document, version)
        xroad = _repeating(request, blocks, named=through_xroad)
    if through_xroad:
        caller = request[CALLER] = callers.by_xroad(xroad, caller, request[REQUEST_ID])
    if xroad is not None:
        xroad = signed_only(xroad, call.headers)
    blocks = understood(call.headers, version)
    check_addresses(blocks, None if through_xroad else judges.addressed)
    return Incoming(caller, tuple(blocks), xroad, call.body, call.signed)


def _all_blocks(document: bytes, version: Version) -> list[Element]:
    header, _ = parts_of(parse(document), version)
    return blocks_of(header)


def _repeating(request: web.Request, blocks: Iterable[Element], *, named: bool) -> XRoadHeaders | None:
    """Read the X-Road headers of a message, which its answer has to repeat, whatever becomes of it.

    With `named` their id may be that of the request.
    """
    xroad = xroad_headers(blocks)
    if xroad is not None:
        request[REPLY].echo = xroad.echo
        # Not every message has an id of ours besides, and an operator looks for this one.
        if named and request[REQUEST_ID] != request.headers.get("X-Request-Id") and is_fit(xroad.id):
            request[REQUEST_ID] = xroad.id
    return xroad


async def _verified(document: bytes, version: Version, judges: Judges) -> SignedCall:
    try:
        return await _off_the_loop(document, judges.verify, document, version)
    except CallerUnsettled as first:
        await judges.settle(first.unknown, asyncio.get_running_loop().time() + PATIENCE)
        return await _off_the_loop(document, judges.verify, document, version)


async def _off_the_loop(document: bytes, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    return work(*arguments) if len(document) < LARGE else await in_thread(work, *arguments)
