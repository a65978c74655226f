"""How a client proves itself at the token endpoint, and the form it does it with (xác thực ứng dụng).

HTTP Basic or form (RFC 6749 section 2.3.1), `private_key_jwt` (RFC 7523), TLS certificate (RFC 8705); one at a time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from routes.bodies import BODY_SECONDS, single
from routes.context import PEER
from schemas.errors import Malformed, Unauthenticated
from security.assertions import ASSERTION_TYPE, Assertions, claimed
from security.clients import Client, StoredCredential
from security.identity import Identity, thumbprint

_LARGEST: Final = 16_384
_FORM = re.compile(r'application/x-www-form-urlencoded( *; *charset="?utf-8"?)?', re.IGNORECASE | re.ASCII)
_BASIC = re.compile(r"basic +([A-Za-z0-9+/=]+) *", re.IGNORECASE | re.ASCII)

# Client, credential, and the thumbprint that binds the token when a certificate was the proof.
Proof = tuple[Client, StoredCredential, str | None]


class Denied(Exception):
    """An error response of RFC 6749 section 5.2; `reason` and `claimed` say more to whoever counts them.

    `claimed` is the client that the request claimed to come from, which may be any text.
    """

    def __init__(self, error: str, description: str, *, status: int = 400, reason: str | None = None) -> None:
        super().__init__(error)
        self.error, self.description, self.status, self.reason = error, description, status, reason
        self.claimed: str | None = None


async def read_form(request: web.Request) -> dict[str, str]:
    """Read the parameters: form only, each once, none in the URL, one without a value is absent. Raises Denied."""
    if request.query_string:
        raise Denied("invalid_request", "parameters belong in the body, not in the URL")
    if _FORM.fullmatch(_once(request, "Content-Type") or "") is None:
        raise Denied("invalid_request", "the content type is application/x-www-form-urlencoded")
    if "Content-Encoding" in request.headers:
        raise Denied("invalid_request", "the body is sent without content coding")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > _LARGEST:
                    raise Denied("invalid_request", f"the body has at most {_LARGEST} bytes", status=413)
    except TimeoutError:
        raise Denied("invalid_request", "the body did not arrive in time", status=408) from None
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=32
        )
    except ValueError:
        raise Denied("invalid_request", "the body is not a form in UTF-8") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Denied("invalid_request", "a parameter is sent once")
    if any(not value.isprintable() for value in form.values()):
        raise Denied("invalid_request", "a parameter holds control characters")
    return {name: value for name, value in form.items() if value}


async def proof_of(request: web.Request, form: Mapping[str, str], identity: Identity, assertions: Assertions) -> Proof:
    """Find out which client asks; raises Denied, StorageUnavailable."""
    try:
        return await _proof_of(request, form, identity, assertions)
    except Denied as denied:
        denied.claimed = _claimed(request, form)
        raise


def _claimed(request: web.Request, form: Mapping[str, str]) -> str | None:
    """Whom a request says that it comes from, whether or not that could be proved."""
    if "client_id" in form:
        return form["client_id"]
    if "client_assertion" in form:
        return claimed(form["client_assertion"])
    try:
        return _basic(request.headers.get("Authorization", ""))[0]
    except Denied:
        return None


async def _proof_of(request: web.Request, form: Mapping[str, str], identity: Identity, assertions: Assertions) -> Proof:
    authorization = _once(request, "Authorization")
    asserted = "client_assertion" in form or "client_assertion_type" in form
    if (authorization is not None) + ("client_secret" in form) + asserted > 1:
        raise Denied("invalid_request", "a client proves itself in one way at a time")
    try:
        if authorization is not None:
            client_id, secret = _basic(authorization)
            if form.get("client_id", client_id) != client_id:
                raise Denied("invalid_request", "client_id differs from the one in Authorization")
            return *identity.by_secret(client_id, secret), None
        if asserted:
            if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
                raise Denied("invalid_request", f"client_assertion_type is {ASSERTION_TYPE}")
            return *await assertions.verify(form["client_assertion"], form.get("client_id")), None
        if "client_id" not in form:
            raise _unproven("missing")
        if "client_secret" in form:
            return *identity.by_secret(form["client_id"], form["client_secret"]), None
        certificate = request[PEER].certificate
        if certificate is None:
            raise _unproven("missing")
        client, credential = identity.by_certificate(certificate)
        if client.client_id != form["client_id"]:
            raise _unproven("unknown")
        return client, credential, thumbprint(certificate)
    except Unauthenticated as failure:
        raise _unproven(failure.reason or "unknown") from None


def _unproven(reason: str) -> Denied:
    description = {
        "missing": "the client did not authenticate",
        "expired": "the credential has expired",
        "revoked": "the credential was revoked",
        "malformed": "the credential cannot be read",
        "replayed": "the assertion was used before",
    }.get(reason, "the client or its credential is unknown")
    return Denied("invalid_client", description, status=401, reason=reason)


def _basic(authorization: str) -> tuple[str, str]:
    """Take id and secret out of HTTP Basic; both are form-encoded first (RFC 6749 section 2.3.1)."""
    match = _BASIC.fullmatch(authorization)
    try:
        decoded = base64.b64decode(match[1], validate=True).decode("utf-8") if match else ""
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise _unproven("malformed")
    return unquote_plus(client_id), unquote_plus(secret)


def _once(request: web.Request, name: str) -> str | None:
    try:
        return single(request, name)
    except Malformed as failure:
        raise Denied("invalid_request", failure.detail.en) from None
