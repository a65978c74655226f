"""What every simulated registry is made of: its application, its faults, the truth it is checked against.

Each database has one module here that ends with `REGISTRY = Registry(...)`; `sandbox.run` starts them all. A module
builds its applications with `application(context)`, which already knows the faults that have nothing to do with
signatures and `PUT /_faults`; a source that signs asks `context.faults.current` for the others when it signs.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from sandbox.pki import Pki
from sandbox.world.world import World

COMMON_FAULTS: Final = ("latency", "error", "down", "malformed", "drop-after-commit")
SIGNING_FAULTS: Final = (
    "unsigned",
    "tampered",
    "wrong-signer",
    "expired-cert",
    "revoked-cert",
    "stale",
    "replayed",
    "wrong-answer",
)
SIGNING_MANNERS: Final = ("fresh-cert",)
"""No faults, but what a source that signs may do on any day: here, sign with a certificate made a moment ago."""
PKI_FAULTS: Final = ("stale", "unknown", "wrong-signer", "wrong-nonce", "try-later")
"""What the authorities' site can do besides the common ones: lists and answers that are old, or prove nothing."""
_AMOUNT = re.compile(r"(latency)=([0-9]{1,4}(?:\.[0-9]{1,3})?)s|(error)=(0(?:\.[0-9]{1,6})?|1(?:\.0{1,6})?)")


class FaultRefused(ValueError):
    """A fault that does not exist or that this source cannot have; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave; `amount` is seconds for latency and the share of requests for error."""

    kind: str
    amount: float = 0.0


def read_fault(text: str, *, signs: bool, more: Sequence[str] = ()) -> Fault:
    """Read `down`, `latency=2s`, `error=0.1`, …; raises FaultRefused, also for a signing fault where nobody signs.

    `more` are the kinds that only this source has.
    """
    match = _AMOUNT.fullmatch(text)
    if match:
        latency, seconds, error, share = match.groups()
        return Fault(latency or error, float(seconds or share))
    signing = SIGNING_FAULTS + SIGNING_MANNERS
    plain = (*COMMON_FAULTS[2:], *(signing if signs else ()), *more)
    if text in plain:
        return Fault(text)
    if text in signing:
        raise FaultRefused(f"{text}: this source does not sign its answers")
    raise FaultRefused(f"{text}: no such fault; there are latency=2s, error=0.1, {', '.join(plain)}")


class Faults:
    """The present fault of one registry, shared by all its endpoints and changed at run time."""

    def __init__(self, *, signs: bool, more: Sequence[str] = ()) -> None:
        self._signs = signs
        self._more = more
        self.current: Fault | None = None
        self._dice = random.Random(0)  # noqa: S311 - a share of failures, nothing secret

    def set(self, text: str | None) -> None:
        """Begin or (None) end misbehaving; raises FaultRefused."""
        self.current = None if text is None else read_fault(text, signs=self._signs, more=self._more)

    def kind(self) -> str | None:
        """Return the kind of the present fault."""
        return self.current.kind if self.current else None

    @property
    def delivers(self) -> bool:
        """Whether a genuine answer made now reaches whoever asked, so that `replayed` may send it again."""
        return self.kind() in (None, "latency", "error", "replayed", *SIGNING_MANNERS)

    def strikes(self) -> bool:
        """Throw the dice of `error=`: whether this request is one of the failing share."""
        fault = self.current
        return fault is not None and fault.kind == "error" and self._dice.random() < fault.amount


@dataclass(frozen=True, slots=True)
class Account:
    """What the gateway proves itself with at one endpoint (tài khoản khai thác)."""

    username: str
    secret: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a registry is built from; `account` gives the gateway's account at an endpoint, made when first asked."""

    world: World
    pki: Pki
    faults: Faults
    account: Callable[[str], Account]


@dataclass(frozen=True, slots=True)
class Truth:
    """One true sentence: to this body the REST face answers this `data` (contract, `lgsp sandbox dump`)."""

    operation: str
    request: Mapping[str, Any]
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A test person for something callers must handle: status and error code, or the code of a warning at status 200.

    `code` is None where the point of the case lies in the data.
    """

    operation: str
    name: str
    body: Mapping[str, Any]
    status: int = 200
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One simulated source.

    `build` returns an application per endpoint; the first endpoint has the database's name, further ones (another host
    with another token) the name that the operation's declaration gives it. `contract` is where the first endpoint
    publishes its WSDL or OpenAPI document. `truth` yields every operation's sentences in an order that depends on the
    world only, computed from the world and never by way of the gateway's codecs. `params` are constants that the
    gateway's configuration needs for this source.
    """

    name: str
    signs: bool
    contract: str
    build: Callable[[Context], Mapping[str, web.Application]]
    truth: Callable[[World], Iterator[Truth]]
    cases: Callable[[World], Sequence[Case]]
    params: Mapping[str, str] = field(default_factory=dict)


_FAULTS: web.AppKey[Faults] = web.AppKey("faults", Faults)
_CONTROL: Final = "/_faults"


def application(context: Context, *, max_body: int = 1_048_576) -> web.Application:
    """Return an application without routes of its own that misbehaves as told."""
    app = web.Application(middlewares=[_misbehave], client_max_size=max_body)
    app[_FAULTS] = context.faults
    app.router.add_put(_CONTROL, _change)
    app.router.add_get(_CONTROL, _show)
    return app


@web.middleware
async def _misbehave(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    faults = request.app[_FAULTS]
    kind = faults.kind()
    if kind is None or request.path == _CONTROL:
        return await handler(request)
    if kind == "down":
        return _hang_up(request)
    if kind == "latency" and faults.current is not None:
        await asyncio.sleep(faults.current.amount)
    elif faults.strikes():
        return web.Response(status=503, text="Service Unavailable")
    response = await handler(request)
    if kind == "drop-after-commit":
        return _hang_up(request)
    if kind == "malformed" and isinstance(response, web.Response):
        return _cut(response)
    return response


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection without a byte of an answer; the response returned is never seen."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _cut(response: web.Response) -> web.Response:
    """Send the beginning of the answer as if it were the whole."""
    body = response.body if isinstance(response.body, bytes) else b""
    headers = {"Content-Type": response.headers.get("Content-Type", "application/octet-stream")}
    return web.Response(status=response.status, body=body[: len(body) * 2 // 3], headers=headers)


async def _change(request: web.Request) -> web.Response:
    try:
        told = await request.json()
        text = told["fault"]
        if not (text is None or isinstance(text, str)) or set(told) != {"fault"}:
            raise TypeError
    except (ValueError, KeyError, TypeError):
        return web.json_response({"error": 'send {"fault": "down"} or {"fault": null}'}, status=400)
    try:
        request.app[_FAULTS].set(text)
    except FaultRefused as refused:
        return web.json_response({"error": str(refused)}, status=422)
    return web.json_response({"fault": text})


async def _show(request: web.Request) -> web.Response:
    fault = request.app[_FAULTS].current
    if fault is None:
        return web.json_response({"fault": None})
    return web.json_response({"fault": fault.kind, "amount": fault.amount})
