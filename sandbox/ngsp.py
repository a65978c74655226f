"""What the simulated registries behind the national sharing platform (NGSP) have in common.

Tokens, refusals and paths as a WSO2 API manager has them: `POST /token` with client credentials, a Bearer token on
every call, `{"fault": {...}}` from the platform itself. What stands behind it answers in its own way.
"""

from __future__ import annotations

import json
import secrets
import time
import unicodedata
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final

from aiohttp import web

from sandbox.registry import Account
from sandbox.world.model import PartialDate

LIFETIME: Final = 3600.0
Operation = Callable[[web.Request], Awaitable[web.Response]]


def fault(status: int, code: int, message: str) -> web.Response:
    """Answer as the platform itself does, before anything behind it is reached."""
    headers = {"WWW-Authenticate": 'Bearer realm="NGSP"'} if status == 401 else {}
    return web.json_response(
        {"fault": {"code": code, "message": message, "description": message}}, status=status, headers=headers
    )


class Gate:
    """Gives out tokens to one account and lets only their bearers pass; `lifetime` in seconds of `clock`."""

    def __init__(
        self, account: Account, *, lifetime: float = LIFETIME, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account
        self._lifetime = lifetime
        self._clock = clock
        self._ends: dict[str, float] = {}

    async def token(self, request: web.Request) -> web.Response:
        """`POST /token`: OAuth2 client credentials with HTTP Basic (RFC 6749 section 4.4)."""
        if request.content_type != "application/x-www-form-urlencoded":
            return _oauth(400, "invalid_request", "the body must be a form")
        if not self._known(request.headers.get("Authorization", "")):
            return _oauth(401, "invalid_client", "client authentication failed")
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return _oauth(400, "unsupported_grant_type", "only client_credentials is served")
        now = self._clock()
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        token = secrets.token_hex(16)
        self._ends[token] = now + self._lifetime
        return web.json_response(
            {
                "access_token": token,
                "scope": "am_application_scope default",
                "token_type": "Bearer",
                "expires_in": int(self._lifetime),
            }
        )

    def guarded(self, operation: Operation) -> Operation:
        """Wrap an operation so that it is reached with a token only."""

        async def handle(request: web.Request) -> web.Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or not token:
                return fault(401, 900902, "Missing Credentials")
            if self._ends.get(token, 0.0) <= self._clock():
                return fault(401, 900901, "Invalid Credentials")
            return await operation(request)

        return handle

    def _known(self, header: str) -> bool:
        scheme, _, proof = header.partition(" ")
        try:
            given = b64decode(proof, validate=True)
        except ValueError:
            return False
        expected = f"{self._account.username}:{self._account.secret}".encode()
        return scheme == "Basic" and secrets.compare_digest(given, expected)


def _oauth(status: int, error: str, description: str) -> web.Response:
    headers = {"WWW-Authenticate": 'Basic realm="NGSP"'} if status == 401 else {}
    return web.json_response({"error": error, "error_description": description}, status=status, headers=headers)


class NotMembers(ValueError):
    """The JSON object lacks a member, has one that nobody knows, or one of another type."""


async def json_object(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a POST; raises HTTPException as the platform refuses what it cannot route."""
    if request.content_type != "application/json" or request.charset not in (None, "utf-8"):
        raise _refusal(415, "Unsupported Media Type")
    try:
        found = json.loads(await request.text())
    except (ValueError, RecursionError):
        raise _refusal(400, "Bad Request: the body is not JSON") from None
    if not isinstance(found, dict):
        raise _refusal(400, "Bad Request: the body is not an object")
    return found


def _refusal(status: int, message: str) -> web.HTTPException:
    text = json.dumps({"fault": {"code": status, "message": message, "description": message}})
    kind = web.HTTPUnsupportedMediaType if status == 415 else web.HTTPBadRequest
    return kind(text=text, content_type="application/json")


def texts(found: Mapping[str, Any], required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, str]:
    """Return the members of a request, all of them text, "" where an optional one is missing; raises NotMembers."""
    needed, allowed = set(required), set(optional)
    if not needed <= set(found) or not set(found) <= needed | allowed:
        raise NotMembers
    if not all(isinstance(value, str) for value in found.values()) or not all(found[name] for name in needed):
        raise NotMembers
    return {name: found.get(name, "") for name in needed | allowed}


def day_month_year(value: date | PartialDate | None) -> str | None:
    """Write a date as these registries do: dd/MM/yyyy, or as much of it as is known."""
    if value is None:
        return None
    if isinstance(value, date):
        return f"{value.day:02d}/{value.month:02d}/{value.year:04d}"
    return "/".join(reversed(value.text.split("-")))


def same_name(one: str, other: str) -> bool:
    """Compare names as registries search them: without regard to case, Unicode form and runs of spaces."""
    return name_key(one) == name_key(other)


def name_key(name: str) -> str:
    """Return what two spellings of one name have in common."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def contract(title: str, operations: Mapping[str, Mapping[str, Any]]) -> Operation:
    """Publish an OpenAPI 3.1 document; `operations` maps a path to its path item."""
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1.0", "description": "LGSP SANDBOX, simulated"},
        "paths": dict(operations),
        "components": {
            "securitySchemes": {
                "ngsp": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/token", "scopes": {}}}}
            }
        },
        "security": [{"ngsp": []}],
    }

    async def handle(request: web.Request) -> web.Response:
        return web.json_response(document)

    return handle


def get_item(summary: str, query: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a GET with one query parameter."""
    parameter = {"name": query, "in": "query", "required": True, "schema": {"type": "string"}}
    return {"get": {"summary": summary, "parameters": [parameter], "responses": _answers(answer)}}


def post_item(
    summary: str, required: Iterable[str], optional: Iterable[str], answer: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe a POST whose body is an object of texts."""
    needed = list(required)
    body = {
        "type": "object",
        "required": needed,
        "properties": {name: {"type": "string"} for name in (*needed, *optional)},
        "additionalProperties": False,
    }
    content = {"application/json": {"schema": body}}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": content},
            "responses": _answers(answer),
        }
    }


def members(names: Iterable[str], kind: str = "string") -> dict[str, Any]:
    """Describe an object of nullable members of one kind."""
    return {"type": "object", "properties": {name: {"type": [kind, "null"]} for name in names}}


def _answers(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "200": {"description": "The answer, or why there is none", "content": {"application/json": {"schema": answer}}},
        "401": {"description": "No token, or one that has ended"},
    }
