"""The only place where the gateway opens connections to a source (điểm kết nối): one `Transport` per endpoint.

It bounds everything that a source controls (connections, waiting callers, seconds, bytes) and turns whatever goes wrong
on the network into the error tree. What an HTTP status means is `refusal`'s business, or the binding's: SOAP faults
travel with status 500, so a `Reply` of any status is a reply.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    ServerTimeoutError,
    TCPConnector,
)
from yarl import URL

from config.settings import ConfigurationError, Endpoint
from schemas.errors import (
    CircuitOpen,
    Overloaded,
    Text,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreadable,
)

MAX_LINE = 8_190
MAX_HEADERS = 64
# Below the five seconds after which common servers close an idle connection: reusing one that the source is just
# closing would look like an answer that was lost.
KEEP_ALIVE = 4.0


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
    return not isinstance(error, (Undelivered, Throttled, Unsent, Overloaded, CircuitOpen))


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete HTTP answer; `headers` ignore case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport:
    """Connections to one endpoint: at most `concurrency` at work, as many callers again waiting, the rest refused.

    Belongs to the event loop in which it is first used; `close` gives the connections back. Raises ConfigurationError
    for TLS files that cannot be used.
    """

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name = name
        self._endpoint = endpoint
        self._base = endpoint.url.rstrip("/")
        self._tls = _tls_context(name, endpoint)
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        self._waiting = 0
        self._session: ClientSession | None = None

    async def send(self, message: Message, *, deadline: float) -> Reply:
        """Send `message` and read the whole answer before `deadline` (event loop clock, seconds).

        Raises Overloaded when too many already wait; Undelivered, UpstreamUnavailable, UpstreamTimeout (Unsent,
        Impatient) and UpstreamUnreadable for what the network and the source do. `maybe_applied` tells them apart.
        """
        await self._enter(deadline)
        try:
            return await self._exchange(message, deadline)
        finally:
            self._slots.release()

    def reload(self) -> None:
        """Read the TLS files again, for connections from now on; raises ConfigurationError, the old then stay."""
        self._tls = _tls_context(self.name, self._endpoint)

    async def close(self) -> None:
        """Close every connection; a later `send` opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _enter(self, deadline: float) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self._waiting >= self._endpoint.concurrency:
            raise Overloaded(
                Text(
                    f"Quá nhiều yêu cầu đang chờ nguồn {self.name}.",
                    f"Too many requests are waiting for {self.name}.",
                ),
                retry_after=1.0,
            )
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            raise self._late(Unsent) from None
        finally:
            self._waiting -= 1

    async def _exchange(self, message: Message, deadline: float) -> Reply:
        limits = self._endpoint.timeout
        own_limit = asyncio.get_running_loop().time() + limits.total
        try:
            async with asyncio.timeout_at(min(deadline, own_limit)):
                async with self._opened().request(
                    message.method,
                    self._address(message),
                    headers={"Accept-Encoding": "identity", **message.headers},
                    data=message.body or None,
                    allow_redirects=False,
                    ssl=self._tls,
                ) as response:
                    return Reply(response.status, response.headers, await self._body(response))
        # Most specific first: aiohttp's timeouts are connection errors and TimeoutErrors at once.
        except ConnectionTimeoutError as error:
            raise self._failed(Undelivered, "không kết nối được kịp giờ", "no connection in time") from error
        except ServerTimeoutError as error:
            raise self._late(UpstreamTimeout) from error
        except TimeoutError as error:
            raise self._late(Impatient if deadline < own_limit else UpstreamTimeout) from error
        except ClientConnectorError as error:
            raise self._failed(Undelivered, "không kết nối được", "no connection") from error
        except ClientResponseError as error:
            raise self._unreadable("không phải HTTP hợp lệ", "not valid HTTP") from error
        except (ClientConnectionError, ClientPayloadError) as error:
            raise self._failed(UpstreamUnavailable, "kết nối bị ngắt", "the connection broke") from error
        except ClientError as error:
            raise self._unreadable("không phải HTTP hợp lệ", "not valid HTTP") from error

    def _address(self, message: Message) -> URL:
        address = URL(self._base + message.path)
        return address.with_query(dict(message.query)) if message.query else address

    async def _body(self, response: ClientResponse) -> bytes:
        # We ask for identity; inflating what comes regardless would let a few kilobytes fill the memory.
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            response.close()
            raise self._unreadable("nén mà không được yêu cầu", "compressed without being asked")
        limit = self._endpoint.max_answer
        announced = response.content_length
        if announced is not None and announced > limit:
            response.close()
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > limit:
                response.close()
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _opened(self) -> ClientSession:
        if self._session is None:
            limits = self._endpoint.timeout
            self._session = ClientSession(
                connector=TCPConnector(
                    limit=self._endpoint.concurrency,
                    keepalive_timeout=KEEP_ALIVE,
                    ttl_dns_cache=30,
                    # Whole seconds would make short limits long.
                    timeout_ceil_threshold=float("inf"),
                ),
                cookie_jar=DummyCookieJar(),
                headers={"User-Agent": "lgsp-gateway"},
                skip_auto_headers=("Accept", "Content-Type"),
                auto_decompress=False,
                trust_env=False,
                timeout=ClientTimeout(
                    total=None, connect=limits.connect, sock_connect=limits.connect, sock_read=limits.read
                ),
                max_line_size=MAX_LINE,
                max_field_size=MAX_LINE,
                max_headers=MAX_HEADERS,
            )
        return self._session

    def _late(self, kind: type[UpstreamTimeout]) -> UpstreamTimeout:
        return kind(Text(f"Nguồn {self.name} không trả lời kịp.", f"{self.name} did not answer in time."))

    def _failed(self, kind: type[UpstreamUnavailable], vi: str, en: str) -> UpstreamUnavailable:
        return kind(Text(f"Nguồn {self.name}: {vi}.", f"{self.name}: {en}."))

    def _unreadable(self, vi: str, en: str) -> UpstreamUnreadable:
        return UpstreamUnreadable(Text(f"Trả lời của nguồn {self.name}: {vi}.", f"The answer of {self.name} is {en}."))

    def _too_large(self) -> UpstreamUnreadable:
        limit = self._endpoint.max_answer
        return self._unreadable(f"lớn hơn {limit} byte", f"larger than {limit} bytes")


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


def _tls_context(name: str, endpoint: Endpoint) -> ssl.SSLContext | bool:
    if not endpoint.url.startswith("https:"):
        return True
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
