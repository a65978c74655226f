"""Reading what a caller sent: one strict way from bytes to JSON.

Stricter than the standard library on purpose (I-JSON, RFC 7493): what two parsers could read differently is refused.
No message quotes a value.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.helpers import parse_mimetype
from multidict import istr

from routes.flaws import to_pointer
from schemas.errors import Flaw, Malformed, Text, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
BODY_SECONDS = 30.0

_BROKEN_OFF = Text("Nội dung bị ngắt giữa chừng", "The body broke off")

# A plain text would be brought to its lower case at every look.
_CONTENT_TYPE = istr("Content-Type")
_CONTENT_ENCODING = istr("Content-Encoding")

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


def check_repeated(headers: CIMultiDictProxy[str]) -> None:
    """Raise Malformed if a header that may come once comes twice."""
    for name in SINGLE.intersection(name.lower() for name, _ in headers.items()):
        if len(headers.getall(name)) > 1:
            once(headers, name)


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the body of at most `limit` bytes; raises TooLarge, UnsupportedMediaType (coded), Malformed (broken off).

    A declared length over the limit is refused before a byte is read.
    """
    if _CONTENT_ENCODING in request.headers:
        raise UnsupportedMediaType(
            Text("Nội dung không được nén hay mã hóa", "The body must not have a content coding"),
            flaws=[Flaw("", Text("không được dùng", "must be absent"), header="Content-Encoding")],
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


async def read_json(request: web.Request, limit: int) -> Any:
    """Return the JSON value that is the body; raises UnsupportedMediaType, TooLarge or Malformed."""
    check_json_type(request)
    return parse_json(await read_body(request, limit))


class _Defect:
    """Stands in a parsed tree for what must not be there, so that a walk can tell where it stood."""

    __slots__ = ("name", "text")

    def __init__(self, text: Text, name: str = "") -> None:
        self.text = text
        self.name = name


class _Reader:
    def __init__(self) -> None:
        # Whether there is one in what was read since this was set to False.
        self.defects = False
        decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        )
        # `decode` looks for white space around the value, too; mostly there is none.
        self.scan: Callable[[str, int], tuple[Any, int]] = decoder.scan_once  # type: ignore[attr-defined]
        self.decode: Callable[[str], Any] = decoder.decode

    def _defect(self, vi: str, en: str, name: str = "") -> _Defect:
        self.defects = True
        return _Defect(Text(vi, en), name)

    def _object(self, pairs: list[tuple[str, Any]]) -> Any:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            return self._defect("tên được dùng hai lần", "the name occurs twice", twice)
        return members

    def _integer(self, text: str) -> Any:
        # Python refuses to convert over 4,300 digits; JSON readers elsewhere lose digits from 2^53 on.
        if len(text) <= 17 and abs(number := int(text)) <= MAX_INTEGER:
            return number
        return self._defect("số nguyên quá lớn", "the integer is too large")

    def _float(self, text: str) -> Any:
        number = float(text)
        if number in (float("inf"), float("-inf")):
            return self._defect("số quá lớn", "the number is too large")
        return number

    def _constant(self, _text: str) -> Any:
        return self._defect("không phải giá trị JSON", "not a JSON value")


# One for all: a decoder and its hooks refer to each other, and only the garbage collector would part them again.
_READER = _Reader()


def parse_json(body: bytes) -> Any:
    """Parse strict JSON; raises Malformed, with a pointer to what is wrong where there is one."""
    reader = _READER
    if not body:
        raise Malformed(Text("Nội dung rỗng", "The body is empty"), flaws=[_root("rỗng", "empty")])
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"byte {error.start}"
        raise Malformed(
            Text(f"Nội dung không phải UTF-8 ({place})", f"The body is not UTF-8 ({place})"),
            flaws=[_root("không phải UTF-8", "not UTF-8")],
        ) from None
    if text[0] == "\ufeff":
        raise Malformed(
            Text("Nội dung bắt đầu bằng BOM", "The body starts with a byte order mark"),
            flaws=[_root("có BOM ở đầu", "starts with a byte order mark")],
        )
    reader.defects = False
    try:
        try:
            value, end = reader.scan(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            # White space around the value, or something wrong that the decoder has the words for.
            value = reader.decode(text)
    except json.JSONDecodeError as error:
        vi, en = f"dòng {error.lineno}, cột {error.colno}", f"line {error.lineno}, column {error.colno}"
        raise Malformed(
            Text(f"Nội dung không phải JSON hợp lệ ({vi})", f"The body is not valid JSON ({en})"),
            flaws=[_root(f"sai cú pháp tại {vi}", f"syntax error at {en}")],
        ) from None
    except RecursionError:
        _too_deep("")
    # Escapes are the only way for NUL and lone surrogates through the decoder.
    if reader.defects or "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _inspect(value)
    return value


def _inspect(root: Any) -> None:
    stack: list[tuple[Any, tuple[str, ...], int]] = [(root, (), 1)]
    while stack:
        value, path, depth = stack.pop()
        if isinstance(value, _Defect):
            pointer = to_pointer((*path, value.name) if value.name else path)
            raise Malformed(flaws=[Flaw(pointer, value.text)])
        if isinstance(value, str):
            _check_text(value, path)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                _too_deep(to_pointer(path))
            items: Iterator[tuple[Any, Any]] = iter(value.items() if isinstance(value, dict) else enumerate(value))
            for key, item in items:
                if isinstance(key, str):
                    _check_text(key, path)
                if isinstance(item, dict | list | str | _Defect):
                    stack.append((item, (*path, str(key)), depth + 1))


def _check_text(text: str, path: tuple[str, ...]) -> None:
    if "\0" in text:
        raise Malformed(flaws=[Flaw(to_pointer(path), Text("có ký tự NUL", "holds a NUL character"))])
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        flaw = Flaw(to_pointer(path), Text("có mã thay thế (surrogate) lẻ", "holds a lone surrogate"))
        raise Malformed(flaws=[flaw]) from None


def _too_deep(pointer: str) -> NoReturn:
    limit = Text(f"lồng sâu quá {MAX_DEPTH} tầng", f"nested deeper than {MAX_DEPTH} levels")
    raise Malformed(flaws=[Flaw(pointer, limit)]) from None


def _root(vi: str, en: str) -> Flaw:
    return Flaw("", Text(vi, en))
