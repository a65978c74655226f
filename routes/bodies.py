"""Reading what a caller sent: headers that may come once, the body within its limits, its JSON (`strict_json`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.helpers import parse_mimetype
from multidict import istr

from adapters.offloading import LARGE, in_thread
from routes.strict_json import parse_json
from schemas.errors import Flaw, Malformed, Text, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

T = TypeVar("T")

BODY_SECONDS = 30.0

_BROKEN_OFF = Text("Nội dung bị ngắt giữa chừng", "The body broke off")

# A plain text would be brought to its lower case at every look.
_CONTENT_TYPE = istr("Content-Type")
_CONTENT_ENCODING = istr("Content-Encoding")
_TRANSFER_ENCODING = istr("Transfer-Encoding")

# A second one of these would let two readers understand two different requests.
SINGLE = frozenset(
    {
        "accept-language",
        "authorization",
        "client-cert",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "lgsp-dossier",
        "lgsp-officer",
        "lgsp-purpose",
        "lgsp-receipt",
        "traceparent",
        "transfer-encoding",
        "x-request-id",
    }
)
# What a security server forwards. That the last one counts is its rule towards those who ask it.
FORWARDED = frozenset(
    {
        "x-road-client",
        "x-road-id",
        "x-road-issue",
        "x-road-represented-party",
        "x-road-request-id",
        "x-road-security-server",
        "x-road-service",
        "x-road-userid",
    }
)


def single(request: web.BaseRequest, name: str) -> str | None:
    """Return the value of a header that may come once, None if absent; raises Malformed if it comes twice."""
    return once(request.headers, name)


def once(headers: CIMultiDictProxy[str], name: str) -> str | None:
    """Return the value of a header that may come once, None if absent; raises Malformed if it comes twice."""
    values = headers.getall(name, ())
    if len(values) > 1:
        raise Malformed(
            Text(f"Tiêu đề {name} được gửi nhiều lần", f"The header {name} was sent more than once"),
            flaws=[Flaw("", Text("chỉ được gửi một lần", "may be sent once only"), header=name)],
        )
    if not values:
        return None
    value = values[0]
    if not value.isascii():
        raise Malformed(
            Text(f"Tiêu đề {name} phải là ASCII", f"The header {name} must be ASCII"),
            flaws=[Flaw("", Text("phải là ASCII", "must be ASCII"), header=name)],
        )
    return value


def check_repeated(headers: CIMultiDictProxy[str], names: frozenset[str] = SINGLE) -> None:
    """Raise Malformed if a header that may come once comes twice."""
    for name in names.intersection(name.lower() for name, _ in headers.items()):
        if len(headers.getall(name)) > 1:
            once(headers, name)


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the body of at most `limit` bytes; raises TooLarge, UnsupportedMediaType (coded), Malformed (broken off).

    Malformed too for a transfer coding other than chunks. A declared length over the limit is refused before a byte is
    read.
    """
    if _CONTENT_ENCODING in request.headers:
        raise UnsupportedMediaType(
            Text("Nội dung không được nén hay mã hóa", "The body must not have a content coding"),
            flaws=[Flaw("", Text("không được dùng", "must be absent"), header="Content-Encoding")],
        )
    if _TRANSFER_ENCODING in request.headers and request.headers[_TRANSFER_ENCODING].lower() != "chunked":
        # The library undoes the chunks alone and would hand over what they were put around as it is.
        raise Malformed(
            Text("Nội dung chỉ được gửi dạng chunked", "The body may be sent in chunks only, by no other coding"),
            flaws=[Flaw("", Text("chỉ được là chunked", "must be chunked"), header="Transfer-Encoding")],
        )
    content = request.content
    if content.is_eof():
        # It all came with the head, as short bodies do: nothing has to be waited for.
        if content is EMPTY_PAYLOAD:
            return b""
        if (failure := content.exception()) is not None:
            raise Malformed(_BROKEN_OFF) if isinstance(failure, web.RequestPayloadError) else failure
        if content.total_bytes > limit:
            raise _too_large(limit)
        # Nobody reads it in parts, and nothing was held back that would have to go on: what the library's own reading
        # looks for at each piece.
        return b"".join(content._buffer)  # noqa: SLF001 - see above
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in content.iter_any():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise Malformed(Text("Nội dung gửi quá chậm", "The body came too slowly")) from None
    except web.RequestPayloadError:
        raise Malformed(_BROKEN_OFF) from None
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(Text(f"Nội dung vượt quá {limit} byte", f"The body exceeds {limit} bytes"))


def check_json_type(request: web.BaseRequest) -> None:
    """Raise UnsupportedMediaType unless the content type is `application/json`, in UTF-8 where it names a charset."""
    if not _is_json(*request.headers.getall(_CONTENT_TYPE, ())):
        once(request.headers, _CONTENT_TYPE)
        raise UnsupportedMediaType(
            Text("Nội dung phải là application/json, mã UTF-8", "The body must be application/json in UTF-8"),
            flaws=[Flaw("", Text("phải là application/json", "must be application/json"), header="Content-Type")],
        )


# Callers send the same few again and again.
@lru_cache(maxsize=64)
def _is_json(*content_types: str) -> bool:
    if len(content_types) != 1 or not content_types[0].isascii():
        return False
    kind = parse_mimetype(content_types[0])
    return (kind.type, kind.subtype, kind.suffix) == ("application", "json", "") and (
        kind.parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")
    )


async def read_json(request: web.Request, limit: int, make: Callable[[Any], T]) -> T:
    """Return what `make` makes of the JSON value that is the body; it may run in a thread.

    Raises UnsupportedMediaType, TooLarge, Malformed, Overloaded, and what `make` raises.
    """
    check_json_type(request)
    body = await read_body(request, limit)
    return read(body, make) if len(body) < LARGE else await in_thread(read, body, make)


def read(body: bytes, make: Callable[[Any], T]) -> T:
    """Return what `make` makes of the JSON value that `body` is; raises Malformed, and what `make` raises."""
    return make(parse_json(body))
