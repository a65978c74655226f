"""What `Transport` makes of sources that are slow, broken, greedy or gone, over real sockets."""

import asyncio
import gzip
import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.transport import (
    Impatient,
    Message,
    Undelivered,
    Unsent,
    maybe_applied,
    refusal,
)
from config.settings import Timeout
from schemas.errors import (
    GatewayError,
    Overloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from tests.test_resilience.doubles import (
    ASK,
    Script,
    answering,
    hanging,
    in_seconds,
    request,
    scripted,
    transport,
)


async def failure(script: Script, *, message: Message = ASK, deadline: float = 30, **settings: object) -> GatewayError:
    async with scripted(script) as url, transport(url, **settings) as link:
        with pytest.raises(GatewayError) as caught:
            await link.send(message, deadline=in_seconds(deadline))
    return caught.value


async def test_sends_and_returns_bytes_as_they_are() -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(
            b"HTTP/1.1 500 No\r\nContent-Length: 4\r\nx-kind: Fault\r\n"
            b"Connection: close\r\nSet-Cookie: a=b\r\n\r\n\x00\xff\r\n"
        )

    message = Message("POST", "/a/b", {"Content-Type": "application/xml"}, b"\xef\xbb\xbf<a/>", {"msdn": "1 +&é"})
    # By name: for bare addresses nobody keeps cookies anyway.
    async with scripted(script) as url, transport(url.replace("127.0.0.1", "localhost") + "/base/") as link:
        for _ in range(2):
            reply = await link.send(message, deadline=in_seconds(10))
    assert (reply.status, reply.body, reply.headers["X-Kind"]) == (500, b"\x00\xff\r\n", "Fault")
    assert seen[0].startswith(b"POST /base/a/b?msdn=1+%2B%26%C3%A9 HTTP/1.1\r\n")
    assert seen[0].endswith(b"\r\n\r\n\xef\xbb\xbf<a/>")
    assert b"Accept-Encoding: identity\r\n" in seen[0]
    assert b"cookie" not in seen[1].lower()


async def test_reuses_the_connection() -> None:
    peers: list[object] = []

    async def handle(received: web.Request) -> web.Response:
        assert received.transport is not None
        peers.append(received.transport.get_extra_info("peername"))
        return web.Response(body=b"x")

    app = web.Application()
    app.router.add_post("/ask", handle)
    async with TestServer(app) as server, transport(str(server.make_url("/"))) as link:
        for _ in range(3):
            await link.send(ASK, deadline=in_seconds(10))
    assert len(peers) == 3
    assert len(set(peers)) == 1


async def test_ignores_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    answer = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    async with scripted(answer) as url, transport(url) as link:
        assert (await link.send(ASK, deadline=in_seconds(10))).body == b"ok"


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with transport(f"http://127.0.0.1:{port}") as link:
            with pytest.raises(Undelivered) as caught:
                await link.send(ASK, deadline=in_seconds(10))
    assert not maybe_applied(caught.value)


async def test_connection_that_never_comes_about() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        async with transport(f"http://127.0.0.1:{address[1]}", timeout=Timeout(connect=0.1)) as link:
            with pytest.raises(Undelivered):
                await link.send(ASK, deadline=in_seconds(10))
        for filler in fillers:
            filler.close()


async def test_accepts_and_drops() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)

    error = await failure(script)
    assert type(error) is UpstreamUnavailable
    assert maybe_applied(error)


async def test_drops_in_the_middle_of_the_body() -> None:
    for head in (b"Content-Length: 100", b"Transfer-Encoding: chunked"):
        error = await failure(answering(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n", b"5\r\nabcde\r\n"))
        assert type(error) is UpstreamUnavailable
        assert maybe_applied(error)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
async def test_silence_longer_than_the_read_limit(sent: bytes) -> None:
    error = await failure(hanging(sent), timeout=Timeout(read=0.1))
    assert type(error) is UpstreamTimeout
    assert maybe_applied(error)


async def test_interim_answer_does_not_extend_the_limits() -> None:
    error = await failure(hanging(b"HTTP/1.1 100 Continue\r\n\r\n"), timeout=Timeout(read=0.1, total=0.2))
    assert type(error) is UpstreamTimeout


async def test_trickle_is_ended_by_the_total_limit() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    error = await failure(script, timeout=Timeout(read=5, total=0.2))
    assert type(error) is UpstreamTimeout
    assert maybe_applied(error)


async def test_callers_deadline_is_told_from_the_endpoints() -> None:
    # Long enough to be connected by then: before that it would be Unsent.
    error = await failure(hanging(), deadline=2)
    assert type(error) is Impatient
    assert maybe_applied(error)


@pytest.mark.parametrize(
    "parts",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"64\r\n" + b"x" * 100 + b"\r\n"] * 50),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1001 + b"0\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 1001),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 1001,),
    ],
    ids=["announced", "absurd", "chunks", "chunks-in-one-go", "until-close", "until-close-in-one-go"],
)
async def test_answers_larger_than_the_cap(parts: tuple[bytes, ...]) -> None:
    error = await failure(answering(*parts), max_answer=1000)
    assert type(error) is UpstreamUnreadable
    assert "larger than 1000 bytes" in str(error)


async def test_answer_as_large_as_the_cap() -> None:
    script = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    async with scripted(script) as url, transport(url, max_answer=1000) as link:
        assert len((await link.send(ASK, deadline=in_seconds(10))).body) == 1000


async def test_endless_chunks_are_not_gathered() -> None:
    written = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            written += 65536

    error = await failure(script, max_answer=100_000)
    assert type(error) is UpstreamUnreadable
    assert written < 50_000_000


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"GZIP"])
async def test_compression_that_nobody_asked_for(coding: bytes) -> None:
    bomb = gzip.compress(b"\x00" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(bomb))
    error = await failure(answering(head + bomb))
    assert type(error) is UpstreamUnreadable
    assert "compressed" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(500)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
    ],
    ids=["not-http", "long-header", "many-headers", "two-lengths", "negative", "binary"],
)
async def test_heads_that_are_not_http(answer: bytes) -> None:
    assert type(await failure(answering(answer))) is UpstreamUnreadable


async def test_broken_chunk_is_an_error_of_the_source() -> None:
    error = await failure(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"))
    assert isinstance(error, (UpstreamUnreadable, UpstreamUnavailable))


async def test_redirects_are_not_followed() -> None:
    asked: list[str] = []

    async def handle(received: web.Request) -> web.Response:
        asked.append(received.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server, transport(str(server.make_url("/"))) as link:
        reply = await link.send(ASK, deadline=in_seconds(10))
    assert asked == ["/ask"]
    assert isinstance(refusal("source", reply), UpstreamUnreadable)


async def test_bulkhead_bounds_what_works_and_what_waits() -> None:
    inside = peak = 0
    gate = asyncio.Event()
    full = asyncio.Event()

    async def handle(_: web.Request) -> web.Response:
        nonlocal inside, peak
        inside += 1
        peak = max(peak, inside)
        if inside == 2:
            full.set()
        await gate.wait()
        inside -= 1
        return web.Response(body=b"x")

    app = web.Application()
    app.router.add_post("/ask", handle)
    async with TestServer(app) as server, transport(str(server.make_url("/")), concurrency=2) as link:
        calls = [asyncio.create_task(link.send(ASK, deadline=in_seconds(20))) for _ in range(4)]
        await full.wait()
        with pytest.raises(Overloaded) as refused:
            await link.send(ASK, deadline=in_seconds(20))
        assert refused.value.retry_after
        assert not maybe_applied(refused.value)
        calls[3].cancel()
        await asyncio.wait([calls[3]])
        with pytest.raises(Unsent) as late:
            await link.send(ASK, deadline=in_seconds(0.05))
        assert not maybe_applied(late.value)
        gate.set()
        replies = await asyncio.gather(*calls[:3])
        assert [reply.body for reply in replies] == [b"x"] * 3
        assert (await link.send(ASK, deadline=in_seconds(20))).status == 200
    assert peak == 2


async def test_failures_give_their_slot_back() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)

    async with scripted(script) as url, transport(url, concurrency=1) as link:
        for _ in range(3):
            with pytest.raises(UpstreamUnavailable):
                await link.send(ASK, deadline=in_seconds(10))
