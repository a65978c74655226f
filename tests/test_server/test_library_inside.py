"""What the short way of ordinary requests takes from the inside of aiohttp: fails clearly when an update changes it."""

import asyncio
import inspect
from typing import Any

import pytest
from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.http_writer import _serialize_headers
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from routes.direct import COMMON, Whole

# Looked at only where the library compresses, which a whole answer never lets it.
COMPRESSION = {"_compressed_body", "_zlib_executor", "_zlib_executor_size"}


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_whole_answer_is_a_response_of_the_library(status: int) -> None:
    headers = {"Content-Type": "application/json", "Cache-Control": "max-age=1"}
    whole = Whole(b"{}", headers, status)
    theirs = web.Response(body=b"{}", headers={"Server": "lgsp", **COMMON, **headers}, status=status)
    assert vars(whole) == {name: value for name, value in vars(theirs).items() if name not in COMPRESSION}
    assert (whole.status, whole.reason, whole.body, whole.prepared, whole.keep_alive) == (
        theirs.status,
        theirs.reason,
        b"{}",
        False,
        None,
    )
    whole.force_close()
    assert whole.keep_alive is False


def test_whole_answers_do_not_share_their_headers() -> None:
    first, second = Whole(b"", {}), Whole(b"", {})
    first.headers["RateLimit"] = "r"
    assert "RateLimit" not in second.headers


@pytest.mark.parametrize("value", ["a\nb", "a\r\nSet-Cookie: b", "a\0b"])
def test_no_header_carries_a_line_of_its_own(value: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        Whole(b"", {"X-Broken": value}).on_the_wire()
    with pytest.raises(ValueError, match="control character"):
        _serialize_headers("HTTP/1.1 200 OK", CIMultiDict({"X-Broken": value}))


def test_the_head_is_written_as_it_stands() -> None:
    head, _, body = Whole(b"{}", {"Content-Type": "text/plain"}).on_the_wire().partition(b"\r\n\r\n")
    assert body == b"{}"
    status, *lines = head.decode().split("\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert [line for line in lines if not line.startswith("Date: ")] == [
        "Server: lgsp",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "Content-Type: text/plain",
        "Content-Length: 2",
    ]


async def test_a_whole_body_lies_in_its_buffer() -> None:
    loop = asyncio.get_running_loop()
    body = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    body.feed_data(b"ab")
    body.feed_data(b"cd")
    body.feed_eof()
    assert (body.is_eof(), body.exception(), body.total_bytes) == (True, None, 4)
    assert b"".join(body._buffer) == b"abcd" == body.read_nowait()
    assert EMPTY_PAYLOAD.is_eof()


def test_a_request_keeps_what_is_written_into_it() -> None:
    key = web.RequestKey("key", str)
    request: Any = make_mocked_request("GET", "/")
    request._state[key] = "value"
    assert request[key] == "value"
    assert request._match_info is not None


async def test_a_writer_that_wrote_nothing_can_wait_for_the_next_answer() -> None:
    loop = asyncio.get_running_loop()
    writer = StreamWriter(BaseProtocol(loop), loop)
    assert {name for name, value in vars(writer).items() if value} == {"_protocol", "loop"}
    assert writer.output_size == 0


def test_the_names_that_a_connection_uses_are_there() -> None:
    names = {name for kind in web.RequestHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    assert {
        "_buffer_paused",
        "_close",
        "_current_request",
        "_force_close",
        "_handler_waiter",
        "_keepalive_handle",
        "_messages",
        "_msg_queue_resume_size",
        "_next_keepalive_close_time",
        "_parser",
        "_paused",
        "_reading_paused",
        "_request_in_progress",
        "_task_handler",
        "_waiter",
        "transport",
    } <= names
    for name in ("_process_keepalive", "_resume_reading_if_drained", "_drain_helper", "finish_response"):
        assert inspect.isroutine(getattr(web.RequestHandler, name)), name
    assert {"method", "path", "headers", "version", "should_close", "upgrade"} <= set(dir(RawRequestMessage))
