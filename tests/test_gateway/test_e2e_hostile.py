"""Bad input over a real socket: always a problem that points at what is wrong, always evidence, never a 500."""

import asyncio
import gzip
import io
import json
import random
import re
from contextlib import suppress
from typing import Any

import pytest

from tests.test_gateway.live import Caller, Reply

PERSON = "population/person"
NUMBER = "089077133265"

# The gateway closes the connection under a body that it will not read; the test's own client may then find its half of
# the socket only when it is collected.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:Exception ignored in. <{what}:pytest.PytestUnraisableExceptionWarning")
    for what in ("function _SelectorTransport.__del__", "socket.socket fd=")
]


async def post(caller: Caller, body: bytes, headers: Any = (), path: str = f"/v1/{PERSON}") -> Reply:
    """Send bytes as a known caller; `headers` as pairs may repeat a name, and replace what is sent otherwise."""
    given = list(dict(headers).items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in given}
    usual = {"Authorization": f"Bearer {await caller.token()}", "Content-Type": "application/json"}
    usual |= caller.samples[PERSON]["headers"]
    sent = [(name, value) for name, value in usual.items() if name.lower() not in names]
    sent += [(name, value) for name, value in given if value is not None]
    return await caller.send("POST", path, data=io.BytesIO(body), headers=sent, skip_auto_headers=["Content-Type"])


def held(reply: Reply, status: int, code: str) -> dict[str, Any]:
    """A refusal with its evidence."""
    problem = reply.problem
    assert (reply.status, problem["code"]) == (status, code), problem
    assert {"exchange", "receipt"} <= problem.keys()
    assert NUMBER.encode() not in reply.body
    return problem


BODIES = {
    "empty": b"",
    "blank": b" ",
    "cut": b'{"personal_id": "0890771',
    "two values": b"{}{}",
    "single quotes": b"{'personal_id': '1'}",
    "trailing comma": b'{"personal_id": "1",}',
    "a member twice": b'{"personal_id": "089077133265", "personal_id": "089077133265"}',
    "not a number": b'{"personal_id": NaN}',
    "infinite": b'{"personal_id": -Infinity}',
    "too large a number": b'{"personal_id": 1e999}',
    "a very long number": b'{"personal_id": ' + b"9" * 5000 + b"}",
    "not UTF-8": b'{"personal_id": "\xff\xfe"}',
    "UTF-16": '{"personal_id": "1"}'.encode("utf-16"),
    "a surrogate": b'{"personal_id": "\\ud800"}',
    "an escaped NUL": b'{"personal_id": "\\u0000"}',
    "a raw NUL": b'{"personal_id": "\x00"}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"personal_id":' * 20_000 + b"1" + b"}" * 20_000,
}


@pytest.mark.parametrize("kind", BODIES)
async def test_what_cannot_be_read(caller: Caller, kind: str) -> None:
    problem = held(await post(caller, BODIES[kind]), 400, "malformed")
    assert NUMBER not in json.dumps(problem)


SHAPES = [[], None, "x", 1, True, {"personal_id": 1}, {"personal_id": []}, {"personal_id": {}}, {"personal_id": False}]
TEXTS = [
    "", " ", "x", "0890771332651", "08907713326", f" {NUMBER}", f"{NUMBER} ", "089 077 133 265", f"{NUMBER}\n",
    "٠٨٩٠٧٧١٣٣٢٦٥", "०८९०७७१३३२६५", "０８９０７７１３３２６５", f"{NUMBER[:-1]}\u00b2",
    f"{NUMBER}\u200b", "9" * 100_000, "' OR 1=1 --", "<!DOCTYPE a>", "${jndi:ldap://x}", "../../etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("value", SHAPES)
async def test_wrong_types(caller: Caller, value: Any) -> None:
    problem = held(await caller.ask(PERSON, json_of(value)), 422, "invalid")
    assert problem["errors"]
    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers[0] == ("/personal_id" if isinstance(value, dict) else "")


def json_of(value: Any) -> Any:
    """What `ask` takes for its sample when it is None, as text that says null."""
    return _Null() if value is None else value


class _Null(dict[str, Any]):
    pass


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_wrong_identifiers(caller: Caller, text: str) -> None:
    for name, member in ((PERSON, "personal_id"), ("tax/taxpayer", "tax_code"), ("enterprise/enterprise", "code")):
        problem = held(await caller.ask(name, {member: text}), 422, "invalid")
        assert [error["pointer"] for error in problem["errors"]] == [f"/{member}"]


async def test_unknown_members_are_named(caller: Caller) -> None:
    body = {"personal_id": NUMBER, "a/b~c": 1, "full_nam": NUMBER}
    problem = held(await caller.ask(PERSON, body), 422, "invalid")
    assert {"/a~1b~0c", "/full_nam"} == {error["pointer"] for error in problem["errors"]}


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Content-Type": None}, b"{}", 415, "unsupported-media-type"),
        ({"Content-Type": "text/plain"}, b"{}", 415, "unsupported-media-type"),
        ({"Content-Type": "application/xml"}, b"<a/>", 415, "unsupported-media-type"),
        ({"Content-Type": "application/json; charset=latin1"}, b"{}", 415, "unsupported-media-type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 415, "unsupported-media-type"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"0" * 50_000_000), 415, "unsupported-media-type"),
        ({"Content-Encoding": "br"}, b"x", 415, "unsupported-media-type"),
        ({}, b'{"personal_id": "' + b"1" * 10_000_000 + b'"}', 413, "too-large"),
        ({"Lgsp-Officer": "Nguyễn"}, b'{"personal_id": "089077133265"}', 400, "malformed"),
    ],
)  # fmt: skip
async def test_wrong_headers(caller: Caller, headers: Any, body: bytes, status: int, code: str) -> None:
    reply = await post(caller, body, headers)
    assert (reply.status, reply.problem["code"]) == (status, code)
    assert "data" not in reply.problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1/population/nothing", 404, "not-found"),
        ("POST", "/v1/nothing/person", 404, "not-found"),
        ("POST", "/v1/population", 404, "not-found"),
        ("POST", "/v1/population/person/089077133265", 404, "not-found"),
        ("POST", "/v1/population%2Fperson", 404, "not-found"),
        ("POST", "/v1/population/person%00", 404, "not-found"),
        ("GET", "/v1/population/person", 405, "method-not-allowed"),
        ("DELETE", "/v1/population/person", 405, "method-not-allowed"),
        ("POST", "/v1/population/person?x=1", 422, "invalid"),
        ("POST", "/v1/population/person?personal_id=089077133265", 422, "invalid"),
    ],
)
async def test_wrong_paths_of_known_callers_leave_evidence(
    caller: Caller, method: str, path: str, status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {await caller.token()}", **caller.samples[PERSON]["headers"]}
    held(await caller.send(method, path, json={"personal_id": NUMBER}, headers=headers), status, code)


async def raw(caller: Caller, data: bytes, *, ends: bool = True) -> bytes:
    """Write bytes, say that no more will come if that `ends` it, return everything that comes back."""
    host, _, port = caller.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        await writer.drain()
        if ends:
            writer.write_eof()
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "twice",
    [
        ("Lgsp-Purpose: a", "Lgsp-Purpose: b"),
        ("Lgsp-Dossier: a", "lgsp-dossier: a"),
        ("Content-Type: application/json", "content-type: application/json"),
        ("Content-Type: application/json", "CONTENT-TYPE: text/plain"),
        ("X-Request-Id: a", "x-request-id: b"),
        ("Host: a", "host: b"),
        ("Content-Length: 2", "content-length: 2"),
    ],
)
async def test_headers_that_may_come_once(caller: Caller, twice: tuple[str, str]) -> None:
    head = ["POST /v1/population/person HTTP/1.1", f"Authorization: Bearer {await caller.token()}", *twice]
    usual = ("Connection: close", "Host: x", "Content-Type: application/json", "Content-Length: 2")
    head += [line for line in usual if not twice[0].startswith(line.partition(":")[0])]
    answer = await raw(caller, "\r\n".join([*head, "", "{}"]).encode(), ends=False)
    assert re.match(rb"HTTP/1\.[01] 400 ", answer), answer
    assert b'"code":"malformed"' in answer
    # A known caller leaves evidence; what the server's own parser refuses has no caller yet.
    unparsed = twice[0].startswith(("Host", "Content-"))
    assert (b'"receipt":' in answer) != unparsed


async def test_what_is_not_http(caller: Caller) -> None:
    head = b"POST /v1/population/person HTTP/1.1\r\nHost: x\r\n"
    for data in (
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        head + b"No colon here\r\n\r\n",
        head + b"A: \x00\r\n\r\n",
        head + b"Content-Length: -1\r\n\r\n",
        head + b"Content-Length: 1, 2\r\n\r\nxx",
        head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        head + b"Content-Length: 10\r\n\r\n{",
        head + b"A: " + b"x" * 100_000 + b"\r\n\r\n",
        head + b"".join(b"A%d: x\r\n" % at for at in range(500)) + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        answer = await raw(caller, data)
        assert re.match(rb"HTTP/1\.[01] 4\d\d ", answer) or answer == b"", (data[:90], answer[:200])
    assert (await caller.ask(PERSON)).status == 200


async def test_an_identifier_as_request_id_is_replaced(caller: Caller) -> None:
    reply = await caller.ask(PERSON, headers={"X-Request-Id": "my-request.7"})
    assert reply.headers["X-Request-Id"] == "my-request.7"
    for value in (
        NUMBER,
        f"req-{NUMBER}",
        "MDg5MDc3MTMzMjY1",
        "%30%38%39%30%37%37%31%33%33%32%36%35",
        "a b",
        "x" * 200,
    ):
        reply = await caller.ask(PERSON, headers={"X-Request-Id": value})
        assert (reply.status, reply.headers["X-Request-Id"] == value) == (200, False)


async def test_mutilated_questions_never_break_anything(caller: Caller) -> None:
    dice = random.Random(7)
    names = sorted(caller.samples)

    def mutilated(name: str) -> bytes:
        body = bytearray(json.dumps(caller.samples[name]["body"]).encode())
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(body))
            match dice.randrange(3):
                case 0:
                    body[at] = dice.randrange(256)
                case 1:
                    del body[at]
                case _:
                    body[at:at] = body[dice.randrange(len(body)) :][: dice.randint(1, 9)]
        return bytes(body)

    for name in names * 6:
        body = mutilated(name)
        reply = await post(caller, body, path=f"/v1/{name}")
        assert reply.status == 200 or 400 <= reply.status < 500, (name, body, reply.body)
        if reply.status != 200:
            assert "receipt" in reply.problem


async def test_who_leaves_before_the_question_is_whole_is_no_failure_of_ours(caller: Caller) -> None:
    async def failures() -> float:
        return await caller.metric("lgsp_http_requests_total", route=f"/v1/{PERSON}", method="POST", status="500")

    async def left() -> float:
        return await caller.metric("lgsp_http_requests_total", route=f"/v1/{PERSON}", method="POST", status="499")

    before = await failures(), await left()
    host, _, port = caller.url.removeprefix("http://").partition(":")
    usual = {"Host": host, "Authorization": f"Bearer {await caller.token()}", "Content-Type": "application/json"}
    lines = {**usual, **caller.samples[PERSON]["headers"], "Content-Length": "100"}
    head = f"POST /v1/{PERSON} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    for _ in range(3):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f'{head}\r\n{{"personal_id"'.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(60):
        while await left() < before[1] + 3:
            await asyncio.sleep(0.01)
    assert await failures() == before[0]
