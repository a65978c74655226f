"""HTTP connections: aiohttp's server with answers for what never becomes a request, bounded heads and a clean end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage, StreamWriter

from config.metrics import labelled, metrics
from routes.context import BASE_URL, REQUEST_ID, Peer
from routes.direct import Direct, Found, Whole
from routes.errors import error_of, rendered
from routes.frame import finish, request_id_of
from schemas.errors import Malformed, Text
from schemas.ids import new_id

log = structlog.get_logger()

# A head that takes longer is a client that holds the connection on purpose.
HEAD_SECONDS = 15.0
KEEPALIVE_SECONDS = 75.0
# Bodies that nobody reads (too large, refused) are swallowed so long, so that the client gets to see the answer.
LINGER_SECONDS = 5.0
MAX_HEADERS = 64
MAX_LINE = 8190
# A client certificate of a proxy (`Client-Cert`) is the longest header that has a reason to come.
MAX_HEADER = 16_384

_BAD_HTTP = Text("Yêu cầu không đúng HTTP", "The request is not valid HTTP")


class Connection(web.RequestHandler):
    """One connection: closes on a slow head, renders what is not HTTP as a problem, ends after what is in flight."""

    __slots__ = ("_ending", "_head_seconds", "_head_timer", "_listener", "_unused", "peer")

    def __init__(self, listener: Listener, head_seconds: float, **settings: Any) -> None:
        super().__init__(listener, **settings)
        self._listener = listener
        self._ending = False
        self._head_seconds = head_seconds
        self._head_timer: asyncio.TimerHandle | None = None
        # The library's writer for the next answer: whole answers do without and leave it to the request after them.
        self._unused: StreamWriter | None = None
        # Who is at the other end, once it was looked for; see `routes.peers`.
        self.peer: Peer | None = None

    def data_received(self, data: bytes) -> None:
        """Start the clock with the first byte of a head, and stop it when the head is complete."""
        super().data_received(data)
        if self._messages or self._request_in_progress:
            if self._head_timer is not None:
                self._stop_clock()
        elif data and self._head_timer is None:
            self._head_timer = self._loop.call_later(self._head_seconds, self._too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the clock with the connection."""
        self._stop_clock()
        super().connection_lost(exc)

    def _stop_clock(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        log.info("slow-head")
        self.force_close()

    def close(self) -> None:
        """Close now if idle, else after the request in flight, whose body may still be arriving."""
        if self._request_in_progress or self._messages:
            self._ending = True
        else:
            self.force_close()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on reading; the library looks through its parser after every read of a body, also if nothing was held."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    async def start(self) -> None:
        """Answer ordinary requests one after the other in this task; with the first other one the library takes over.

        The library gives every request a task of its own, for context variables; ours are reset by who sets them.
        """
        while not self._force_close:
            if not self._messages:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            message, body = self._messages[0]
            # What the parser refused is no message; what is left of a body on its way the library swallows.
            if (
                isinstance(message, RawRequestMessage)
                and body.is_eof()
                and (found := self._listener.routes.find(message)) is not None
            ):
                self._messages.popleft()
                if not await self._answer(message, body, found):
                    break
            else:
                await super().start()
                return
        if not self._force_close and self.transport is not None:
            self._task_handler = None
            self.transport.close()

    async def _answer(self, message: RawRequestMessage, body: StreamReader, found: Found) -> bool:
        """Answer one ordinary request; tell whether the connection goes on."""
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        listener = self._listener
        writer = self._unused
        if writer is None:
            writer = self._unused = StreamWriter(self, self._loop)
        request = listener.request(message, body, self, writer, self._task_handler)
        request._match_info = found.match  # noqa: SLF001 - as the library's own search does
        listener.busy += 1
        self._request_in_progress = True
        self._current_request = request
        try:
            try:
                response = await found.handler(request)
                if (
                    type(response) is not Whole
                    or writer.output_size
                    or listener.ending
                    or message.method == "HEAD"
                    or response.keep_alive is not None
                ):
                    return await self._send(request, response)
                written, transport = response.on_the_wire(), self.transport
                if transport is None or transport.is_closing():
                    return False
                transport.write(written)
                if self._paused:
                    await self._drain_helper()
                return self._goes_on()
            except web.HTTPException as redirect:
                return await self._send(request, redirect)
            except ConnectionError:
                raise
            except Exception as failure:  # noqa: BLE001 - a fault of the frame itself, which renders all others
                return await self._send(request, self.handle_error(request, 500, failure))
        except ConnectionError:
            return False
        except asyncio.CancelledError:
            self.force_close()
            raise
        finally:
            self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
            listener.busy -= 1
            if listener.ending:
                listener.left()
            if self._ending:
                super().close()

    async def _send(self, request: web.Request, response: web.StreamResponse) -> bool:
        """Write an answer step by step, as the library does; tell whether the connection goes on."""
        self._unused = None
        if self._listener.ending and not response.prepared:
            response.force_close()
        response, gone = await self.finish_response(request, response, None)
        return not gone and bool(response.keep_alive) and self._goes_on()

    def _goes_on(self) -> bool:
        """Give the connection its time to be idle from now on; tell whether it takes further requests."""
        self._next_keepalive_close_time = self._loop.time() + KEEPALIVE_SECONDS
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        return not (self._ending or self._close)

    async def _handle_request(
        self,
        request: Any,
        start_time: float | None,
        request_handler: Callable[[Any], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        self._listener.busy += 1
        try:
            return await super()._handle_request(request, start_time, request_handler)
        finally:
            self._listener.busy -= 1
            self._listener.left()
            if self._ending:
                super().close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.Response:
        """Answer what aiohttp's parser refused; `message` and `exc` quote the client's bytes and go nowhere."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if isinstance(exc, ConnectionError):
            # Whoever asked is gone: there is nobody to answer and nothing to report.
            raise exc
        failure: BaseException = Malformed(_BAD_HTTP) if status == 400 else (exc or RuntimeError())
        # What could not be read has no headers, not even empty ones.
        response = self._listener.refusal(request, failure, new_id())
        labelled(metrics().http_requests, "unreadable", "other", str(response.status)).inc()
        log.info("bad-http", kind=type(exc).__name__, status=response.status)
        response.force_close()
        return response


class Listener(web.Server):
    """Makes the connections of one application and knows how many requests are being answered on them."""

    def __init__(self, app: web.Application, made: web.Server, head_seconds: float) -> None:
        self._inner = made.request_handler
        super().__init__(self._handle, request_factory=made.request_factory)
        self.request: Any = made.request_factory
        self.routes = Direct(app)
        self.ending = False
        self._base_url = app.get(BASE_URL, "")
        self._head_seconds = head_seconds
        self.busy = 0
        self._idle = asyncio.Event()

    def __call__(self) -> Connection:
        """Make the protocol of a new connection."""
        return Connection(
            self,
            self._head_seconds,
            loop=self._loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_headers=MAX_HEADERS,
            max_line_size=MAX_LINE,
            max_field_size=MAX_HEADER,
        )

    def left(self) -> None:
        """Tell whoever waits for the end when the last answer is written."""
        if self.ending and not self.busy:
            self._idle.set()

    def refusal(self, request: web.BaseRequest, failure: BaseException, request_id: str) -> web.Response:
        """Render `failure` for a request that the application's middlewares never saw."""
        error = error_of(failure)
        response = rendered(request, error, failure, request_id=request_id, base_url=self._base_url)
        finish(response, request_id)
        return response

    async def _handle(self, request: Any) -> web.StreamResponse:
        try:
            response = await self._inner(request)
        except web.HTTPException as failure:
            # aiohttp answers an unknown Expect before any middleware runs.
            if failure.status < 400 or REQUEST_ID in request:
                raise
            response = self.refusal(request, failure, request_id_of(request))
        if self.ending and not response.prepared:
            response.force_close()
        return response

    async def drain(self, seconds: float, hurry: asyncio.Event) -> bool:
        """Close idle connections, wait at most `seconds` or until `hurry` for requests in flight; True if all ended."""
        self.ending = True
        self.pre_shutdown()
        if not self.busy:
            return True
        waits = [asyncio.ensure_future(self._idle.wait()), asyncio.ensure_future(hurry.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self.busy
