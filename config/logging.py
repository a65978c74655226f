"""Logs as JSON lines on standard error, with nothing in them that identifies a person.

Three rules: bodies, URLs with a query and headers are never handed to a logger; every text that is logged passes
`masked`; of an exception only its type and its frames are written, since messages quote values.
Identifiers that are looked for are those of `reference` forms in use: 9 and 12 digits (giấy tờ tùy thân), 10 and 13
(mã số thuế, mã số BHXH), the health card (thẻ BHYT: two letters and 13 digits), raw, percent-encoded or in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, TextIO, cast
from urllib.parse import unquote

import structlog

MASK = "[masked]"

# Longer runs are masked too: an identifier with zeros or a neighbour glued on is still readable.
_DIGITS = re.compile(r"(?:[A-Za-z]{2})?\d{9,}(?:-\d{3})?(?!\d)")
# A token that may hold an identifier in disguise; anything shorter cannot hold nine digits in base64.
_TOKEN = re.compile(r"[A-Za-z\d+/_=%-]{9,}")
_RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    r"|(?=[0-9]*[a-f])(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})",
    re.IGNORECASE,
)
# Inside a random id, digits come by chance; only what starts like a personal number, or is far too long, counts.
_PLANTED = re.compile(r"(?<!\d)0\d{11}(?!\d)|\d{18,}")
_NINE = re.compile(rb"\d{9}")
# How six digits look in base64 when they fall on its three-byte steps: nine in a row contain such six anywhere.
_SIX_IN_BASE64 = re.compile(r"(?:[MNO][DTjz][AEIMQUYcgk][wxyz0-5]){2}")
# Without any of these nothing is hidden; nearly every text ends here.
_SUSPECT = re.compile(rf"\d{{9}}|%|{_SIX_IN_BASE64.pattern}")
# Made once: `json.dumps` with options makes one for each line.
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_QUOTED = json.encoder.encode_basestring


def _holds_encoded(token: str) -> bool:
    if "%" in token and _DIGITS.search(unquote(token)):
        return True
    if not _SIX_IN_BASE64.search(token):
        return False
    plain = token.replace("-", "+").replace("_", "/").replace("=", "")
    for offset in range(4):
        piece = plain[offset:]
        piece = piece[: len(piece) // 4 * 4] if len(piece) % 4 == 1 else piece + "=" * (-len(piece) % 4)
        try:
            if _NINE.search(base64.b64decode(piece)):
                return True
        except binascii.Error:
            continue
    return False


def _masked_token(match: re.Match[str]) -> str:
    token = match.group()
    if _RANDOM.fullmatch(token):
        return MASK if _PLANTED.search(token) else token
    token = _DIGITS.sub(MASK, token)
    return MASK if _holds_encoded(token) else token


def masked(text: str) -> str:
    """Return `text` with everything that has the shape of an identifier replaced; random ids stay readable."""
    if not _SUSPECT.search(text):
        return text
    return _TOKEN.sub(_masked_token, text)


def identifier_shaped(text: str) -> bool:
    """Tell whether `text` holds something that could identify a person, in any of the encodings `masked` knows."""
    return masked(text) != text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {masked(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return type(value).__qualname__


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every value of a log event; an object that is neither text nor number is written as its type only."""
    for key, value in event.items():
        event[key] = _clean(value)
    return event


def frames(error: BaseException) -> list[dict[str, Any]]:
    """Describe an exception and its causes by type and frames (file:line function), never by message or values."""
    chain: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        chain.append({"type": f"{type(current).__module__}.{type(current).__qualname__}", "at": _places(current)})
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _places(error: BaseException) -> list[str]:
    places: list[str] = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{'/'.join(code.co_filename.rsplit('/', 2)[-2:])}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return places[-30:]


def describe_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by the frames of the exception."""
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["exception"] = frames(error)
    return event


class _Foreign(logging.Handler):
    """Brings what libraries log into the same lines, without the values that they would fill in."""

    def emit(self, record: logging.LogRecord) -> None:
        # The template says what happened; its arguments, and all but the first line of a ready-made text (asyncio
        # prints the repr of tasks and their results there), may quote data.
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__qualname__
        first = template.split("\n", 1)[0]
        event: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        structlog.get_logger().log(record.levelno, first, **event)


class _Forgiving:
    """A stream whose failures stay its own: a full disk or a closed file must not take answers and evidence along."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        # Not `suppress`: every line would pay for its three calls.
        with self._lock:
            try:  # noqa: SIM105
                self._stream.write(text)
            except (OSError, ValueError):
                pass

    def flush(self) -> None:
        try:  # noqa: SIM105
            self._stream.flush()
        except (OSError, ValueError):
            pass

    def put(self, line: str) -> None:
        """Write and flush at once."""
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except (OSError, ValueError):
                pass


# Where access lines go; None where the level leaves them out.
_access: _Forgiving | None = _Forgiving(sys.stderr)


def write_access(
    route: str,
    method: str,
    status: int,
    code: str | None,
    reason: str | None,
    *,
    duration_ms: float,
    request_id: str,
    client_id: str | None,
    trace_id: str | None,
) -> None:
    """Write the line of one answered request, `event` being `request`; duration in milliseconds.

    The line that structlog would write and under the same masks, put together from parts: every request has one. The
    first five arguments are texts of the code, never of a caller.
    """
    stream = _access
    if stream is None:
        return
    stream.put(
        f'{_access_head(route, method, status, code, reason)}"duration_ms":{duration_ms!r},'
        f'"request_id":{_QUOTED(masked(request_id))},"client_id":{_masked_json(client_id)},'
        f'"trace_id":{"null" if trace_id is None else _QUOTED(masked(trace_id))},'
        f'"event":"request","level":"info","timestamp":"{datetime.now(UTC).isoformat()[:-6]}Z"}}\n'
    )


@lru_cache(maxsize=4096)
def _access_head(route: str, method: str, status: int, code: str | None, reason: str | None) -> str:
    known = {"route": route, "method": method, "status": status, "code": code, "reason": reason}
    return _ENCODE(_clean(known)).removesuffix("}") + ","


@lru_cache(maxsize=4096)
def _masked_json(text: str | None) -> str:
    return _ENCODE(_clean(text))


def _as_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODE(event)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logging of this process as JSON lines to `stream` (default: standard error) from `level` upwards."""
    global _access
    numeric = logging.getLevelNamesMapping()[level.upper()]
    lines = _Forgiving(stream or sys.stderr)
    _access = lines if numeric <= logging.INFO else None
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            describe_exception,
            redact,
            _as_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lines)),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _Foreign):
            root.removeHandler(handler)
    root.addHandler(_Foreign())
    # Libraries tell at `info` what only their authors want to know.
    root.setLevel(max(numeric, logging.WARNING))
