"""Requests that their callers signed (RFC 9421): from what came over the wire to what the signature is judged on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from routes.bodies import check_json_type, once, parse_json, read_body
from routes.context import CALLER, PEER
from schemas.exchange import Caller, CallerSignature
from security.signature_base import HttpRequest, fields_of

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

Verify = Callable[[HttpRequest, Caller], CallerSignature]
"""Verifies the signature of a caller over its request; raises SignatureRejected."""


def is_signed(headers: CIMultiDictProxy[str]) -> bool:
    """Tell whether a request carries a signature, or a part of one: half of it must not pass as none."""
    return "Signature" in headers or "Signature-Input" in headers


async def read_signed_json(request: web.Request, limit: int, verify: Verify) -> tuple[Any, CallerSignature]:
    """Return the JSON value that is the body, read only after the signature over it was found to hold.

    Raises as `read_json`, and SignatureRejected.
    """
    check_json_type(request)
    body = await read_body(request, limit)
    headers = request.headers
    signed = verify(
        HttpRequest(
            request.method,
            request[PEER].scheme,
            once(headers, "Host") or "",
            request.raw_path,
            fields_of(headers.items()),
            body,
        ),
        request[CALLER],
    )
    return parse_json(body), signed
