"""The HTTP face of a witness (C2SP tlog-witness): `lgsp witness` serves it, and nothing of the gateway beside it.

`POST /add-checkpoint` and `GET /<hash of the origin>/checkpoint` are the specification's. `GET /<hash>/checkpoints` is
ours: everything that was cosigned, so that it can be said where a log parts from what it was.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from security.audit.submission import LARGEST
from security.audit.witness import Witness

log = structlog.get_logger()

SEPARATOR: Final = "--\n"
"""Between notes: as in `checkpoints.txt` of exports."""
_BODY_S: Final = 15.0
_SIZE = re.compile("0|[1-9][0-9]{0,17}", re.ASCII)


def application(witness: Witness) -> web.Application:
    """Return the application of one witness."""
    app = web.Application(client_max_size=LARGEST)

    async def add(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_BODY_S):
                body = await request.read()
        except TimeoutError:
            return _text("the body did not come in time\n", HTTPStatus.REQUEST_TIMEOUT)
        try:
            # It waits for the disk. To be cancelled changes nothing: the witness decides and remembers as one.
            answer = await asyncio.to_thread(witness.add, body)
        except sqlite3.Error as failure:
            log.error("not-cosigned", status=HTTPStatus.SERVICE_UNAVAILABLE.value, hint=str(failure))
            return _text(
                "this witness cannot remember what it signs, so it signs nothing\n", HTTPStatus.SERVICE_UNAVAILABLE
            )
        if answer.status != HTTPStatus.OK:
            log.warning("not-cosigned", status=answer.status.value, hint=answer.body.strip())
        return _text(answer.body, answer.status, answer.media_type)

    async def newest(request: web.Request) -> web.Response:
        note = await asyncio.to_thread(witness.newest, await _origin(request))
        if note is None:
            raise web.HTTPNotFound(text="nothing was cosigned for this log\n")
        return _text(note)

    async def everything(request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if _SIZE.fullmatch(after) is None:
            return _text("after: the size of a checkpoint\n", HTTPStatus.BAD_REQUEST)
        notes = await asyncio.to_thread(witness.after, await _origin(request), int(after))
        return _text(SEPARATOR.join(notes))

    async def about(_request: web.Request) -> web.Response:
        origins = await asyncio.to_thread(witness.origins)
        logs = [f"{origin}: /{place}/checkpoint\n" for place, origin in sorted(origins.items())]
        return _text("".join([f"Witness {witness.key.encode()}\n\n", *logs]))

    async def _origin(request: web.Request) -> str:
        origin = (await asyncio.to_thread(witness.origins)).get(request.match_info["log"])
        if origin is None:
            raise web.HTTPNotFound(text="this witness does not know a log of this origin\n")
        return origin

    app.router.add_get("/", about)
    app.router.add_post("/add-checkpoint", add)
    app.router.add_get("/{log:[0-9a-f]{64}}/checkpoint", newest)
    app.router.add_get("/{log:[0-9a-f]{64}}/checkpoints", everything)
    return app


@asynccontextmanager
async def serving(witness: Witness, sock: socket.socket) -> AsyncIterator[None]:
    """Answer on a bound socket while the block runs."""
    runner = web.AppRunner(application(witness), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        yield
    finally:
        await runner.cleanup()


async def serve(witness: Witness, sock: socket.socket, reload: Callable[[], None]) -> None:
    """Answer until SIGTERM or SIGINT; SIGHUP calls `reload`, which may block."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, loop.run_in_executor, None, reload)
    async with serving(witness, sock):
        host, port = sock.getsockname()[:2]
        log.info("witnessing", listen=f"{host}:{port}", logs=sorted(witness.origins().values()))
        await stop.wait()
    log.info("stopped")


def _text(body: str, status: HTTPStatus = HTTPStatus.OK, media_type: str = "text/plain; charset=utf-8") -> web.Response:
    return web.Response(body=body.encode(), status=status, headers={"Content-Type": media_type})
