"""Hostile requests to a running gateway: refused before they are read in halves, with a problem and never an error."""

import asyncio
import gzip
import json
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from tests.test_attacks.attack import MARK
from tests.test_attacks.costs import MAX_MEGABYTES, MAX_SECONDS
from tests.test_attacks.gateway_costs import Worker
from tests.test_attacks.traps import FILE, LISTENER, touched
from tests.test_gateway.live import Caller, Live

JSON = "application/json"
PERSON = "/v1/population/person"
# The gateway closes the connection under a body that it will not read; the test's own client may then find its half of
# the socket only when it is collected.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:Exception ignored in. <{what}:pytest.PytestUnraisableExceptionWarning")
    for what in ("function _SelectorTransport.__del__", "socket.socket fd=")
]


@dataclass(frozen=True)
class Hostile:
    """A request and how it ends: `codes` are statuses with the code of their problem."""

    body: bytes
    codes: dict[int, str]
    fields: list[str] = field(default_factory=list)
    media: str | None = JSON
    path: str = PERSON
    framed: bytes | None = None

    def written(self, token: str) -> bytes:
        """The bytes of the request."""
        lines = [f"POST {self.path} HTTP/1.1", "Host: x", "Connection: close", "Lgsp-Purpose: dossier-processing"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        lines += [f"Content-Type: {self.media}"] if self.media else []
        lines += self.fields
        if self.framed is not None:
            return "\r\n".join([*lines, "", ""]).encode() + self.framed
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


QUESTION = json.dumps({"personal_id": "001090123456"}).encode()
COPIES = gzip.compress(b"0" * 50_000_000)
CODED, TYPED, UNREADABLE = {415: "unsupported-media-type"}, {415: "unsupported-media-type"}, {400: "malformed"}
CODINGS = {
    "gzip": gzip.compress(QUESTION),
    "x-gzip": gzip.compress(QUESTION),
    "GZIP": gzip.compress(QUESTION),
    "deflate": zlib.compress(QUESTION),
    "br": QUESTION,
    "zstd": QUESTION,
    "compress": QUESTION,
    "exi": QUESTION,
    "aes128gcm": QUESTION,
    "gzip, gzip": gzip.compress(gzip.compress(QUESTION)),
    "gzip, br, zstd": COPIES,
    ", ".join(["gzip"] * 100): COPIES,
    "identity": QUESTION,
    "identity, gzip": gzip.compress(QUESTION),
    "": QUESTION,
    "*": QUESTION,
}
XOP = b'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="%b"/>' % FILE
DOCUMENT_TYPE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "%bx">]><a>&x;</a>' % LISTENER
SOAP = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x/></e:Body></e:Envelope>'
PARTS = b"".join(b"--x\r\nContent-ID: <p%d>\r\n\r\nx\r\n" % at for at in range(10_000)) + b"--x--\r\n"
FORM = b"".join(
    b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="f"\r\n\r\nx\r\n' % at for at in range(10_000)
)
NESTED = b"".join(b"--x%d\r\nContent-Type: multipart/mixed; boundary=x%d\r\n\r\n" % (n, n + 1) for n in range(5_000))
MEDIA = {
    "text/xml": SOAP,
    "application/soap+xml": SOAP,
    "application/xml": DOCUMENT_TYPE,
    "text/xml; charset=utf-16": SOAP.decode().encode("utf-16"),
    "text/xml; charset=utf-7": b"+ADw-a/+AD4-",
    "application/xop+xml": b"<a>" + XOP + b"</a>",
    "application/fastinfoset": b"\xe0\x00\x00\x01",
    "application/x-www-form-urlencoded": b"personal_id=001090123456",
    "application/x-ndjson": QUESTION + b"\n" + QUESTION,
    "application/ld+json": QUESTION,
    "application/json; charset=utf-16": QUESTION.decode().encode("utf-16"),
    "application/json; charset=utf-7": QUESTION,
    "application/json, text/xml": QUESTION,
    "text/json": QUESTION,
    "application/json/xml": QUESTION,
    "message/rfc822": QUESTION,
    "message/http": b"GET /metrics HTTP/1.1\r\n\r\n",
    'multipart/related; boundary=x; type="application/xop+xml"': PARTS,
    "multipart/form-data; boundary=x": FORM + b"--x--\r\n",
    "multipart/mixed; boundary=x0": NESTED,
    "multipart/related": PARTS[:1000],
    "multipart/mixed; boundary=" + "x" * 5_000: QUESTION,
    "*/*": QUESTION,
    ";": QUESTION,
}
NAMES = b",".join(b'"m%d":0' % at for at in range(60_000))
FRAMES = {
    "length and chunks": ("Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"),
    "chunks and length": ("Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"),
    "two lengths": ("Content-Length: 2\r\nContent-Length: 30", b"{}GET /metrics HTTP/1.1\r\n\r\n"),
    "a list of lengths": ("Content-Length: 2, 2", b"{}"),
    "a length with a sign": ("Content-Length: +2", b"{}"),
    "a length in hexadecimal": ("Content-Length: 0x2", b"{}"),
    "a negative length": ("Content-Length: -2", b"{}"),
    "a length of twenty digits": ("Content-Length: 99999999999999999999", b"{}"),
    "gzip and chunks": ("Transfer-Encoding: gzip, chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    "gzip alone": ("Transfer-Encoding: gzip", gzip.compress(QUESTION)),
    "chunked, then gzip": ("Transfer-Encoding: chunked, gzip", b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked twice": ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked twice in one": ("Transfer-Encoding: chunked, chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    "nearly chunked": ("Transfer-Encoding: xchunked", b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked by a vertical tab": ("Transfer-Encoding: \x0bchunked", b"2\r\n{}\r\n0\r\n\r\n"),
    "a space before the colon": ("Content-Length : 2", b"{}"),
    "a folded line": ("X-A: a\r\n Content-Length: 2", b"{}"),
    "a line feed alone": ("X-A: a\nContent-Length: 2", b"{}"),
    "a carriage return alone": ("X-A: a\rContent-Length: 2", b"{}"),
    "a chunk that is no number": ("Transfer-Encoding: chunked", b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk with a sign": ("Transfer-Encoding: chunked", b"+2\r\n{}\r\n0\r\n\r\n"),
    "a chunk of any size": ("Transfer-Encoding: chunked", b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": ("Transfer-Encoding: chunked", b"1\r\n{}\r\n0\r\n\r\n"),
}
CASES: dict[str, Hostile] = {
    **{
        f"coded by {name[:20]!r}": Hostile(body, CODED, [f"Content-Encoding: {name}"]) for name, body in CODINGS.items()
    },
    **{f"of {name[:50]}": Hostile(body, TYPED, media=name) for name, body in MEDIA.items()},
    **{
        f"framed by {name}": Hostile(b"", UNREADABLE, [fields], framed=framed)
        for name, (fields, framed) in FRAMES.items()
    },
    # Nobody reads it and nobody keeps it: what stands in the chunk is the question.
    "framed by an extension of 100 KB": Hostile(
        b"",
        {422: "invalid"},
        ["Transfer-Encoding: chunked"],
        framed=b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    ),
    "of no type": Hostile(QUESTION, TYPED, media=None),
    "of two types": Hostile(QUESTION, UNREADABLE, ["content-type: text/xml"]),
    "XML called JSON": Hostile(DOCUMENT_TYPE, UNREADABLE),
    "an envelope called JSON": Hostile(SOAP, UNREADABLE, [f'SOAPAction: "{PERSON}"']),
    "parts called JSON": Hostile(PARTS, UNREADABLE),
    "an archive called JSON": Hostile(gzip.compress(QUESTION), UNREADABLE),
    "JSON in UTF-16": Hostile(QUESTION.decode().encode("utf-16"), UNREADABLE),
    "JSON in UTF-7": Hostile(QUESTION.replace(b"{", b"+AHs-"), UNREADABLE),
    "JSON behind a byte order mark": Hostile(b"\xef\xbb\xbf" + QUESTION, UNREADABLE),
    "JSON with an overlong quote": Hostile(QUESTION.replace(b'"', b"\xc0\xa2", 1), UNREADABLE),
    "JSON and more": Hostile(QUESTION + SOAP, UNREADABLE),
    "100,000 lists": Hostile(b"[" * 100_000, UNREADABLE),
    "60,000 names": Hostile(b"{" + NAMES + b"}", UNREADABLE),
    "60,000 names, the last one twice": Hostile(b"{" + NAMES + b',"m59999":0}', UNREADABLE),
    "a thousand lists of lists": Hostile(b'{"personal_id":[' + b"[],[[]]," * 100_000 + b"0]}", {422: "invalid"}),
    "a number of a megabyte": Hostile(b'{"personal_id": ' + b"9" * 1_000_000 + b"}", UNREADABLE),
    "a text of a megabyte": Hostile(b'{"personal_id": "' + b"9" * 1_000_000 + b'"}', {422: "invalid"}),
    "an entity in a value": Hostile(b'{"personal_id": "&x;"}', {422: "invalid"}),
    "an inclusion in a value": Hostile(json.dumps({"personal_id": XOP.decode()}).encode(), {422: "invalid"}),
    "a name that is an action": Hostile(b'{"__proto__": {"personal_id": "x"}}', {422: "invalid"}),
    "ten megabytes": Hostile(b" " * 10_000_000, {413: "too-large"}),
    "SOAP at a database": Hostile(SOAP, {404: "not-found"}, [], "text/xml", "/v1/population"),
    "SOAP at the root": Hostile(SOAP, {404: "not-found"}, [], "text/xml", "/"),
    "XML where nothing is posted": Hostile(SOAP, {405: "method-not-allowed"}, [], "text/xml", "/metrics"),
    "SOAP at the description": Hostile(SOAP, {405: "method-not-allowed"}, [], "text/xml", "/openapi.json"),
}


async def raw(caller: Caller, data: bytes) -> bytes:
    """Write bytes; everything that comes back until the gateway closes."""
    host, _, port = caller.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        with suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def told(answer: bytes) -> tuple[int, bytes]:
    """Status and body of the one answer."""
    assert len(re.findall(rb"(?m)^HTTP/1\.", answer)) == 1, answer[:2_000]
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("name", CASES)
async def test_a_hostile_request_is_refused(caller: Caller, deceived: Live, name: str) -> None:
    case = CASES[name]
    token = await caller.token()
    (pid,) = deceived.workers()
    worker = Worker(pid)
    status, body = told(await raw(caller, case.written(token)))
    seconds, megabytes = worker.spent()
    problem = json.loads(body)
    assert {status: problem["code"]}.items() <= case.codes.items(), problem
    assert MARK not in body
    assert "data" not in problem
    assert seconds < MAX_SECONDS
    assert megabytes < MAX_MEGABYTES
    assert touched() == []


async def test_the_request_that_is_spoilt_is_answered_as_it_was(caller: Caller) -> None:
    body = json.dumps(caller.samples["population/person"]["body"]).encode()
    case = Hostile(body, {}, [f"{name}: {value}" for name, value in headers(caller).items()])
    status, answer = told(await raw(caller, case.written(await caller.token())))
    assert (status, json.loads(answer)["data"]) == (200, caller.samples["population/person"]["data"])


def headers(caller: Caller) -> dict[str, str]:
    """What a sample is asked with, besides the purpose."""
    return {
        name: value for name, value in caller.samples["population/person"]["headers"].items() if "Purpose" not in name
    }


@pytest.mark.parametrize(
    "fields",
    [
        ['SOAPAction: "urn:tax/TraCuuNguoiNopThue"'],
        ["SOAPAction: /v1/population/match", "X-HTTP-Method-Override: DELETE"],
        ["X-Original-URL: /v1/tax/taxpayer", "X-Rewrite-URL: /metrics"],
        ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: gopher"],
        ["Forwarded: for=127.0.0.1;host=evil.example", "X-Forwarded-Prefix: /v1/tax"],
    ],
)
async def test_what_is_asked_is_said_by_the_path_alone(caller: Caller, fields: list[str]) -> None:
    body = json.dumps(caller.samples["population/person"]["body"]).encode()
    usual = [f"{name}: {value}" for name, value in headers(caller).items()]
    status, answer = told(await raw(caller, Hostile(body, {}, usual + fields).written(await caller.token())))
    assert status == 200
    assert json.loads(answer)["exchange"]["operation"] == "person"
    assert b"evil.example" not in answer


TOKENS = {
    "XML": (b"<a/>", "text/xml"),
    "a document type": (DOCUMENT_TYPE, "application/xml"),
    "JSON": (b'{"grant_type": "client_credentials"}', JSON),
    "parts": (FORM + b"--x--\r\n", "multipart/form-data; boundary=x"),
    "10,000 fields": (b"&".join(b"f%d=x" % at for at in range(10_000)), "application/x-www-form-urlencoded"),
    "a field of a megabyte": (b"grant_type=" + b"x" * 1_000_000, "application/x-www-form-urlencoded"),
    "percent signs": (b"grant_type=" + b"%25" * 10_000, "application/x-www-form-urlencoded"),
    "half an escape": (b"grant_type=%e1%bb&client_id=%", "application/x-www-form-urlencoded"),
    "one field twice": (b"grant_type=client_credentials&grant_type=x", "application/x-www-form-urlencoded"),
    "another charset": (b"grant_type=client_credentials", "application/x-www-form-urlencoded; charset=utf-16"),
    "ten megabytes": (b"a=" + b"x" * 10_000_000, "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke"])
@pytest.mark.parametrize("name", TOKENS)
async def test_forms_of_strangers_are_refused(caller: Caller, deceived: Live, name: str, path: str) -> None:
    body, media = TOKENS[name]
    (pid,) = deceived.workers()
    worker = Worker(pid)
    for fields in ([], ["Content-Encoding: gzip"]):
        status, answer = told(await raw(caller, Hostile(body, {}, fields, media, path).written("")))
        assert 400 <= status < 500
        assert json.loads(answer).keys() & {"error", "code"}
        assert b"access_token" not in answer
    seconds, megabytes = worker.spent()
    assert seconds < MAX_SECONDS
    assert megabytes < MAX_MEGABYTES
    assert touched() == []


async def test_after_all_of_this_callers_are_answered(caller: Caller) -> None:
    assert (await caller.ask("population/person")).status == 200
    failures = await caller.metric("lgsp_http_requests_total", status="500")
    assert failures == 0
