"""Witnesses that lie, or never answer: they are not believed, and what went wrong is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.witness import Witness
from security.audit.checkpoint import Checkpoint
from security.audit.cosignature import Cosigner, WitnessKey
from security.audit.witnessed import notes_of
from sync import witnessing
from tests.test_audit.audit_world import ORIGIN, World, evidence
from tests.test_witnesses.showing import how, shown_to

Answer = Callable[[bytes, Cosigner], web.Response]
_OTHER = Cosigner("witness.example/other", Ed25519PrivateKey.generate())


def _text_of(body: bytes) -> str:
    return body.decode().split("\n\n")[1] + "\n"


LIES: dict[str, tuple[str, Answer]] = {
    "other-key": ("other-key", lambda body, _: web.Response(text=_OTHER.sign(_text_of(body), 1))),
    "other-size": (
        "bad-cosignature",
        lambda _, key: web.Response(text=key.sign(Checkpoint(ORIGIN, 99, bytes(32)).text, 1)),
    ),
    "no-time": ("bad-cosignature", lambda body, key: web.Response(text=key.sign(_text_of(body), 0))),
    "empty": ("bad-cosignature", lambda *_: web.Response(text="")),
    "nothing-signed": ("bad-cosignature", lambda *_: web.Response(text="welcome\n")),
    "not-text": ("bad-cosignature", lambda *_: web.Response(body=b"\xff\xfe")),
    "huge": ("unreachable", lambda *_: web.Response(body=bytes(5_000_000))),
    "redirect": ("refused", lambda *_: web.Response(status=302, headers={"Location": "/add-checkpoint"})),
    "error": ("refused", lambda *_: web.Response(status=500, text="\x1b[2J")),
    "forbidden": ("unknown-key", lambda *_: web.Response(status=403)),
    "unknown": ("unknown-log", lambda *_: web.Response(status=404)),
    "no-size": ("unreadable", lambda *_: web.Response(status=409, text="many")),
    "size-of-other-type": ("unreadable", lambda *_: web.Response(status=409, text="0\n")),
    "never-the-same-size": (
        "unsteady",
        lambda *_: web.Response(status=409, body=b"1\n", headers={"Content-Type": "text/x.tlog.size"}),
    ),
    "far-ahead": (
        "rollback",
        lambda *_: web.Response(status=409, body=b"77\n", headers={"Content-Type": "text/x.tlog.size"}),
    ),
}


@asynccontextmanager
async def liar(answer: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/add-checkpoint", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("name", list(LIES))
async def test_a_witness_that_lies_is_not_believed(local: World, name: str) -> None:
    code, says = LIES[name]
    key = Cosigner("witness.example/liar", _OTHER._private)

    async def answer(request: web.Request) -> web.Response:
        return says(await request.read(), key)

    for _ in range(2):
        await local.log.record(evidence())
    async with liar(answer) as url:
        settings = Witness(kind="http", url=url, key=key.verifier.encode())
        loop = shown_to(local, settings)
        await loop._safely()
        found = await how(local)
        assert (found.trouble, found.size) == (code, 0)
        assert (found.said or "").isprintable()
        assert await local.storage.read(lambda connection: notes_of(connection, "one")) == []
        await loop._office.close()


async def test_a_slow_witness_is_given_up(local: World) -> None:
    gone = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        await gone.wait()
        return web.Response()

    await local.log.record(evidence())
    async with liar(answer) as url:
        key = WitnessKey("w.example", bytes(range(32)))
        loop = shown_to(local, Witness(kind="http", url=url, key=key.encode(), timeout=0.1))
        await loop._safely()
        assert (await how(local)).trouble == "unreachable"
        gone.set()
        await loop._office.close()


async def test_a_witness_whose_clock_is_wrong_is_believed_and_told_of(
    local: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(witnessing.log, "warning", lambda event, **facts: told.append((event, facts)))
    key = Cosigner("witness.example/hasty", _OTHER._private)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=key.sign(_text_of(await request.read()), int(time.time()) + 10_000))

    await local.log.record(evidence())
    async with liar(answer) as url:
        loop = shown_to(local, Witness(kind="http", url=url, key=key.verifier.encode()))
        await loop._safely()
        await loop._office.close()
    assert (await how(local)).size == 1
    ((event, facts),) = told
    assert (event, 9_900 < facts["ahead"] < 10_100) == ("witness-clock", True)
