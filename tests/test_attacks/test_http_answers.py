"""Registries that are hostile one layer below: codings, framing, media types, attachments, statuses, faults."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.test_attacks.attack import MARK
from tests.test_attacks.costs import MAX_MEGABYTES, MAX_SECONDS
from tests.test_attacks.forger import VICTIMS, Forger, answered
from tests.test_attacks.gateway_costs import Worker
from tests.test_attacks.test_answers import QUESTIONS
from tests.test_attacks.traps import FILE, LISTENER, touched
from tests.test_gateway.live import Caller, Live

Forge = Callable[[bytes], bytes]
OK = b"HTTP/1.1 200 OK\r\n"
UNREADABLE, REJECTED = (502, "upstream-unreadable"), (502, "upstream-signature-rejected")
REFUSED, AWAY = (502, "upstream-refused"), (503, "upstream-unavailable")
BOMB = gzip.compress(b" " * 50_000_000)


def sent(head: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    """An answer with these fields and the length of its body."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: text/xml\r\n" + head + length + b"\r\n" + body


def chunked(body: bytes, codings: bytes = b"Transfer-Encoding: chunked\r\n") -> bytes:
    """An answer in one chunk."""
    return OK + codings + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def parts(body: bytes, count: int, *, type_: bytes = b"text/xml") -> bytes:
    """A multipart answer whose first part is the message."""
    one = b'--x\r\nContent-Type: application/xop+xml; type="%b"\r\nContent-ID: <root>\r\n\r\n%b\r\n' % (type_, body)
    more = b"".join(b"--x\r\nContent-ID: <p%d>\r\n\r\nFORGED7D1F\r\n" % at for at in range(count - 1))
    whole = one + more + b"--x--\r\n"
    head = b'Content-Type: multipart/related; boundary=x; type="application/xop+xml"; start="<root>"\r\n'
    return OK + head + b"Content-Length: %d\r\n\r\n" % len(whole) + whole


CODINGS: dict[str, tuple[Forge, tuple[int, str]]] = {
    "gzip": (lambda body: sent(b"Content-Encoding: gzip\r\n", gzip.compress(body)), UNREADABLE),
    "gzip by its old name": (lambda body: sent(b"Content-Encoding: x-gzip\r\n", gzip.compress(body)), UNREADABLE),
    "deflate": (lambda body: sent(b"Content-Encoding: deflate\r\n", zlib.compress(body)), UNREADABLE),
    "brotli": (lambda body: sent(b"Content-Encoding: br\r\n", body), UNREADABLE),
    "zstd": (lambda body: sent(b"Content-Encoding: zstd\r\n", body), UNREADABLE),
    "unknown": (lambda body: sent(b"Content-Encoding: rot13\r\n", body), UNREADABLE),
    "gzip twice": (
        lambda body: sent(b"Content-Encoding: gzip, gzip\r\n", gzip.compress(gzip.compress(body))),
        UNREADABLE,
    ),
    "gzip in two fields": (
        lambda body: sent(b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", gzip.compress(body)),
        UNREADABLE,
    ),
    "identity and gzip": (lambda body: sent(b"Content-Encoding: identity, gzip\r\n", gzip.compress(body)), UNREADABLE),
    "gzip without saying so": (lambda body: sent(b"", gzip.compress(body)), REJECTED),
    "bomb": (lambda _: sent(b"Content-Encoding: gzip\r\n", BOMB), UNREADABLE),
    "bomb of a bomb": (lambda _: sent(b"Content-Encoding: gzip, gzip\r\n", gzip.compress(BOMB)), UNREADABLE),
    "bomb without saying so": (lambda _: sent(b"", BOMB), REJECTED),
    "gzip of the transfer": (
        lambda body: chunked(gzip.compress(body), b"Transfer-Encoding: gzip, chunked\r\n"),
        UNREADABLE,
    ),
    "gzip of the transfer in two fields": (
        lambda body: chunked(gzip.compress(body), b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
        UNREADABLE,
    ),
    "chunked twice": (lambda body: chunked(body, b"Transfer-Encoding: chunked, chunked\r\n"), UNREADABLE),
}
FRAMES: dict[str, tuple[Forge, tuple[int, str]]] = {
    "length and chunks": (
        lambda body: chunked(body, b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(body)),
        UNREADABLE,
    ),
    "chunks and length": (
        lambda body: chunked(body, b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
        UNREADABLE,
    ),
    "two lengths": (lambda body: sent(b"Content-Length: 10\r\n", body), UNREADABLE),
    "the same length twice": (lambda body: sent(b"Content-Length: %d\r\n" % len(body), body), UNREADABLE),
    "a length with a sign": (
        lambda body: OK + b"Content-Length: +%d\r\n\r\n" % len(body) + body,
        UNREADABLE,
    ),
    "a length of ten gigabytes": (lambda body: OK + b"Content-Length: 10000000000\r\n\r\n" + body, UNREADABLE),
    "a length that is too short": (lambda body: OK + b"Content-Length: 100\r\n\r\n" + body, REJECTED),
    "a chunk longer than it says": (
        lambda body: OK + b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + body + b"\r\n0\r\n\r\n",
        UNREADABLE,
    ),
    "a hundred fields": (lambda body: sent(b"A: b\r\n" * 100, body), UNREADABLE),
    "a field of 100 KB": (lambda body: sent(b"A: " + b"b" * 100_000 + b"\r\n", body), UNREADABLE),
    "no HTTP at all": (lambda body: body, UNREADABLE),
    "an answer of version 0.9": (lambda body: b"HTTP/0.9 200 OK\r\n\r\n" + body, UNREADABLE),
    "another protocol": (
        lambda body: b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n" + body,
        UNREADABLE,
    ),
}
XOP = b'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="%b"/>'
MEDIA: dict[str, tuple[Forge, tuple[int, str]]] = {
    "one part": (lambda body: parts(body, 1), UNREADABLE),
    "two parts": (lambda body: parts(body, 2), UNREADABLE),
    "10,000 parts": (lambda body: parts(body, 10_000), UNREADABLE),
    "a page": (lambda _: answered(b"<html><body>FORGED7D1F</body></html>", b"text/html"), REJECTED),
    "JSON": (lambda _: answered(b'{"data": "FORGED7D1F"}', b"application/json"), REJECTED),
    "nothing": (lambda _: answered(b""), REJECTED),
}
STATUSES: dict[str, tuple[Forge, tuple[int, str]]] = {
    "moved": (lambda body: sent(b"Location: " + LISTENER + b"x\r\n", body, b"302 Found"), UNREADABLE),
    "moved for good": (lambda body: sent(b"Location: " + FILE + b"\r\n", body, b"308 Gone"), UNREADABLE),
    "not modified": (lambda _: b"HTTP/1.1 304 Not Modified\r\n\r\n", UNREADABLE),
    "unauthorised": (lambda body: sent(b"", body, b"403 Forbidden"), REFUSED),
    "not found": (lambda body: sent(b"", body, b"404 Not Found"), REFUSED),
    "an error": (lambda body: sent(b"", body, b"500 Error"), AWAY),
    "nothing inside": (lambda _: b"HTTP/1.1 204 No Content\r\n\r\n", REJECTED),
}
ALL = {**CODINGS, **FRAMES, **MEDIA, **STATUSES}


@pytest.fixture
async def worker(deceived: Live, caller: Caller, forger: Forger) -> Worker:
    forger.forge = None
    await caller.healed(list(VICTIMS))
    (pid,) = deceived.workers()
    return Worker(pid)


async def asked(caller: Caller, forger: Forger, database: str, forge: Forge) -> Any:
    forger.forge = lambda _, answer: forge(answer)
    return await caller.ask(QUESTIONS[database])


@pytest.mark.parametrize("database", VICTIMS)
@pytest.mark.parametrize("name", ALL)
async def test_a_hostile_answer_is_an_error(
    caller: Caller, forger: Forger, worker: Worker, database: str, name: str
) -> None:
    forge, expected = ALL[name]
    worker.mark()
    reply = await asked(caller, forger, database, forge)
    seconds, megabytes = worker.spent()
    problem = reply.problem
    assert {"exchange", "receipt"} <= problem.keys()
    assert "data" not in problem
    assert MARK not in reply.body
    # What is unsigned altogether is not covered by any signature.
    assert (reply.status, problem["code"]) == expected, problem
    if expected == REJECTED:
        assert problem["reason"] in ("malformed", "not-covered")
    # Asked again as often as an ill source is.
    assert seconds < 3 * MAX_SECONDS
    assert megabytes < MAX_MEGABYTES
    assert touched() == []


@pytest.mark.parametrize("database", VICTIMS)
async def test_what_follows_an_answer_is_never_read_as_the_next(
    caller: Caller, forger: Forger, worker: Worker, database: str
) -> None:
    forged = answered(b"<x>FORGED7D1F</x>")
    for forge in (lambda body: answered(body) + forged, lambda body: chunked(body) + forged):
        for _ in range(3):
            reply = await asked(caller, forger, database, forge)
            assert (reply.status, reply.json["data"]) == (200, caller.samples[QUESTIONS[database]]["data"])


@pytest.mark.parametrize("database", VICTIMS)
@pytest.mark.parametrize(
    "media",
    [b"text/html", b"application/json", b"multipart/related; boundary=x", b"text/xml; charset=utf-16", b"image/png"],
)
async def test_a_media_type_never_changes_how_signed_bytes_are_read(
    caller: Caller, forger: Forger, worker: Worker, database: str, media: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + media + b"\r\nContent-Length: %d\r\n\r\n"
    reply = await asked(caller, forger, database, lambda body: head % len(body) + body)
    assert (reply.status, reply.json["data"]) == (200, caller.samples[QUESTIONS[database]]["data"])


@pytest.mark.parametrize("database", VICTIMS)
# Names of their own: where the traps lie differs between the processes that share the tests.
@pytest.mark.parametrize(
    "target",
    [FILE, b"cid:p1", LISTENER + b"x", b"file:///etc/passwd"],
    ids=["watched-file", "part", "listener", "system-file"],
)
async def test_an_inclusion_is_an_element_like_others(
    caller: Caller, forger: Forger, worker: Worker, database: str, target: bytes
) -> None:
    def forge(body: bytes) -> bytes:
        return answered(forger.taken_apart(database, body).saying(XOP % target), b"application/xop+xml")

    reply = await asked(caller, forger, database, forge)
    assert (reply.status, reply.problem["code"], reply.problem["reason"]) == (*REJECTED, "altered")
    assert b"root:" not in reply.body
    assert touched() == []


FAULTS = {
    "population": b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>%b'
    b"</faultcode><faultstring>%b</faultstring><detail><MaLoi>%b</MaLoi></detail></e:Fault></e:Body></e:Envelope>",
    "tax": b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault><e:Code><e:Value>%b'
    b"</e:Value></e:Code><e:Reason><e:Text>%b</e:Text></e:Reason><e:Detail><MaLoi>%b</MaLoi></e:Detail></e:Fault>"
    b"</e:Body></e:Envelope>",
}
PERSON = b"001090123456"


@pytest.mark.parametrize("database", FAULTS)
@pytest.mark.parametrize(
    "code",
    [MARK, PERSON, b"01", b"00", b"", MARK * 10_000, b"&lt;script&gt;"],
    ids=["mark", "person", "01", "00", "none", "long", "script"],
)
@pytest.mark.parametrize(
    "side",
    [b"Client", b"x:Server.Busy", MARK, PERSON, MARK * 10_000, b"x:y z." + MARK],
    ids=["client", "server", "mark", "person", "long", "spaced"],
)
async def test_a_fault_that_nobody_signed_says_nothing_of_its_own(
    caller: Caller, forger: Forger, worker: Worker, database: str, code: bytes, side: bytes
) -> None:
    fault = FAULTS[database] % (side, MARK + PERSON, code)
    forger.forge = lambda _, __: sent(b"", fault, b"500 X") if len(code) % 2 else answered(fault)
    reply = await caller.ask(QUESTIONS[database])
    # Whether there is such a record is not for an unsigned fault to say.
    assert (reply.status, reply.problem["code"]) in (REFUSED, AWAY)
    assert MARK not in reply.body
    assert PERSON not in reply.body
    assert len(reply.body) < 4_000
