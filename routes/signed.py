"""Requests that their callers signed (RFC 9421): from what came over the wire to what the signature is judged on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from aiohttp import web
from multidict import istr

from adapters.offloading import LARGE, in_thread
from routes.bodies import check_json_type, once, read, read_body
from routes.context import CALLER, PEER
from schemas.exchange import Caller, CallerSignature
from security.signature_base import HttpRequest, fields_of

T = TypeVar("T")

Verify = Callable[[HttpRequest, Caller], CallerSignature]
"""Verifies the signature of a caller over its request; raises SignatureRejected."""

# Half a signature must not pass as none: either header makes a request a signed one. A plain text would be brought to
# its lower case at every look.
SIGNATURE: Final = istr("Signature")
SIGNATURE_INPUT: Final = istr("Signature-Input")


async def read_signed_json(
    request: web.Request, limit: int, verify: Verify, make: Callable[[Any], T]
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
        signed = verify(sent, caller)
        return read(body, make), signed

    return verified() if len(body) < LARGE else await in_thread(verified)
