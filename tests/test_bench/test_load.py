"""The callers of the bench count what they were answered, and nothing as answered that was not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest

from bench.jobs import Job, Outcome
from bench.load import Caller, Run

_GOOD = b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"mark": "ok"}'.replace(b"13", b"14")
_ASKED = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    connections: list[asyncio.Task[Any]] = []

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.append(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handled, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*connections)


async def outcome_of(serve: Serve, *, rate: float | None = None, connections: int = 3, seconds: float = 1.0) -> Outcome:
    async with listening(serve) as port:
        job = Job(port, _ASKED, b'"ok"', connections, seconds, 0.05, rate)
        return await Run(job).whole()


def always(answer: bytes, *, hang_up: bool = False) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readexactly(len(_ASKED)) == _ASKED:
            # In two pieces, as networks do.
            writer.write(answer[:30])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(answer[30:])
            if hang_up:
                break

    return serve


@pytest.mark.parametrize("rate", [None, 200.0])
async def test_good_answers_are_counted_with_their_times(rate: float | None) -> None:
    outcome = await outcome_of(always(_GOOD), rate=rate)
    assert outcome.failed == 0
    assert outcome.answered == len(outcome.latencies) > 0
    assert outcome.body == b'{"mark": "ok"}'
    assert outcome.wall >= 1.0


async def test_an_open_loop_asks_as_often_as_it_should_whatever_the_server_does() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readexactly(len(_ASKED)):
            await asyncio.sleep(0.02)
            writer.write(_GOOD)

    # One connection that takes 20 ms for an answer: 50 a second, asked for 200.
    outcome = await outcome_of(serve, rate=200.0, connections=1, seconds=0.2)
    assert outcome.failed == 0
    assert 39 <= outcome.answered <= 41
    # Those at the end waited for all before them: forty take 0.8 s, and the last was due after 0.2 s.
    assert max(outcome.latencies) > 0.5


@pytest.mark.parametrize(
    "answer",
    [
        _GOOD.replace(b"200 OK", b"503 No"),
        _GOOD.replace(b'"ok"', b'"ko"'),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_good_answer_is_a_failure(answer: bytes) -> None:
    outcome = await outcome_of(always(answer))
    assert outcome.answered == 0
    assert outcome.failed > 0
    assert outcome.failure


async def test_a_server_that_hangs_up_after_each_answer_is_asked_again() -> None:
    answer = _GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    outcome = await outcome_of(always(answer, hang_up=True))
    assert outcome.failed == 0
    assert outcome.answered > 3


async def test_a_connection_that_breaks_before_the_answer_is_a_failure() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    outcome = await outcome_of(serve)
    assert outcome.answered == 0
    assert outcome.failed > 0
    assert "broke" in outcome.failure


async def test_nobody_there_is_a_failure() -> None:
    # Kept, so that nobody else begins to listen there.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        outcome = await Run(Job(held.getsockname()[1], _ASKED, b"ok", 1, 0.05, 0.05)).whole()
    assert outcome.failed > 0
    assert "no connection" in outcome.failure


def test_a_job_survives_its_line() -> None:
    job = Job(80, b"\x00\xff", b"\r\n", 3, 1.5, 0.1, 7.5, (1, 2), (0,))
    assert Job.read(job.line()) == job


def test_what_is_shown_has_quantiles_in_milliseconds() -> None:
    shown = Outcome(answered=100, latencies=[place / 1000 for place in range(100)]).shown()
    assert (shown["p50"], shown["p95"], shown["p99"]) == pytest.approx((50, 95, 99))
    assert Outcome().shown()["p99"] == 0


async def test_nobody_is_asked_once_it_is_over() -> None:
    """The timer of the next arrival may strike between the end of a run and the closing of its connections."""
    asked: list[float] = []

    class Idle:
        def ask(self, since: float) -> None:
            asked.append(since)

    run = Run(Job(1, _ASKED, b"ok", 1, 1.0, 0.0, 10.0))
    due = time.monotonic()
    for over in (False, True):
        run._idle = [cast("Caller", Idle())]
        run._over = over
        run._arrive(due, 1000.0)
    assert asked == [due]
