"""One strict way from bytes to JSON.

Stricter than the standard library on purpose (I-JSON, RFC 7493): what two parsers could read differently is refused.
No message quotes a value.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from routes.flaws import to_pointer
from schemas.errors import Flaw, Malformed, Text

MAX_DEPTH = 64
MAX_MEMBERS = 1_000
"""Of one object. Each name that nobody knows is a complaint, of which few are told but all are made."""
MAX_INTEGER = 2**53 - 1


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
        if len(pairs) > MAX_MEMBERS:
            return self._defect("quá nhiều tên", f"more than {MAX_MEMBERS} names")
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


class _PerThread(threading.local):
    """One reader for each thread: a decoder and its hooks refer to each other, only the collector would part them."""

    def __init__(self) -> None:
        self.reader = _Reader()


_threads = _PerThread()


def parse_json(body: bytes) -> Any:
    """Parse strict JSON; raises Malformed, with a pointer to what is wrong where there is one."""
    reader = _threads.reader
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
    if (
        reader.defects
        or ("\\u" in text and _DOUBTFUL.search(text) is not None)
        or (text.count("[") + text.count("{") > MAX_DEPTH and _deeper_than(MAX_DEPTH, value))
    ):
        _inspect(value)
    return value


# As it is written; where a backslash was escaped itself, it is looked at for nothing.
_DOUBTFUL = re.compile(r"\\u(?:0000|[dD][89A-Fa-f])")


def _deeper_than(depth: int, root: Any) -> bool:
    """Tell whether there are more levels than `depth`, without asking where; one step of Python for each level."""
    level = [root] if isinstance(root, dict | list) else []
    for _ in range(depth):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


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
