"""One keep-alive connection of our HTTP/1.1 client: a request out, one answer back, every limit on the way.

llhttp (through `httptools`) reads the framing, in its strict mode; what it leaves open is refused here: other transfer
codings than `chunked`, content codings, versions, the size of lines, of the head and of the body. A connection on which
anything was not as it should be is closed: bytes left on it would be read as the answer to somebody else's question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_LINE = 8_190
MAX_HEADERS = 64


class Broken(Exception):
    """The connection ended before the answer did; `early` when not a byte of the answer had come."""

    def __init__(self, *, early: bool = False) -> None:
        super().__init__()
        self.early = early


class Silent(Exception):
    """Nothing came for longer than the limit between two reads."""


class Expired(Exception):
    """The moment came by which the whole answer was wanted."""


class Malformed(Exception):
    """The bytes are no HTTP answer that we take; the arguments say what they are, in Vietnamese and English."""


_NOT_HTTP = ("không phải HTTP hợp lệ", "not valid HTTP")
_COMPRESSED = ("nén mà không được yêu cầu", "compressed without being asked")


class Headers(Mapping[str, str]):
    """The header fields of an answer by name, in any case; fields of one name are joined (RFC 9110 section 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        value = self._fields[name.lower().encode("utf-8", "surrogateescape")]
        # llhttp leaves the white space before the end of a line.
        return value.decode("utf-8", "surrogateescape").strip(" \t")

    def __iter__(self) -> Iterator[str]:
        return (name.decode() for name in self._fields)

    def __len__(self) -> int:
        return len(self._fields)


# Not frozen: it is made on every exchange, and a frozen one is three times as dear to make.
@dataclass(slots=True, eq=False)
class Reply:
    """One complete HTTP answer; `headers` ignore case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Connection(asyncio.Protocol):
    """Carries one question at a time; `lost` is called once when the connection has ended, for whatever reason.

    `usable` tells whether another question may follow. `idle_since` belongs to whoever keeps the connection.
    """

    def __init__(self, max_answer: int, lost: Callable[[Connection], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._max_answer = max_answer
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watch_at = 0.0
        self.usable = True
        self.idle_since = 0.0

    def ask(self, request: bytes, *, read: float, until: float) -> asyncio.Future[Reply]:
        """Write `request`; the future brings the Reply, or Broken, Silent, Expired or Malformed.

        `read` is the longest pause in seconds, `until` the end on the loop's clock. Whoever stops waiting closes.
        """
        assert self._transport is not None
        self._fields: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._lines = self._size = self._unfinished = self._reason = self._status = 0
        self._begun = self._headed = self._complete = self._lasting = self._until_close = False
        self._fault: tuple[str, str] | None = None
        self._heard = self._loop.time()
        self._pause = read
        self._until = until
        self._answer = answer = self._loop.create_future()
        if not self.usable:
            self._fail(Broken())
            return answer
        # One timer watches over all questions of a connection. It is only set again when it would strike too late:
        # the limits of the next question mostly lie behind those of the last, and a timer that strikes too early
        # looks and goes back to sleep.
        due = min(self._heard + read, until)
        if self._watch is None or due < self._watch_at:
            self._wake_at(due)
        self._transport.write(request)
        return answer

    def close(self) -> None:
        """End the connection at once; a question under way fails with Broken."""
        self.usable = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._fail(Broken())
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport that belongs to this connection."""
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer; anything that comes unasked ends the connection."""
        if self._answer is None:
            self.close()
            return
        self._heard = self._loop.time()
        # llhttp would take RTSP and ICE for HTTP, and pass over line ends before an answer.
        if not self._begun and not data.startswith(b"H"):
            self._fail(Malformed(*_NOT_HTTP))
            self.close()
            return
        self._begun = True
        seen = self._lines, self._size
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            # What follows a complete answer does not spoil it, only the connection.
            if self._complete:
                self._finish()
            self._fail(Malformed(*(self._fault or _NOT_HTTP)))
            self.close()
            return
        if self._complete:
            self._finish()
        elif seen == (self._lines, self._size):
            # Neither a field nor a byte of the body was completed: a line is drawn out, and llhttp would gather it.
            self._unfinished += len(data)
            if self._unfinished > MAX_LINE:
                self._fail(Malformed(*_NOT_HTTP))
                self.close()
        else:
            self._unfinished = 0

    def eof_received(self) -> None:
        """Complete an answer that lasts until the end of the connection; any other is broken."""
        self._ended(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Take note of the end."""
        self._ended(error)
        self._lost(self)

    def on_message_begin(self) -> None:
        """Refuse a second answer to one question (httptools)."""
        if self._complete:
            raise ValueError

    def on_status(self, reason: bytes) -> None:
        """Bound the reason phrase, which nobody reads and which may come in pieces (httptools)."""
        self._reason += len(reason)
        if self._reason > MAX_LINE:
            self._refuse(_NOT_HTTP)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a field of the head; those after the body count, and are passed over (httptools)."""
        self._lines += 1
        if self._lines > MAX_HEADERS or len(name) + len(value) > MAX_LINE:
            self._refuse(_NOT_HTTP)
        if not self._headed:
            name = name.lower()
            known = self._fields.get(name)
            self._fields[name] = value if known is None else known + b", " + value

    def on_headers_complete(self) -> None:
        """Decide from the head whether we want the rest (httptools)."""
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._headed = True
        self._status = status
        fields = self._fields
        coding = fields.get(b"transfer-encoding")
        if (coding is not None and coding.lower() != b"chunked") or self._parser.get_http_version() not in _VERSIONS:
            self._refuse(_NOT_HTTP)
        # We ask for identity; inflating what comes regardless would let a few kilobytes fill the memory.
        if fields.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
            self._refuse(_COMPRESSED)
        length = fields.get(b"content-length")
        if length is not None and int(length) > self._max_answer:
            self._too_large()
        self._until_close = coding is None and length is None and status not in (204, 304)

    def on_body(self, part: bytes) -> None:
        """Gather a part of the body (httptools)."""
        self._size += len(part)
        if self._size > self._max_answer:
            self._too_large()
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """Take note that the answer is complete, or pass over an interim one (httptools)."""
        if self._headed:
            self._complete = True
            self._lasting = self._parser.should_keep_alive()
        elif self._parser.get_status_code() == 101:
            self._refuse(_NOT_HTTP)
        else:
            self._fields = {}

    def _refuse(self, fault: tuple[str, str]) -> None:
        self._fault = fault
        # Stops the parser, which turns it into its own kind.
        raise ValueError

    def _too_large(self) -> None:
        self._refuse((f"lớn hơn {self._max_answer} byte", f"larger than {self._max_answer} bytes"))

    def _finish(self) -> None:
        answer, self._answer = self._answer, None
        assert answer is not None
        assert self._transport is not None
        # A source that answers before it has read the question will take the rest of it for the next one.
        if not self._lasting or self._transport.get_write_buffer_size():
            self.close()
        if not answer.done():
            parts = self._parts
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            answer.set_result(Reply(self._status, Headers(self._fields), body))

    def _fail(self, error: Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _ended(self, error: Exception | None) -> None:
        if self._answer is not None:
            if error is None and self._headed and self._until_close:
                self._finish()
            else:
                self._fail(Broken(early=not self._begun))
        self.close()

    def _wake_at(self, due: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch_at = due
        self._watch = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._answer is None:
            return
        now = self._loop.time()
        due = min(self._heard + self._pause, self._until)
        if due > now:
            self._wake_at(due)
            return
        self._fail(Expired() if self._until <= now else Silent())
        self.close()


_VERSIONS = ("1.1", "1.0")
