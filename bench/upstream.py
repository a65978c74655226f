"""`python -m bench.upstream`: the registry that every server under test asks, as fast as Python can be.

Three ports in one process: unsigned, signed with ECDSA P-256, signed with RSA-2048. It reads no more of a question than
what its answer has to repeat. Nothing here is a registry to test against: that is the sandbox's business.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvloop

from bench.answer import payload
from security.signature_key import SigningKey
from security.soap_signing import sign_soap_parts

_BEFORE, _AFTER = payload()
_OPEN = b'<?xml version="1.0" encoding="UTF-8"?>\n<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body>'
_CLOSE = b"</env:Body></env:Envelope>"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"

Answer = Callable[[bytes], bytes]


def text_of(body: bytes, name: bytes) -> bytes:
    """Return the text of the first element of this name, whatever its prefix; empty if there is none."""
    start = body.find(name + b">")
    if start < 0:
        return b""
    start += len(name) + 1
    return body[start : body.find(b"<", start)]


def unsigned(question: bytes) -> bytes:
    """Answer a question in an envelope without a header."""
    return b"".join((_OPEN, _BEFORE, text_of(question, b"MaYeuCau"), _AFTER, _CLOSE))


def signed(key: SigningKey) -> Answer:
    """Make the function that answers with an envelope signed by `key`, over the question's signature as well."""

    def answer(question: bytes) -> bytes:
        inside = b"".join((_BEFORE, text_of(question, b"MaYeuCau"), _AFTER))
        confirmed = text_of(question, b"SignatureValue").decode()
        return sign_soap_parts(inside, key, version="1.2", confirms=confirmed).envelope

    return answer


class Connection(asyncio.Protocol):
    """One connection of a server under test; keep-alive, one question after the other."""

    def __init__(self, answer: Answer, kind: bytes = b"application/soap+xml") -> None:
        self._answer = answer
        self._kind = kind
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # uvloop's transports are no subclass of it.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every question that is complete."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._held) < end + 4 + length:
                return
            question, self._held = self._held[end + 4 : end + 4 + length], self._held[end + 4 + length :]
            body = self._answer(question)
            assert self._transport is not None
            self._transport.write(_HEAD % (self._kind, len(body), body))
            if b"connection: close" in head:
                self._transport.close()
                return


async def _serve(keys: dict[str, SigningKey]) -> None:
    loop = asyncio.get_running_loop()
    answers: dict[str, Answer] = {"unsigned": unsigned, **{name: signed(key) for name, key in keys.items()}}
    ports: dict[str, int] = {}
    for name, answer in answers.items():
        server = await loop.create_server(lambda answer=answer: Connection(answer), "127.0.0.1", 0, backlog=1024)  # type: ignore[misc]
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.create_future()


def main() -> None:
    """Listen on free ports, print them as one line of JSON, answer until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", action="append", default=[], metavar="NAME=KEY,CERTIFICATE")
    keys: dict[str, SigningKey] = {}
    for given in parser.parse_args().key:
        name, _, files = given.partition("=")
        key, _, certificate = files.partition(",")
        keys[name] = SigningKey.load(Path(key), Path(certificate))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(keys))


if __name__ == "__main__":
    main()
