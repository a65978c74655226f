"""Which connection carries which question: none is used again that could bring somebody else's answer."""

import asyncio
from contextlib import suppress

import pytest

from adapters.transport import Impatient, Message, Transport, maybe_applied
from schemas.errors import UpstreamTimeout, UpstreamUnavailable
from tests.test_resilience.doubles import ASK, in_seconds, on_both_loops, request
from tests.test_resilience.http_wire import OK, PLAIN, Wire, met


@on_both_loops
async def test_unasked_bytes_end_a_kept_connection() -> None:
    """An answer in advance is the answer to nobody's question."""
    told, gone = asyncio.Event(), asyncio.Event()
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        first = opened == 1
        await request(reader)
        writer.write(PLAIN)
        if first:
            await writer.drain()
            await told.wait()
            writer.write(OK + b"Content-Length: 5\r\n\r\nfalse")
            with suppress(ConnectionError):
                await reader.read()
            gone.set()

    async with met(serve) as link:
        assert (await link.send(ASK, deadline=in_seconds(10))).body == b"ok"
        told.set()
        await gone.wait()
        assert (await link.send(ASK, deadline=in_seconds(10))).body == b"ok"
    assert opened == 2


@on_both_loops
async def test_answers_never_cross() -> None:
    """Sixteen callers at once, some of whom go away in the middle: each of the others gets its own answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = (await request(reader)).rpartition(b"\r\n\r\n")[2]
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % (2 * len(asked)) + asked)
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(asked)
            await writer.drain()

    async def caller(link: Transport, number: int) -> int:
        good = 0
        for turn in range(30):
            mine = f"{number}.{turn}.".encode() * (number + 1)
            call = asyncio.create_task(link.send(Message("POST", "/", {}, mine), deadline=in_seconds(30)))
            if (number + turn) % 5 == 0:
                for _ in range(turn % 7):
                    await asyncio.sleep(0)
                call.cancel()
            with suppress(asyncio.CancelledError):
                assert (await call).body == mine * 2
                good += 1
        return good

    async with met(serve, concurrency=8) as link:
        goods = await asyncio.gather(*(caller(link, number) for number in range(16)))
    assert sum(goods) >= 16 * 24


@on_both_loops
async def test_a_caller_that_goes_away_takes_the_connection_with_it() -> None:
    half, gone = asyncio.Event(), asyncio.Event()
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await request(reader)
        if opened == 1:
            writer.write(PLAIN[:-1])
            await writer.drain()
            half.set()
            await reader.read()
            gone.set()
        else:
            writer.write(PLAIN)
            await writer.drain()

    patient = {"connect": 20, "read": 60, "total": 60}
    async with met(serve, concurrency=1, timeout=patient) as link, asyncio.timeout(60):
        call = asyncio.create_task(link.send(ASK, deadline=in_seconds(60)))
        await half.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await gone.wait()
        assert (await link.send(ASK, deadline=in_seconds(10))).body == b"ok"
    assert opened == 2


@on_both_loops
async def test_an_answer_before_the_question_was_read_ends_the_connection() -> None:
    opened = 0
    enough = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(PLAIN)
        await writer.drain()
        await enough.wait()

    async with met(serve) as link:
        long = Message("POST", "/ask", {}, b"x" * 30_000_000)
        for _ in range(2):
            assert (await link.send(long, deadline=in_seconds(10))).body == b"ok"
        enough.set()
    assert opened == 2


@on_both_loops
@pytest.mark.parametrize(("method", "again"), [("GET", True), ("POST", False)])
async def test_kept_connection_that_the_source_closes_while_we_take_it(method: str, again: bool) -> None:
    """Only what has no effect is asked again; what has may have been acted upon."""
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await request(reader)
        writer.write(PLAIN)
        await writer.drain()
        # The next question on this connection is read, and never answered.
        await request(reader)

    async with met(serve) as link:
        question = Message(method, "/ask")
        await link.send(question, deadline=in_seconds(10))
        if again:
            assert (await link.send(question, deadline=in_seconds(10))).body == b"ok"
        else:
            with pytest.raises(UpstreamUnavailable) as caught:
                await link.send(question, deadline=in_seconds(10))
            assert maybe_applied(caught.value)
    assert opened == (2 if again else 1)


@on_both_loops
@pytest.mark.parametrize(("deadline", "read", "kind"), [(0.05, 60, Impatient), (30, 1.0, UpstreamTimeout)])
async def test_limits_of_a_question_on_a_kept_connection(deadline: float, read: float, kind: type[Exception]) -> None:
    """The connection's timer stands at the limits of an earlier question, sooner or later than those of this one."""
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        for _ in range(3):
            await request(reader)
            writer.write(PLAIN)
            await writer.drain()
        await reader.read()

    limits = {"connect": 20, "read": read, "total": 60}
    async with met(serve, timeout=limits) as link, asyncio.timeout(60):
        for patience in (30, 10, 30):
            await link.send(ASK, deadline=in_seconds(patience))
        with pytest.raises(UpstreamTimeout) as caught:
            await link.send(ASK, deadline=in_seconds(deadline))
        assert type(caught.value) is kind
    assert opened == 1


@on_both_loops
async def test_kept_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_connections.KEEP_ALIVE", 0.05)
    wire = Wire(PLAIN)
    async with wire.met() as link:
        await link.send(ASK, deadline=in_seconds(10))
        # Ended by ourselves, without another question.
        await wire.left.wait()
        await link.send(ASK, deadline=in_seconds(10))
    assert wire.connections == 2


@on_both_loops
async def test_closed_transport_opens_anew() -> None:
    wire = Wire(PLAIN)
    async with wire.met() as link:
        for _ in range(2):
            assert (await link.send(ASK, deadline=in_seconds(10))).body == b"ok"
            await link.close()
    assert wire.connections == 2


@on_both_loops
async def test_reload_ends_the_use_of_every_open_connection() -> None:
    """One at rest and one at work: neither carries a question after its papers were renewed."""
    asked, answer = asyncio.Event(), asyncio.Event()
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while True:
            if b"slow" in await request(reader):
                asked.set()
                await answer.wait()
            writer.write(PLAIN)
            await writer.drain()

    async with met(serve) as link:
        working = asyncio.create_task(link.send(Message("POST", "/slow"), deadline=in_seconds(10)))
        await asked.wait()
        await link.send(ASK, deadline=in_seconds(10))
        assert opened == 2
        link.reload()
        answer.set()
        assert (await working).body == b"ok"
        for _ in range(2):
            await link.send(ASK, deadline=in_seconds(10))
    assert opened == 3
