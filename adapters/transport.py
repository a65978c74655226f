"""The only place where the gateway opens connections to a source (điểm kết nối): one `Transport` per endpoint.

It bounds everything that a source controls (connections, waiting callers, seconds, bytes) and turns whatever goes wrong
on the network into the error tree. What an HTTP status means is `refusal`'s business, or the binding's: SOAP faults
travel with status 500, so a `Reply` of any status is a reply.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from yarl import URL

from adapters.http_connection import Broken, Connection, Expired, Malformed, Reply, Silent
from adapters.http_connections import Connections
from adapters.http_request import Requests
from adapters.offloading import Unread
from config.settings import ConfigurationError, Endpoint
from schemas.errors import (
    CircuitOpen,
    GatewayError,
    Overloaded,
    Text,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreadable,
)

__all__ = [
    "Impatient",
    "Message",
    "Reply",
    "Throttled",
    "Transport",
    "Undelivered",
    "Unsent",
    "maybe_applied",
    "refusal",
    "retry_after",
]


class Undelivered(UpstreamUnavailable):
    """No connection came about: the source certainly has not seen the message."""


class Throttled(UpstreamUnavailable):
    """The source answered 429: it is alive, refused this message, and says when to come back."""


class Unsent(UpstreamTimeout):
    """The deadline passed before the message was sent, waiting for one of the endpoint's connections or a log-in."""


class Impatient(UpstreamTimeout):
    """The caller's deadline passed before the endpoint's own limits did: no proof that the source is slow."""


def maybe_applied(error: BaseException) -> bool:
    """Tell whether the source may have acted on the message although `error` came instead of an answer.

    An operation that is not repeatable must look up before it sends again exactly where this is true. Whatever is not
    known to be harmless counts as applied.
    """
    if isinstance(error, Unread):
        return True
    if isinstance(error, GatewayError) and error.unsent:
        return False
    return not isinstance(error, (Undelivered, Throttled, Unsent, Overloaded, CircuitOpen))


# Not frozen: a frozen one is three times as dear to make, and nobody changes it.
@dataclass(slots=True)
class Message:
    """One HTTP request to a source: `path` is absolute and appended to the endpoint's address, `query` unencoded."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def question(self) -> bytes:
        """The bytes that carry the question: the body or, where there is none, the encoded target."""
        return self.body or str(URL.build(path=self.path, query=dict(self.query))).encode()


class Transport:
    """Connections to one endpoint: at most `concurrency` at work, as many callers again waiting, the rest refused.

    Belongs to the event loop in which it is first used; `close` gives the connections back. Raises ConfigurationError
    for an address or TLS files that cannot be used.
    """

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name = name
        self._endpoint = endpoint
        self._limits = endpoint.timeout
        try:
            self._requests = Requests(endpoint.url)
        except ValueError as error:
            raise ConfigurationError(f"[endpoints.{name}]: url cannot be used: {error}") from None
        self._tls = client_tls(name, endpoint)
        self._free = endpoint.concurrency
        self._turns: deque[asyncio.Future[None]] = deque()
        self._waiting = 0
        self._connections = Connections(self._requests, endpoint.max_answer)

    async def send(self, message: Message, *, deadline: float) -> Reply:
        """Send `message` and read the whole answer before `deadline` (event loop clock, seconds).

        Raises Overloaded when too many already wait; Undelivered, UpstreamUnavailable, UpstreamTimeout (Unsent,
        Impatient) and UpstreamUnreadable for what the network and the source do. `maybe_applied` tells them apart.
        ValueError: a message that HTTP cannot carry as it is.
        """
        request = self._requests.written(message.method, message.path, message.query, message.headers, message.body)
        if self._free:
            self._free -= 1
        else:
            await self._queue(deadline)
        limits = self._limits
        now = asyncio.get_running_loop().time
        try:
            began = now()
            own_limit = began + limits.total
            while True:
                connection = self._connections.idle(began)
                kept = connection is not None
                if connection is None:
                    connection = await self._connect(deadline, own_limit)
                    began = now()
                try:
                    reply = await connection.ask(request, began, limits.read, min(deadline, own_limit))
                except (Broken, Malformed, Silent, Expired) as error:
                    # The source closed the kept connection while we took it. HTTP lets a client ask again by itself
                    # only what has no effect (RFC 9112 section 9.3.1).
                    if kept and message.method == "GET" and isinstance(error, Broken) and error.early:
                        began = now()
                        continue
                    raise self._meaning(error, impatient=deadline < own_limit) from error
                except BaseException:
                    # Whoever goes away leaves an answer behind that nobody else must read.
                    connection.close()
                    raise
                self._connections.keep(connection)
                return reply
        finally:
            if self._turns:
                self._leave()
            else:
                self._free += 1

    def reload(self) -> None:
        """Read the TLS files again, for connections from now on; raises ConfigurationError, the old then stay."""
        self._tls = client_tls(self.name, self._endpoint)
        self._connections.renew()

    async def close(self) -> None:
        """Close every connection; a later `send` opens new ones."""
        await self._connections.close()

    async def _queue(self, deadline: float) -> None:
        if self._waiting >= self._endpoint.concurrency:
            raise Overloaded(
                Text(
                    f"Quá nhiều yêu cầu đang chờ nguồn {self.name}.",
                    f"Too many requests are waiting for {self.name}.",
                ),
                retry_after=1.0,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException as error:
            # The turn may have come in the same moment in which the wait ended.
            if turn.done() and not turn.cancelled():
                self._leave()
            if isinstance(error, TimeoutError):
                raise self._late(Unsent) from None
            raise
        finally:
            self._waiting -= 1

    def _leave(self) -> None:
        """Hand the slot to the one who waits longest, or free it."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _meaning(self, error: Exception, *, impatient: bool) -> UpstreamError:
        """Return what the end of a connection in the middle of a question means to the caller."""
        if isinstance(error, Malformed):
            return self._unreadable(*error.args)
        if isinstance(error, Broken):
            return self._failed(UpstreamUnavailable, "kết nối bị ngắt", "the connection broke")
        return self._late(Impatient if impatient and isinstance(error, Expired) else UpstreamTimeout)

    async def _connect(self, deadline: float, own_limit: float) -> Connection:
        patience = asyncio.get_running_loop().time() + self._endpoint.timeout.connect
        try:
            async with asyncio.timeout_at(min(patience, deadline, own_limit)):
                return await self._connections.fresh(self._tls)
        # It is an OSError as well.
        except TimeoutError as error:
            if deadline < min(patience, own_limit):
                raise self._late(Unsent) from error
            if own_limit < patience:
                raise self._late(UpstreamTimeout) from error
            raise self._failed(Undelivered, "không kết nối được kịp giờ", "no connection in time") from error
        except OSError as error:
            raise self._failed(Undelivered, "không kết nối được", "no connection") from error

    def _late(self, kind: type[UpstreamTimeout]) -> UpstreamTimeout:
        return kind(Text(f"Nguồn {self.name} không trả lời kịp.", f"{self.name} did not answer in time."))

    def _failed(self, kind: type[UpstreamUnavailable], vi: str, en: str) -> UpstreamUnavailable:
        return kind(Text(f"Nguồn {self.name}: {vi}.", f"{self.name}: {en}."))

    def _unreadable(self, vi: str, en: str) -> UpstreamUnreadable:
        return UpstreamUnreadable(Text(f"Trả lời của nguồn {self.name}: {vi}.", f"The answer of {self.name} is {en}."))


def refusal(name: str, reply: Reply) -> UpstreamError | None:
    """Return what the HTTP status of `reply` means where the source's profile says nothing better; None for 2xx.

    429 is Throttled, 5xx UpstreamUnavailable (both with the source's Retry-After), other 4xx UpstreamRefused. A
    redirect is UpstreamUnreadable: following it would carry a citizen's data to an address that nobody configured.
    """
    status = reply.status
    if 200 <= status < 300:
        return None
    detail = Text(f"Nguồn {name} trả lời HTTP {status}.", f"{name} answered HTTP {status}.")
    if status == 429:
        return Throttled(detail, retry_after=retry_after(reply))
    if status >= 500:
        return UpstreamUnavailable(detail, retry_after=retry_after(reply))
    if status >= 400:
        return UpstreamRefused(detail)
    return UpstreamUnreadable(detail)


def retry_after(reply: Reply, now: datetime | None = None) -> float | None:
    """Read Retry-After in seconds from now (RFC 9110 section 10.2.3: seconds or HTTP date); None if absent or wrong."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def client_tls(name: str, endpoint: Endpoint) -> ssl.SSLContext | None:
    """Return the TLS context of connections to an endpoint, None for plain http; raises ConfigurationError."""
    if not endpoint.url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=endpoint.tls_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if endpoint.tls_certificate is not None:
            context.load_cert_chain(endpoint.tls_certificate, endpoint.tls_key)
    except OSError as error:
        raise ConfigurationError(
            f"[endpoints.{name}]: tls_ca, tls_certificate and tls_key cannot be used: {error.strerror or error}"
        ) from None
    return context
