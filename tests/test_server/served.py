"""Run by the process tests: `python -m tests.test_server.served SETTINGS_JSON` serves a few telling routes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import structlog
from aiohttp import web

from config.settings import ConfigurationError, Settings
from routes.bodies import read_body
from routes.frame import setup
from routes.health import add_health
from routes.server import serve


async def make_app(settings: Settings, worker: int) -> web.Application:
    failing = os.environ.get("FAILING", "")
    if failing == "configuration":
        raise ConfigurationError("keys.directory: nothing there")
    if failing == "surprise":
        raise RuntimeError("001085012345")
    if failing == "late":
        structlog.get_logger().info("preparing")
        while not Path(os.environ["TMPDIR"], "go").exists():
            await asyncio.sleep(0.01)
    app = web.Application()
    reloads = 0

    async def reload() -> None:
        nonlocal reloads
        reloads += 1

    setup(app, settings.server, reload=reload)
    add_health(app.router, ())

    async def about(_request: web.Request) -> web.Response:
        return web.json_response({"pid": os.getpid(), "worker": worker, "reloads": reloads})

    async def upload(request: web.Request) -> web.Response:
        return web.json_response({"got": len(await read_body(request, 100))})

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    app.router.add_get("/about", about)
    app.router.add_post("/upload", upload)
    app.router.add_get("/hang", hang)
    return app


if __name__ == "__main__":
    code = serve(
        Settings(**json.loads(sys.argv[1])),
        make_app,
        on_ready=lambda addresses: print(json.dumps(addresses), flush=True),
    )
    sys.exit(code)
