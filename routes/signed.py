"""Requests that their callers signed (RFC 9421): from what came over the wire to what the signature is judged on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

from aiohttp import web
from multidict import istr

from adapters.offloading import LARGE, in_thread
from routes.bodies import check_json_type, once, read, read_body
from routes.context import CALLER, PEER
from schemas.exchange import Caller, CallerSignature
from security.request_signatures import CallerUnsettled
from security.signature_base import HttpRequest, fields_of
from security.trust_status import Unsettled

T = TypeVar("T")


class Signatures(NamedTuple):
    """How signatures of callers are judged.

    `verify` judges the signature of a caller over its request and raises SignatureRejected. `settle` finds out whether
    certificates were revoked, until a deadline on the event loop's clock (seconds).
    """

    verify: Callable[[HttpRequest, Caller], CallerSignature]
    settle: Callable[[Unsettled, float], Awaitable[None]]


# Seconds for asking whether a caller's certificate was revoked, once for each that was never seen before.
PATIENCE: Final = 10.0

# Half a signature must not pass as none: either header makes a request a signed one. A plain text would be brought to
# its lower case at every look.
SIGNATURE: Final = istr("Signature")
SIGNATURE_INPUT: Final = istr("Signature-Input")


async def read_signed_json(
    request: web.Request, limit: int, signatures: Signatures, make: Callable[[Any], T]
) -> tuple[T, CallerSignature]:
    """Return what `make` makes of the JSON value that is the body, read only after the signature over it held.

    Raises as `read_json`, and SignatureRejected.
    """
    check_json_type(request)
    body = await read_body(request, limit)
    headers = request.headers
    sent = HttpRequest(
        request.method,
        request[PEER].scheme,
        once(headers, "Host") or "",
        request.raw_path,
        fields_of(headers.items()),
        body,
    )
    caller = request[CALLER]

    def verified() -> tuple[T, CallerSignature]:
        signed = signatures.verify(sent, caller)
        return read(body, make), signed

    async def judged() -> tuple[T, CallerSignature]:
        return verified() if len(body) < LARGE else await in_thread(verified)

    try:
        return await judged()
    except CallerUnsettled as first:
        await signatures.settle(first.unknown, asyncio.get_running_loop().time() + PATIENCE)
        return await judged()
