"""`POST /v1/dossiers/statuses`: many statuses and dossiers in one stream of lines (NDJSON), answered line by line.

Lines are made durable in groups, each group in one commit, and answered in the order in which they came; a line waits
for others only a moment, so that a stream that stays open is answered while it is being sent. Nothing more is read
while a group is being written. What is answered is handed on as far as the caller takes it and kept otherwise: callers
that read nothing before they have sent everything are not waited for, and `LINES` bounds what is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.helpers import parse_mimetype
from pydantic import ValidationError

from routes.bodies import single
from routes.context import BASE_URL, REQUEST_ID
from routes.dossiers.asking import pusher
from routes.dossiers.counting import word_of
from routes.dossiers.lines import Line, Refused, take_lines
from routes.errors import problem
from routes.flaws import flaws_of
from routes.frame import finish
from routes.language import Language, preferred
from routes.signed import SIGNATURE, SIGNATURE_INPUT
from routes.strict_json import parse_json
from schemas.dossiers.models import DossierLine, stream_line
from schemas.errors import (
    Flaw,
    GatewayError,
    Invalid,
    Malformed,
    Overloaded,
    SignatureRejected,
    Text,
    TooLarge,
    UnsupportedMediaType,
)
from schemas.exchange import Caller
from sync.intake import GROUP, Intake, Taken

LINES = 10_000
BYTES = 32 * 1024 * 1024
# Between two pieces of a stream, and until the caller takes what is answered.
IDLE_SECONDS = 30.0
# For how long a line waits at most for others to be made durable with it.
GATHER_SECONDS = 0.2
AT_ONCE = 16
_PIECE, _FLOWING = 32_768, 16_384
_BREATH = 32
# More than this is kept for nobody.
_PENDING = 16 * 1024 * 1024

MEDIA_TYPE = "application/x-ndjson"

_TYPE = Text(f"Nội dung phải là {MEDIA_TYPE}, không nén", f"The body must be {MEDIA_TYPE} without content coding")
_BYTES = Text(f"Luồng vượt quá {BYTES} byte", f"The stream exceeds {BYTES} bytes")
_LINES = Text(f"Luồng có hơn {LINES} dòng", f"The stream has more than {LINES} lines")
_LINE = Text("Dòng quá dài", "The line is too long")
_SLOW = Text("Nội dung gửi quá chậm", "The body came too slowly")
_BROKEN = Text("Nội dung bị ngắt giữa chừng", "The body broke off")
_OBJECT = Text("mỗi dòng phải là một đối tượng", "each line must be an object")
_UNSIGNED = Text("Luồng không nhận chữ ký", "A stream takes no signature: sign the events one by one")


@dataclass(slots=True)
class _Stream:
    """One request under way; `stopped` is what ended it before its end, so that nothing more is read.

    `due` is when the lines that came are to be taken (time of the loop), None where there are none.
    """

    request: web.Request
    caller: Caller
    intake: Intake
    longest: int
    language: Language
    response: web.StreamResponse = field(default_factory=web.StreamResponse)
    pending: bytearray = field(default_factory=bytearray)
    stopped: GatewayError | None = None
    due: float | None = None


def post_stream(
    intake: Intake, refused: Refused, longest: int
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make the route; a line has at most `longest` bytes."""
    under_way = 0

    async def post(request: web.Request) -> web.StreamResponse:
        nonlocal under_way
        caller = pusher(request)
        _check(request)
        if under_way >= AT_ONCE:
            raise Overloaded(retry_after=2)
        under_way += 1
        try:
            language = preferred(request.headers.get("Accept-Language"))
            stream = _Stream(request, caller, intake, longest, language)
            return await _answered(stream, refused)
        finally:
            under_way -= 1

    return post


def _check(request: web.Request) -> None:
    said = single(request, "Content-Type") or ""
    kind = parse_mimetype(said)
    charset = kind.parameters.get("charset", "utf-8").lower()
    if f"{kind.type}/{kind.subtype}" != MEDIA_TYPE or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(_TYPE, flaws=[Flaw("", _TYPE, header="Content-Type")])
    if "Content-Encoding" in request.headers:
        raise UnsupportedMediaType(_TYPE, flaws=[Flaw("", _TYPE, header="Content-Encoding")])
    coding = single(request, "Transfer-Encoding")
    if coding is not None and coding.lower() != "chunked":
        raise Malformed(flaws=[Flaw("", Text("chỉ được là chunked", "must be chunked"), header="Transfer-Encoding")])
    if (request.content_length or 0) > BYTES:
        raise TooLarge(_BYTES)
    if SIGNATURE in request.headers or SIGNATURE_INPUT in request.headers:
        raise SignatureRejected(_UNSIGNED, reason="not-covered")


async def _answered(stream: _Stream, refused: Refused) -> web.StreamResponse:
    group: list[Line] = []
    async for line in _lines(stream):
        if line is not None:
            if not group:
                stream.due = asyncio.get_running_loop().time() + GATHER_SECONDS
            group.append(line)
            if len(group) % _BREATH == 0:
                # Others are asking, too.
                await asyncio.sleep(0)
        if line is None or len(group) == GROUP:
            await _take(stream, group, refused)
            group, stream.due = [], None
    await _take(stream, group, refused)
    await _begin(stream)
    while stream.pending:
        await _write(stream)
    await stream.response.write_eof()
    return stream.response


async def _begin(stream: _Stream) -> None:
    response = stream.response
    if response.prepared:
        return
    response.headers["Content-Type"] = MEDIA_TYPE
    finish(response, stream.request[REQUEST_ID])
    if stream.stopped is not None:
        # What is left of the body is not read.
        response.force_close()
    await response.prepare(stream.request)


async def _lines(stream: _Stream) -> AsyncIterator[Line | None]:
    """Yield the lines of the body, and None where those that came should wait no longer for others.

    What ends the body before its end is a line of its own, with an error; so is one that is too long, at its end.
    """
    number, size, too_long = 0, 0, False
    rest = b""
    piece: bytes | None = None
    while piece != b"":
        try:
            piece = await _piece(stream)
        except GatewayError as error:
            stream.stopped, piece = error, b""
        if piece is None:
            yield None
            continue
        size += len(piece)
        if size > BYTES:
            stream.stopped = TooLarge(_BYTES)
        if stream.stopped is not None:
            yield Line(number + 1, error=stream.stopped)
            return
        *whole, rest = (rest + piece).split(b"\n")
        if not piece and (rest or too_long):
            whole = [rest]
        for text in whole:
            number += 1
            if number > LINES:
                stream.stopped = TooLarge(_LINES)
                yield Line(number, error=stream.stopped)
                return
            if too_long:
                too_long = False
                yield Line(number, error=TooLarge(_LINE))
            elif text.strip():
                yield _read(stream, number, text)
        if len(rest) > stream.longest:
            too_long = True
        if too_long:
            rest = b""


async def _piece(stream: _Stream) -> bytes | None:
    """Read on: b"" at the end, None when lines have waited long enough and nothing is here. Raises Malformed."""
    now = asyncio.get_running_loop().time()
    patience = IDLE_SECONDS if stream.due is None else max(0.0, stream.due - now)
    try:
        async with asyncio.timeout(patience):
            return await stream.request.content.readany()
    except TimeoutError:
        if stream.due is None:
            raise Malformed(_SLOW) from None
        return None
    except web.RequestPayloadError:
        raise Malformed(_BROKEN) from None


def _read(stream: _Stream, number: int, text: bytes) -> Line:
    line = Line(number)
    try:
        if len(text) > stream.longest:
            raise TooLarge(_LINE)
        value = parse_json(text)
        if not isinstance(value, dict):
            raise Invalid(flaws=[Flaw("", _OBJECT)])
        line.code, line.key = _shown(value, "code"), _shown(value, "key")
        try:
            said = stream_line(value)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None
        line.code, line.key = said.code, said.key
        body = said.dossier if isinstance(said, DossierLine) else said
        line.push = stream.intake.prepare(stream.caller, said.code, said.key, body)
    except GatewayError as error:
        line.error = error
    return line


def _shown(value: dict[str, Any], name: str) -> str | None:
    """What a line that may be wrong says, so that its sender finds it again."""
    said = value.get(name)
    return said[:255] if isinstance(said, str) else None


async def _take(stream: _Stream, group: list[Line], refused: Refused) -> None:
    if not group:
        return
    begun = stream.response.prepared
    ended = await take_lines(
        stream.intake, stream.caller, stream.request[REQUEST_ID], group, refused, begun=begun, door="stream"
    )
    for line, result in zip(group, ended, strict=True):
        stream.pending += _rendered(stream, line, result)
    await _begin(stream)
    await _flow(stream)


async def _flow(stream: _Stream) -> None:
    """Hand on what the caller takes at once."""
    transport = stream.request.transport
    while stream.pending and transport is not None:
        if transport.get_write_buffer_size() >= _FLOWING and len(stream.pending) < _PENDING:
            return
        await _write(stream)


async def _write(stream: _Stream) -> None:
    piece = bytes(stream.pending[:_PIECE])
    del stream.pending[:_PIECE]
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            await stream.response.write(piece)
    except TimeoutError:
        raise ConnectionError("the caller does not take its answer") from None


def _rendered(stream: _Stream, line: Line, result: Taken | GatewayError) -> bytes:
    told = f'{{"line":{line.number},"code":{_text(line.code)},"key":{_text(line.key)}'
    if isinstance(result, GatewayError):
        _, _, body = problem(
            result,
            request_id=stream.request[REQUEST_ID],
            language=stream.language,
            base_url=stream.request.app[BASE_URL],
        )
        return f'{told},"result":"refused","problem":'.encode() + body + b"}\n"
    word = word_of(result)
    reason = f',"reason":{_text(result.reason)}' if result.reason is not None else ""
    version = f',"version":{result.version}' if result.version is not None else ""
    told += f',"result":"{word}"{reason}{version},"delivery":"{result.event_id}","receipt":{result.receipt.as_text()}'
    return f"{told}}}\n".encode()


def _text(value: str | None) -> str:
    return "null" if value is None else _encode(value)


_encode = json.encoder.encode_basestring_ascii
