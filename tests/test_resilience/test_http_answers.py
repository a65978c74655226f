"""What our HTTP client makes of answers, byte for byte: what they mean, and whether the connection is used again."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.http_connection import MAX_HEADERS, MAX_LINE
from adapters.transport import Reply, maybe_applied
from config.settings import Timeout
from schemas.errors import GatewayError, UpstreamUnavailable, UpstreamUnreadable
from tests.test_resilience.doubles import ASK, LIMITS, in_seconds, on_both_loops, request
from tests.test_resilience.http_wire import CHUNKED, OK, PLAIN, Wire, met

REFUSED = {
    "folded": OK + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "line-feed-in-head": OK + b"A: b\nContent-Length: 2\r\n\r\nok",
    "line-feeds-only": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "carriage-return-in-field": OK + b"A: b\rc\r\nContent-Length: 2\r\n\r\nok",
    "control-in-field": OK + b"A: b\x01c\r\nContent-Length: 2\r\n\r\nok",
    "null-in-field": OK + b"A: b\x00c\r\nContent-Length: 2\r\n\r\nok",
    "space-before-colon": OK + b"Content-Length : 2\r\n\r\nok",
    "space-before-name": OK + b" Content-Length: 2\r\n\r\nok",
    "no-name": OK + b": 2\r\n\r\nok",
    "no-colon": OK + b"Content-Length 2\r\n\r\nok",
    "same-length-twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "two-lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "list-of-lengths": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "signed-length": OK + b"Content-Length: +2\r\n\r\nok",
    "hexadecimal-length": OK + b"Content-Length: 0x2\r\n\r\nok",
    "empty-length": OK + b"Content-Length:\r\n\r\nok",
    "absurd-length": OK + b"Content-Length: 99999999999999999999999999\r\n\r\nok",
    "length-and-chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks-and-length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "coding-nobody-knows": OK + b"Transfer-Encoding: gzip\r\n\r\nok",
    "chunked-not-last": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "coding-before-chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked-twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked-and-tab": OK + b"Transfer-Encoding: chunked \t\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "nearly-chunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunk-with-line-feed": CHUNKED + b"2\nok\r\n0\r\n\r\n",
    "chunk-with-space": CHUNKED + b"2 \r\nok\r\n0\r\n\r\n",
    "chunk-with-sign": CHUNKED + b"+2\r\nok\r\n0\r\n\r\n",
    "chunk-with-prefix": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "chunk-longer-than-said": CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
    "chunk-of-any-size": CHUNKED + b"fffffffffffffffffff\r\nok\r\n0\r\n\r\n",
    "chunk-without-size": CHUNKED + b"\r\nok\r\n0\r\n\r\n",
    "length-in-trailer": CHUNKED + b"2\r\nok\r\n0\r\nContent-Length: 5\r\n\r\n",
    "status-of-nothing": b"HTTP/1.1 000 No\r\nContent-Length: 2\r\n\r\nok",
    "switching-protocols": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + PLAIN,
    "switching-without-saying": b"HTTP/1.1 101 Go\r\n\r\n" + PLAIN,
    "version-two": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "version-nine": b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "version-unknown": b"HTTP/1.7 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "version-missing": b"200 OK\r\nContent-Length: 2\r\n\r\nok",
    "line-end-before": b"\r\n" + PLAIN,
    "other-protocol": b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "short-status": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "long-status": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "status-no-number": b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nok",
    "long-reason": b"HTTP/1.1 200 " + b"O" * (MAX_LINE + 1) + b"\r\nContent-Length: 2\r\n\r\nok",
    "long-field": OK + b"A: " + b"b" * MAX_LINE + b"\r\nContent-Length: 2\r\n\r\nok",
    "long-name": OK + b"a" * MAX_LINE + b": b\r\nContent-Length: 2\r\n\r\nok",
    "many-fields": OK + b"A: b\r\n" * MAX_HEADERS + b"Content-Length: 2\r\n\r\nok",
    "flood-of-fields": OK + b"A: b\r\n" * 20_000 + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "long-interim-field": b"HTTP/1.1 103 Hints\r\nA: " + b"b" * MAX_LINE + b"\r\n\r\n" + PLAIN,
    "long-field-in-a-long-head": OK + b"C: d\r\nA: " + b"b" * MAX_LINE + b"\r\nContent-Length: 2\r\n\r\nok",
    "many-interim-fields": b"HTTP/1.1 103 Hints\r\n" + b"A: b\r\n" * MAX_HEADERS + b"\r\n" + PLAIN,
    "many-trailers": CHUNKED + b"2\r\nok\r\n0\r\n" + b"A: b\r\n" * MAX_HEADERS + b"\r\n",
    "long-trailer": CHUNKED + b"2\r\nok\r\n0\r\nA: " + b"b" * MAX_LINE + b"\r\n\r\n",
    "compressed-second-time": OK
    + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
}


@on_both_loops
@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
async def test_refused_and_never_used_again(answer: bytes) -> None:
    wire = Wire(answer)
    async with wire.met() as link:
        for _ in range(2):
            with pytest.raises(UpstreamUnreadable) as caught:
                await link.send(ASK, deadline=in_seconds(10))
            assert maybe_applied(caught.value)
    assert wire.connections == 2


@on_both_loops
async def test_refused_in_pieces_as_well() -> None:
    for answer in REFUSED.values():
        cut = len(answer) // 2
        wire = Wire(answer[:cut], answer[cut:])
        async with wire.met() as link:
            with pytest.raises(UpstreamUnreadable):
                await link.send(ASK, deadline=in_seconds(10))


# An answer, its body, and whether the connection may serve another question.
TAKEN = {
    "length": (PLAIN, b"ok", True),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    "no-reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    "chunks": (CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok", True),
    "chunk-extension": (CHUNKED + b"2;a=b\r\nok\r\n0\r\n\r\n", b"ok", True),
    "trailer": (CHUNKED + b"2\r\nok\r\n0\r\nX-Kind: trailer\r\n\r\n", b"ok", True),
    "coding-in-capitals": (OK + b"Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok", True),
    "identity": (OK + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    "no-content": (b"HTTP/1.1 204 No\r\n\r\n", b"", True),
    "not-modified": (b"HTTP/1.1 304 No\r\n\r\n", b"", True),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + PLAIN, b"ok", True),
    "as-many-fields-as-allowed": (OK + b"A: b\r\n" * (MAX_HEADERS - 1) + b"Content-Length: 2\r\n\r\nok", b"ok", True),
    "many-long-fields": (OK + (b"A: " + b"b" * 8000 + b"\r\n") * 9 + b"Content-Length: 2\r\n\r\nok", b"ok", True),
    "close": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "old-but-lasting": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    "no-content-with-body": (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", b"", False),
    "one-byte-more": (PLAIN + b"x", b"ok", False),
    "another-answer": (PLAIN + PLAIN, b"ok", False),
    "half-an-answer-more": (PLAIN + b"HTTP/1.1 500", b"ok", False),
    "after-the-last-chunk": (CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + PLAIN, b"ok", False),
    "after-close": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", b"ok", False),
}


@on_both_loops
@pytest.mark.parametrize(("answer", "body", "lasting"), TAKEN.values(), ids=TAKEN.keys())
async def test_taken(answer: bytes, body: bytes, lasting: bool) -> None:
    wire = Wire(answer)
    async with wire.met() as link:
        for _ in range(2):
            reply = await link.send(ASK, deadline=in_seconds(10))
            assert reply.body == body
            assert "x-kind" not in reply.headers
    assert wire.connections == (1 if lasting else 2)


@on_both_loops
async def test_until_the_end_of_the_connection() -> None:
    for head in (OK, b"HTTP/1.0 200 OK\r\n", OK + b"Connection: keep-alive\r\n"):
        wire = Wire(head + b"\r\n", b"o", b"k", ends=True)
        async with wire.met() as link:
            assert (await link.send(ASK, deadline=in_seconds(10))).body == b"ok"


@on_both_loops
@pytest.mark.parametrize(
    "part",
    [b"", b"HTTP/1.1", OK, PLAIN[:-1], CHUNKED + b"2\r\nok\r\n", CHUNKED + b"2\r\nok\r\n0\r\n"],
    ids=["nothing", "status", "head", "body", "chunks", "last-chunk"],
)
async def test_ends_too_early(part: bytes) -> None:
    wire = Wire(part, ends=True)
    async with wire.met() as link:
        with pytest.raises(UpstreamUnavailable) as caught:
            await link.send(ASK, deadline=in_seconds(10))
        assert maybe_applied(caught.value)


@on_both_loops
async def test_fields_by_name_in_any_case() -> None:
    answer = OK + "X-Kind: đỏ\r\nx-kind: b\r\nRetry-After:  7 \r\nContent-Length: 2\r\n\r\nok".encode()
    async with Wire(answer).met() as link:
        headers = (await link.send(ASK, deadline=in_seconds(10))).headers
    assert (headers["x-KIND"], headers.get("retry-after"), headers.get("Đ")) == ("đỏ, b", "7", None)
    assert set(headers) == {"x-kind", "retry-after", "content-length"}
    assert len(headers) == 3


ANSWERS = [
    *(answer for answer, _, lasting in TAKEN.values() if lasting),
    OK + b"X-Kind: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"a\r\n0123456789\r\n" * 20 + b"0\r\nA: b\r\n\r\n",
    OK + b"X-Kind: a\r\nContent-Length: 3000\r\n\r\n" + b"x\r\n" * 1000,
]


@settings(max_examples=60, deadline=None)
@example(answer=ANSWERS[-2], cuts=list(range(600)))
@given(answer=st.sampled_from(ANSWERS), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_segments_do_not_matter(answer: bytes, cuts: list[int]) -> None:
    places = sorted({cut for cut in cuts if cut < len(answer)})
    pieces = [answer[a:b] for a, b in zip([0, *places], [*places, len(answer)], strict=True)]

    async def received(*parts: bytes) -> tuple[int, dict[str, str], bytes, int]:
        wire = Wire(*parts)
        async with wire.met() as link:
            replies = [await link.send(ASK, deadline=in_seconds(10)) for _ in range(2)]
        assert shown(replies[0]) == shown(replies[1])
        return *shown(replies[0]), wire.connections

    assert asyncio.run(received(*pieces)) == asyncio.run(received(answer))


def shown(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    return reply.status, dict(reply.headers), reply.body


@settings(max_examples=150, deadline=None)
@given(
    answer=st.sampled_from([*ANSWERS, *REFUSED.values()]),
    place=st.integers(0, 500),
    spoil=st.binary(min_size=1, max_size=3),
)
def test_spoilt_bytes_are_an_answer_or_an_error_of_the_tree(answer: bytes, place: int, spoil: bytes) -> None:
    place %= len(answer)
    spoilt = answer[:place] + spoil + answer[place + len(spoil) :]

    async def ask() -> None:
        async with Wire(spoilt, ends=True).met() as link:
            with suppress(GatewayError):
                reply = await link.send(ASK, deadline=in_seconds(10))
                assert 200 <= reply.status <= 999

    asyncio.run(ask())


@on_both_loops
@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n"),
        (b"HTTP/1.1 200 ", b"OK" * 50),
        (OK + b"A", b"a" * 100),
        (OK + b"A: ", b"b" * 100),
        (OK, b"A: b\r\n"),
        (CHUNKED + b"1;", b"a" * 100),
        (CHUNKED + b"2\r\nok\r\n0\r\n", b"A: b\r\n"),
        (CHUNKED + b"2\r\nok\r\n0\r\nA:", b"b" * 100),
    ],
    ids=["interim", "interim-fields", "reason", "name", "field", "fields", "chunk-extension", "trailers", "trailer"],
)
async def test_what_does_not_end_is_not_gathered(start: bytes, endless: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(start)
        while not writer.is_closing():
            writer.write(endless)
            await writer.drain()
            await asyncio.sleep(0)

    async with met(serve, timeout=Timeout(connect=LIMITS.connect, read=60, total=60)) as link:
        with pytest.raises(UpstreamUnreadable):
            await link.send(ASK, deadline=in_seconds(60))
