"""HTTP around an answer of a foreign source: encodings, marks, parts, headers, nothing at all."""

import asyncio
import json
from typing import Any

import pytest

from config.settings import Endpoint
from schemas.errors import NoRecord, UpstreamUnreadable
from tests.test_oracles.asking import gateway_to
from tests.test_resilience.doubles import request, scripted
from tests.test_translation.foreign import (
    MEDIA,
    XML_KINDS,
    Flat,
    Kind,
    Version,
    asked,
    binding_of,
    database_of,
    envelope,
    expected,
    http,
    payload,
    refused,
    same,
    taken,
    told,
)

VERSIONS: tuple[Version, ...] = ("1.1", "1.2")
NAMED = "<Ten>a</Ten>"


def json_database() -> Any:
    return database_of(binding_of("rest"), Flat)


JSON_BODY = b'{"Thu": {"Ten": "a"}}'


@pytest.mark.parametrize(
    "media",
    [
        b"",
        b"text/xml",
        b'text/xml; charset="utf-8"',
        b"text/xml;charset=UTF-8",
        b"text/xml;\tcharset=utf-8",
        b"\ttext/xml",
        b"application/xml",
        b"text/xml; charset=iso-8859-1",
    ],
    ids=repr,
)
async def test_the_media_type_decides_nothing(media: bytes) -> None:
    # What is no UTF-8 is refused by its bytes, and a document that says another encoding by its declaration.
    body = envelope(payload("<Ten>Nguyễn</Ten>"))
    same(await told("1.1", http(body, media)), expected("soap-1.1", name="Nguyễn"))
    same(await asked(json_database(), http(JSON_BODY, media)), expected("rest", name="a"))


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32", "windows-1258", "iso-8859-1"])
async def test_other_encodings_than_utf8_are_refused(coding: str) -> None:
    body = envelope(payload("<Ten>Nguyên</Ten>")).decode()
    encoded = body.encode(coding)
    await refused("1.1", http(encoded, f"text/xml; charset={coding}".encode()))
    declared = f'<?xml version="1.0" encoding="{coding}"?>{body}'
    await refused("1.1", http(declared.encode(coding)))
    # The declaration lies, or the bytes do: nobody guesses which.
    await refused("1.1", http(declared.encode()))
    with pytest.raises(UpstreamUnreadable):
        await asked(json_database(), http('{"Thu": {"Ten": "ê"}}'.encode(coding)))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_byte_order_mark_is_passed_over(version: Version) -> None:
    mark, body = b"\xef\xbb\xbf", envelope(payload(NAMED), version)
    await taken(version, http(mark + body, MEDIA[version]))
    await taken(version, http(mark + b'<?xml version="1.0" encoding="UTF-8"?>\r\n' + body, MEDIA[version]))
    await refused(version, http(mark + mark + body, MEDIA[version]))


async def test_a_byte_order_mark_is_passed_over_in_json() -> None:
    mark = b"\xef\xbb\xbf"
    same(await asked(json_database(), http(mark + JSON_BODY)), expected("rest", name="a"))
    document = json.dumps({"data": '\ufeff<?xml version="1.0"?><kq><Thu><Ten>a</Ten></Thu></kq>'}).encode()
    for body in (document, mark + document):
        same(await asked(database_of(binding_of("xml-in-json")), http(body)), expected("xml-in-json", name="a"))
    with pytest.raises(UpstreamUnreadable):
        await asked(json_database(), http(mark + mark + JSON_BODY))


@pytest.mark.parametrize("status", [b"200 OK", b"202 Accepted"])
@pytest.mark.parametrize("kind", [*XML_KINDS, "rest"])
async def test_no_body_is_no_answer(kind: Kind, status: bytes) -> None:
    database = database_of(binding_of(kind), Flat)
    for answer in (http(b"", status=status), http(b" \r\n", status=status)):
        with pytest.raises(UpstreamUnreadable):
            await asked(database, answer)


@pytest.mark.parametrize("kind", [*XML_KINDS, "rest"])
async def test_204_is_what_was_declared_or_no_answer(kind: Kind) -> None:
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with pytest.raises(NoRecord):
        await asked(database_of(binding_of(kind), Flat), answer)
    with pytest.raises(UpstreamUnreadable):
        await asked(database_of(binding_of(kind), Flat, faults={}), answer)


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\nContent-Type: text/xml\r\n\r\n%b\r\n--b--\r\n",
        b"\r\n--b\r\nContent-Type: application/xop+xml; charset=utf-8; type=text/xml\r\n\r\n%b\r\n--b--\r\n",
    ],
)
@pytest.mark.parametrize(
    "media",
    [
        b'multipart/related; boundary=b; type="text/xml"',
        b"multipart/related; boundary=b",
        b"multipart/mixed; boundary=b",
        b"text/xml",
    ],
)
async def test_parts_are_never_half_read(media: bytes, body: bytes) -> None:
    await refused("1.1", http(body % envelope(payload(NAMED)), media), "MIME parts")


async def test_repeated_headers_change_nothing() -> None:
    more = b"X-Road-Id: 1\r\nX-Road-Id: 2\r\nContent-Type: text/html\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
    await taken("1.1", http(envelope(payload(NAMED)), more=more))


@pytest.mark.parametrize(
    "more",
    [b"X-A: 1\r\n  2\r\n", b"X-A: 1\r\n\t2\r\n", b"X-A : 1\r\n", b"Content-Length: 5\r\n", b"X\x00A: 1\r\n"],
    ids=["folded", "folded-by-a-tab", "space-before-the-colon", "two-lengths", "nul"],
)
async def test_header_lines_that_readers_disagree_about_are_refused(more: bytes) -> None:
    # RFC 9112, section 5: a fold is obsolete and a user agent may take it for spaces; ours refuses it.
    await refused("1.1", http(envelope(payload(NAMED)), more=more))


async def test_an_answer_may_come_byte_by_byte() -> None:
    whole = http(envelope(payload("<Ten>Nguyễn</Ten>")), more=b"X-A: 1\r\n")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for place in range(len(whole)):
            writer.write(whole[place : place + 1])
            await writer.drain()

    async with (
        scripted(script) as url,
        gateway_to(database_of(binding_of("soap-1.1")), Endpoint(url=url)) as gateway,
    ):
        same(await gateway.ask("thing", {"number": "1"}), expected("soap-1.1", name="Nguyễn"))


async def test_chunks_may_split_letters() -> None:
    body = envelope(payload("<Ten>Nguyễn</Ten>"))
    chunks = b"".join(b"1\r\n%b\r\n" % body[place : place + 1] for place in range(len(body)))
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    same(await told("1.1", answer), expected("soap-1.1", name="Nguyễn"))
