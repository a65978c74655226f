"""Bodies and bytes that no honest client sends get an answer in 4xx, and disturb nobody."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.test_server.wire import Client


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "Content-Type: text/plain",
        "Content-Type: application/xml",
        "Content-Type: application/ld+json",
        "Content-Type: application/json; charset=latin1",
        "Content-Type: application/jsonx",
        "Content-Type: ;",
        "Content-Type: application/json\r\nContent-Encoding: gzip",
        "Content-Type: application/json\r\nContent-Encoding: br",
    ],
)
async def test_other_kinds_of_content_are_refused(client: Client, kind: str) -> None:
    answer = await client.post(b"{}", kind=kind)
    assert (answer.status, answer.json["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON ; charset=UTF-8", 'application/json;charset="utf-8"']
)
async def test_json_in_utf8_is_taken(client: Client, kind: str) -> None:
    assert (await client.post('{"a": "ễ"}'.encode(), kind=f"Content-Type: {kind}")).json["value"] == {"a": "ễ"}


async def test_a_large_declared_body_is_refused_before_it_comes(client: Client) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1001\r\n\r\n"
    answer = await client.raw(head)
    assert (answer.status, answer.json["code"]) == (413, "too-large")


async def test_a_large_chunked_body_is_refused_while_it_comes(client: Client) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await client.raw(head + (b"3e8\r\n" + b" " * 1000 + b"\r\n") * 2)
    assert (answer.status, answer.json["code"]) == (413, "too-large")


async def test_ten_megabytes_get_their_answer(client: Client) -> None:
    assert (await client.post(b" " * 10_000_000)).status == 413


async def test_a_body_that_breaks_off_disturbs_nobody(client: Client) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    _, writer = await asyncio.open_connection(*client.address)
    writer.write(head)
    await writer.drain()
    writer.transport.abort()
    assert (await client.get("/livez")).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 001085012345\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * 500 + b"\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n",
    ],
    ids=lambda data: repr(data[:20]),
)
async def test_bad_http_is_a_plain_400(client: Client, lines: Any, data: bytes) -> None:
    answer = await client.raw(data)
    assert answer.status == 400
    assert answer.json["code"] == "malformed"
    assert uuid.UUID(answer.headers["x-request-id"])
    assert b"001085012345" not in answer.body
    assert "001085012345" not in json.dumps(lines())
    assert (await client.get("/livez")).status == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["GET ", "POST ", "/echo", "/livez", "/%00", " HTTP/1.1", "\r\n", "Host: x", ": ", "\0", "é"])
        | st.text(max_size=6),
        max_size=14,
    )
)
async def test_no_bytes_cause_an_internal_error(client: Client, parts: list[str]) -> None:
    reader, writer = await asyncio.open_connection(*client.address)
    writer.write("".join(parts).encode("utf-8", "replace") + b"\r\n\r\n")
    writer.write_eof()
    said = await reader.read(-1)
    writer.close()
    assert b" 500 " not in said.split(b"\r\n", 1)[0]
    assert not said or said.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))
