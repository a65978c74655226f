"""One keep-alive connection of our HTTP/1.1 client: a request out, one answer back, every limit on the way.

llhttp (through `httptools`) reads the framing, in its strict mode; what it leaves open is refused here: other transfer
codings than `chunked`, content codings, versions, the size of lines, of the head and of the body. A connection on which
anything was not as it should be is closed: bytes left on it would be read as the answer to somebody else's question.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
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


_Fields = list[tuple[bytes, bytes]]


def _joined(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Give fields by their name in small letters; those of one name are joined (RFC 9110 section 5.3)."""
    joined: dict[bytes, bytes] = {}
    for name, value in fields:
        name = name.lower()
        joined[name] = value if name not in joined else joined[name] + b", " + value
    return joined


class Headers(Mapping[str, str]):
    """The header fields of an answer by name, in any case; hardly any answer is asked for them."""

    __slots__ = ("_fields", "_joined")

    def __init__(self, fields: _Fields) -> None:
        self._fields = fields
        self._joined: dict[bytes, bytes] | None = None

    def __getitem__(self, name: str) -> str:
        value = self._by_name()[name.lower().encode("utf-8", "surrogateescape")]
        # llhttp leaves the white space before the end of a line.
        return value.decode("utf-8", "surrogateescape").strip(" \t")

    def __iter__(self) -> Iterator[str]:
        return (name.decode() for name in self._by_name())

    def __len__(self) -> int:
        return len(self._by_name())

    def _by_name(self) -> dict[bytes, bytes]:
        if self._joined is None:
            self._joined = _joined(self._fields)
        return self._joined


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
        # The loop's clock.
        self.now = self._loop.time
        self._max_answer = max_answer
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._head: _Fields = []
        # Called for every piece of the body; how much has come is looked at once for what came in one go.
        self.on_body = self._parts.append
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watch_at = 0.0
        self._fault: tuple[str, str] | None = None
        self.usable = True
        self.idle_since = 0.0

    def ask(self, request: bytes, now: float, read: float, until: float) -> asyncio.Future[Reply]:
        """Write `request`; the future brings the Reply, or Broken, Silent, Expired or Malformed.

        `read` is the longest pause in seconds, `until` the end on the loop's clock, which shows `now`. Whoever stops
        waiting closes.
        """
        self._fields: _Fields = []
        # Fields of interim answers, and everything that has come when last looked at.
        self._passed = self._gathered = 0
        # Bytes since then, of a line that is drawn out.
        self._unfinished = 0
        self._begun = False
        # 0 until the head is complete.
        self._status = 0
        # Whether the connection will serve another question, None until the answer is complete.
        self._lasting: bool | None = None
        self._heard = now
        self._pause = read
        self._until = until
        self._answer = answer = self._loop.create_future()
        if not self.usable:
            self._fail(Broken())
            return answer
        # One timer watches over all questions of a connection. It is only set again when it would strike too late:
        # the limits of the next question mostly lie behind those of the last, and a timer that strikes too early
        # looks and goes back to sleep.
        due = min(now + read, until)
        if self._watch is None or due < self._watch_at:
            self._wake_at(due)
        self._write(request)
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
        self._write = self._transport.write
        self._unwritten = self._transport.get_write_buffer_size

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer; anything that comes unasked ends the connection."""
        answer = self._answer
        if answer is None:
            self.close()
            return
        # llhttp would take RTSP and ICE for HTTP, and pass over line ends before an answer.
        if not self._begun and not data.startswith(b"H"):
            self._spoilt(_NOT_HTTP)
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if self._lasting is None:
                self._spoilt(self._fault or _NOT_HTTP)
                return
            # What follows a complete answer does not spoil it, only the connection.
            self._lasting = False
        fields = self._fields
        # No line is longer than all of them together.
        if len(fields) > MAX_HEADERS or (sum(map(len, chain.from_iterable(fields))) > MAX_LINE and _too_long(fields)):
            self._spoilt(_NOT_HTTP)
        elif self._status and self._unsized and self._oversized():
            self._spoilt(self._too_large())
        elif self._lasting is not None:
            self._finish(answer)
        else:
            self._heard = self.now()
            gathered = len(fields) + len(self._parts)
            if gathered != self._gathered:
                self._gathered = gathered
                self._unfinished = 0
                return
            # Neither a field nor a byte of the body was completed: a line is drawn out, and llhttp would gather it.
            self._unfinished += len(data)
            if self._unfinished > MAX_LINE:
                self._spoilt(_NOT_HTTP)

    def eof_received(self) -> None:
        """Complete an answer that lasts until the end of the connection; any other is broken."""
        self._ended(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Take note of the end."""
        self._ended(error)
        self._lost(self)

    def on_message_begin(self) -> None:
        """Refuse a second answer to one question (httptools)."""
        if self._lasting is not None:
            raise ValueError

    def on_status(self, reason: bytes) -> None:
        """Bound the reason phrase, which nobody reads and which may come in pieces (httptools)."""
        if len(reason) + self._unfinished > MAX_LINE:
            self._refuse(_NOT_HTTP)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a field; all are judged together, those after the body and of interim answers too (httptools)."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Decide from the head whether we want the rest (httptools)."""
        status = self._parser.get_status_code()
        if status < 200:
            if status < 100:
                self._refuse(_NOT_HTTP)
            return
        self._status = status
        self._head = head = self._fields[self._passed :]
        # One field on a line: llhttp lets no line end into a value.
        lines = b"\n".join(map(b":".join, head)).lower()
        if self._parser.get_http_version() not in _VERSIONS:
            self._refuse(_NOT_HTTP)
        chunked = _CODED.search(lines) is not None and self._chunked(head)
        length = _LENGTH.search(lines)
        self._unsized = length is None
        if length is None:
            self._size = self._measured = 0
            self._until_close = not chunked and status not in (204, 304)
        elif int(length[1]) > self._max_answer:
            self._refuse(self._too_large())

    def on_message_complete(self) -> None:
        """Take note that the answer is complete, or pass over an interim one (httptools)."""
        if self._status:
            self._lasting = self._parser.should_keep_alive()
        elif self._parser.get_status_code() == 101:
            self._refuse(_NOT_HTTP)
        else:
            self._passed = len(self._fields)

    def _chunked(self, head: _Fields) -> bool:
        """Tell whether the body comes in chunks, and refuse any other coding of it."""
        # Joining takes long for as many as fit into one segment.
        if len(head) > MAX_HEADERS:
            self._refuse(_NOT_HTTP)
        fields = _joined(head)
        transfer = fields.get(b"transfer-encoding")
        if transfer is not None and transfer.lower() != b"chunked":
            self._refuse(_NOT_HTTP)
        # We ask for identity; inflating what comes regardless would let a few kilobytes fill the memory.
        if fields.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
            self._refuse(_COMPRESSED)
        return transfer is not None

    def _refuse(self, fault: tuple[str, str]) -> None:
        self._fault = fault
        # Stops the parser, which turns it into its own kind.
        raise ValueError

    def _too_large(self) -> tuple[str, str]:
        return (f"lớn hơn {self._max_answer} byte", f"larger than {self._max_answer} bytes")

    def _oversized(self) -> bool:
        """Tell whether a body whose length was not told has grown too large."""
        self._size += sum(map(len, self._parts[self._measured :]))
        self._measured = len(self._parts)
        return self._size > self._max_answer

    def _finish(self, answer: asyncio.Future[Reply]) -> None:
        self._answer = None
        # A source that answers before it has read the question will take the rest of it for the next one.
        if not self._lasting or self._unwritten():
            self.close()
        if not answer.done():
            answer.set_result(Reply(self._status, Headers(self._head), b"".join(self._parts)))
        self._parts.clear()

    def _spoilt(self, fault: tuple[str, str]) -> None:
        self._fail(Malformed(*fault))
        self.close()

    def _fail(self, error: Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _ended(self, error: Exception | None) -> None:
        if self._answer is not None:
            if error is None and self._status and self._unsized and self._until_close:
                self._finish(self._answer)
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


def _too_long(fields: _Fields) -> bool:
    return any(len(name) + len(value) > MAX_LINE for name, value in fields)


_VERSIONS = ("1.1", "1.0")
_CODED = re.compile(rb"^(?:transfer|content)-encoding:", re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:(.*)$", re.MULTILINE)
