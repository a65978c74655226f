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
from dataclasses import dataclass, field, replace
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
_MEASURED: Final = ("latency=2s", "error=0.1")
_AMOUNT = re.compile(r"([a-z-]+)=([0-9]{1,4}(?:\.[0-9]{1,6})?)(s|/s)?")


class FaultRefused(ValueError):
    """A fault that does not exist or that this source cannot have; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave; `amount` is measured in `unit`: "s" seconds, "/s" requests a second, "" a share or count.

    `also` are further ways at the same time, where a source has several.
    """

    kind: str
    amount: float = 0.0
    unit: str = ""
    also: tuple[Fault, ...] = ()


def read_fault(text: str, *, signs: bool, more: Sequence[str] = (), several: bool = False) -> Fault:
    """Read `down`, `latency=2s`, `error=0.1`, …; raises FaultRefused, also for a signing fault where nobody signs.

    `more` are the kinds that only this source has, those with an amount as an example of one: `throttled=10/s`. With
    `several`, kinds that differ may be joined by commas.
    """
    if several and "," in text:
        first, *others = (read_fault(part, signs=signs, more=more) for part in text.split(","))
        if len({fault.kind for fault in (first, *others)}) <= len(others):
            raise FaultRefused(f"{text}: the same kind twice")
        return replace(first, also=tuple(others))
    signing = SIGNING_FAULTS + SIGNING_MANNERS
    plain = (*COMMON_FAULTS[2:], *(signing if signs else ()), *(kind for kind in more if "=" not in kind))
    if text in plain:
        # Without a share it loses every answer.
        return Fault(text, 1.0 if text == "drop-after-commit" else 0.0)
    measured = (*_MEASURED, *(kind for kind in more if "=" in kind))
    for example in measured:
        found = _measured_as(example, text)
        if found is not None:
            return found
    if text in signing:
        raise FaultRefused(f"{text}: this source does not sign its answers")
    raise FaultRefused(f"{text}: no such fault; there are {', '.join((*measured, *plain))}")


def _measured_as(example: str, text: str) -> Fault | None:
    """Read an amount of the kind and unit of `example`; an example below one is a share, and a rate is above zero."""
    wanted, given = _AMOUNT.fullmatch(example), _AMOUNT.fullmatch(text)
    if wanted is None or given is None or (wanted[1], wanted[3]) != (given[1], given[3]):
        return None
    amount = float(given[2])
    if (float(wanted[2]) < 1 < amount) or (given[3] == "/s" and not amount):
        return None
    return Fault(given[1], amount, given[3] or "")


class Faults:
    """The present fault of one registry, shared by all its endpoints and changed at run time."""

    def __init__(self, *, signs: bool, more: Sequence[str] = (), several: bool = False) -> None:
        self._signs = signs
        self._more = more
        self._several = several
        self.current: Fault | None = None
        self._dice = random.Random(0)  # noqa: S311 - a share of failures, nothing secret

    def set(self, text: str | None) -> None:
        """Begin or (None) end misbehaving; raises FaultRefused."""
        if text is None:
            self.current = None
        else:
            self.current = read_fault(text, signs=self._signs, more=self._more, several=self._several)

    def kind(self) -> str | None:
        """Return the kind of the present fault."""
        return self.current.kind if self.current else None

    def active(self, kind: str) -> Fault | None:
        """Return the present fault of this kind, be it the only one or one of several."""
        present = (self.current, *self.current.also) if self.current else ()
        return next((fault for fault in present if fault.kind == kind), None)

    @property
    def delivers(self) -> bool:
        """Whether a genuine answer made now reaches whoever asked, so that `replayed` may send it again."""
        return self.kind() in (None, "latency", "error", "replayed", *SIGNING_MANNERS)

    def strikes(self, kind: str = "error") -> bool:
        """Throw the dice of a fault that concerns a share of requests: whether this is one of them."""
        fault = self.active(kind)
        return fault is not None and self._dice.random() < fault.amount


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
_ABOUT_ITSELF: Final = "/_"
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
    if faults.current is None or request.path.startswith(_ABOUT_ITSELF):
        return await handler(request)
    if faults.active("down"):
        return _hang_up(request)
    latency = faults.active("latency")
    if latency is not None:
        await asyncio.sleep(latency.amount)
    if faults.strikes():
        return web.Response(status=503, text="Service Unavailable")
    response = await handler(request)
    if faults.strikes("drop-after-commit"):
        return _hang_up(request)
    if faults.active("malformed") and isinstance(response, web.Response):
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
    also = [{"fault": one.kind, "amount": one.amount} for one in fault.also]
    return web.json_response({"fault": fault.kind, "amount": fault.amount, **({"also": also} if also else {})})
