"""What every request gets, whatever its route: a request id, an access line, a count, a bound, safe headers.

`setup` puts the middlewares on an application, outermost first: frame → bounded → peer. Whatever is added later lies
further in and may raise: `frame` renders it. Those that only look at a request are plain functions that hand on what
the next one gives them, since every coroutine in between is resumed with every answer.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from time import perf_counter

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import istr

from config import tracing
from config.logging import write_access
from config.metrics import Level, Spread, Tally, labelled, metrics
from config.personal import could_name_a_person
from config.settings import Server
from routes.bodies import FORWARDED, check_repeated
from routes.context import ANSWER_HEADERS, BASE_URL, CALLER, FAILURE, RELOAD, REQUEST_ID
from routes.direct import COMMON, Whole, template_of
from routes.errors import answered, is_soap
from routes.peers import trusting
from schemas.errors import GatewayError, Overloaded
from schemas.ids import new_id

# A plain text would be brought to its lower case at every look.
_ID_HEADER = istr("X-Request-Id")
_TRACE_HEADER = istr("traceparent")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?", re.ASCII)
# What tells how the gateway does must answer when it does badly.
_UNBOUNDED = frozenset({"/livez", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def public_url(server: Server) -> str:
    """Return the address under which callers know the gateway, without a slash at the end."""
    return (server.public_url or f"http://{server.listen}").rstrip("/")


def setup(app: web.Application, server: Server, *, reload: Callable[[], Awaitable[None]] | None = None) -> None:
    """Put the frame around `app`; call it before any other middleware is added. `reload` is called on SIGHUP."""
    app[BASE_URL] = public_url(server)
    if reload is not None:
        app[RELOAD] = reload
    app.middlewares.extend((frame, bounded(server.max_in_flight), trusting(server.trusted_proxies)))


def request_id_of(request: web.BaseRequest) -> str:
    """Return the caller's `X-Request-Id`, or a new one where it is missing, repeated, unfit or identifier-shaped."""
    sent = request.headers.getall(_ID_HEADER, ())
    return str(sent[0]) if len(sent) == 1 and is_fit(sent[0]) else new_id()


def is_fit(request_id: str) -> bool:
    """Tell whether a caller's own request id may stand in the log and in answers."""
    return _REQUEST_ID.fullmatch(request_id) is not None and not could_name_a_person(request_id)


def trace_id_of(request: web.BaseRequest) -> str | None:
    """Return the trace id of a well-formed `traceparent` (W3C Trace Context), else None."""
    sent = request.headers.get(_TRACE_HEADER)
    match = _TRACEPARENT.fullmatch(sent) if sent else None
    return match.group(1) if match else None


def finish(response: web.StreamResponse, request_id: str, extra: Mapping[str, str] | None = None) -> None:
    """Put the headers on `response` that every answer has; what the handler chose itself stays, `extra` replaces."""
    headers = response.headers
    headers[_ID_HEADER] = request_id
    if type(response) is not Whole:
        headers["Server"] = "lgsp"
        for name, value in COMMON.items():
            headers.setdefault(name, value)
    if extra:
        headers.update(extra)


@lru_cache(maxsize=4096)
def _counting(route: str, method: str, status: int) -> tuple[Tally, Spread]:
    counters = metrics()
    return labelled(counters.http_requests, route, method, str(status)), labelled(counters.http_seconds, route)


@lru_cache(maxsize=1)
def _in_flight() -> Level:
    return labelled(metrics().http_in_flight)


@web.middleware
async def frame(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and its answer, whatever happens; then count it, write its access line, put headers on.

    Every failure of what lies further in is rendered, except redirects and connections that are gone.
    """
    began = perf_counter()
    in_flight = _in_flight()
    in_flight.inc()
    # What `request[...]` writes to and reads from, without two calls for each.
    state = request._state  # noqa: SLF001 - see above
    request_id = state[REQUEST_ID] = request_id_of(request)
    state[ANSWER_HEADERS] = {}
    span = tracing.serving(request.headers)
    # 499: the connection or the process ended before there was an answer.
    status = 499
    error: GatewayError | None = None
    try:
        try:
            response = await handler(request)
        except web.HTTPException as failure:
            if failure.status < 400:
                status = failure.status
                finish(failure, request_id, state[ANSWER_HEADERS])
                raise
            error, response = answered(request, failure)
        except ConnectionError:
            raise
        except Exception as failure:  # noqa: BLE001 - this is where the unforeseen ends
            error, response = answered(request, failure)
        status = response.status
        if status >= 400:
            error = error or state.get(FAILURE)
        # A SOAP message may say which request it is.
        request_id = state[REQUEST_ID]
        if type(response) is Whole:
            headers = response.headers
            headers[_ID_HEADER] = request_id
            headers.update(state[ANSWER_HEADERS])
        elif not response.prepared:
            finish(response, request_id, state[ANSWER_HEADERS])
        return response
    finally:
        seconds = perf_counter() - began
        route = template_of(request)
        method = request.method if request.method in _METHODS else "other"
        in_flight.dec()
        # A fault of SOAP 1.1 is a 500 whoever is to blame; who counts failures of ours means the error's own status.
        requests, durations = _counting(route, method, error.status if error is not None else status)
        requests.inc()
        durations.observe(seconds)
        caller = state.get(CALLER)
        client_id = caller.client_id if caller else None
        code, reason = (error.code, error.reason) if error else (None, None)
        if span is not None:
            span.end(
                failed=status >= 500,
                name=f"{method} {route}",
                http__response__status_code=status,
                lgsp__code=code,
                lgsp__request_id=request_id,
                lgsp__client_id=client_id,
            )
        write_access(
            route,
            method,
            status,
            code,
            reason,
            duration_ms=round(seconds * 1000, 2),
            request_id=request_id,
            client_id=client_id,
            trace_id=(span and span.trace_id) or trace_id_of(request),
        )


def bounded(limit: int) -> Middleware:
    """Return the middleware that refuses a request while `limit` others are in flight."""
    in_flight = 0

    @web.middleware
    async def bound(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal in_flight
        if in_flight >= limit and request.path not in _UNBOUNDED:
            raise Overloaded(retry_after=1)
        in_flight += 1
        try:
            return await handler(request)
        finally:
            in_flight -= 1

    return bound


@web.middleware
def unrepeated(request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
    """Refuse repeated headers; innermost of all, so that a known caller who sends them leaves evidence.

    Who sends a SOAP message is known later: its face looks itself.
    """
    headers = request.headers
    if len(headers) != len(set(headers)) and not is_soap(request):
        check_repeated(headers)
        caller = request.get(CALLER)
        if caller is not None and caller.credential.kind == "xroad":
            check_repeated(headers, FORWARDED)
    return handler(request)
