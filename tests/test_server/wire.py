"""A small application behind the real frame and listener, and a client that writes its own bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from routes.bodies import read_json, single
from routes.context import ANSWER_HEADERS
from routes.frame import setup, unrepeated
from routes.health import add_health
from routes.listening import running
from schemas.errors import NoRecord, Unauthenticated

HELD = web.AppKey("held", asyncio.Event)
RELEASE = web.AppKey("release", asyncio.Event)


def application(server: Any) -> web.Application:
    app = web.Application()
    setup(app, server)
    app.middlewares.append(unrepeated)
    app[HELD] = asyncio.Event()
    app[RELEASE] = asyncio.Event()

    async def echo(request: web.Request) -> web.Response:
        value = await read_json(request, 1000, lambda value: value)
        return web.json_response({"value": value, "purpose": single(request, "Lgsp-Purpose")})

    async def hold(request: web.Request) -> web.Response:
        request.app[HELD].set()
        await request.app[RELEASE].wait()
        return web.json_response({})

    async def fail(request: web.Request) -> web.Response:
        request[ANSWER_HEADERS] = {"RateLimit": '"default";r=1;t=1'}
        match request.match_info["how"]:
            case "ours":
                raise NoRecord
            case "token":
                raise Unauthenticated(reason="expired")
            case "away":
                raise web.HTTPSeeOther("/elsewhere")
            case _:
                raise ValueError("Nguyễn Văn An 001085012345")

    app.router.add_post("/echo", echo)
    app.router.add_get("/hold", hold)
    app.router.add_get("/fail/{how}", fail)
    add_health(app.router, ())
    return app


class Answer:
    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def receive(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = [(line.split(": ", 1)[0], line.split(": ", 1)[1]) for line in head[1:] if line]
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Answer(int(head[0].split()[1]), headers, await reader.readexactly(length))


class Client:
    def __init__(self, address: tuple[str, int], app: web.Application) -> None:
        self.address = address
        self.app = app

    async def raw(self, data: bytes) -> Answer:
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(data)
        answer = await receive(reader)
        writer.close()
        return answer

    async def get(self, path: str, *headers: str, method: str = "GET") -> Answer:
        return await self.raw("\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode())

    async def post(self, body: bytes, *headers: str, kind: str = "Content-Type: application/json") -> Answer:
        first = ["POST /echo HTTP/1.1", "Host: x", *([kind] if kind else []), f"Content-Length: {len(body)}"]
        return await self.raw("\r\n".join([*first, *headers, "", ""]).encode() + body)


@asynccontextmanager
async def served(settings: Any, **options: Any) -> AsyncIterator[Client]:
    app = application(settings.server)
    async with running(settings, app, **options) as serving:
        yield Client(serving.addresses["http"], app)
