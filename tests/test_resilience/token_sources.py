"""Sources with a token endpoint, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.login import Link
from adapters.schemes import Scheme
from adapters.transport import Message, Reply
from config.settings import Endpoint, Timeout

SECRET = "s3cr&t+ bí mật"
CALL = Message("POST", "/api", {"Content-Type": "application/json"}, b"{}")


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Source:
    """A source with a token endpoint; `answer` makes the token answer from the number of the log-in."""

    answer: Callable[[int], web.StreamResponse] | None = None
    life: object = 3600
    logins: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    calls: list[dict[str, str]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def token(self, request: web.Request) -> web.StreamResponse:
        self.logins.append((request.path, dict(request.headers), await request.read()))
        number = len(self.logins)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.answer is not None:
            return self.answer(number)
        return web.json_response({"access_token": f"T{number}", "expires_in": self.life, "token_type": "Bearer"})

    async def call(self, request: web.Request) -> web.Response:
        await request.read()
        self.calls.append(dict(request.headers))
        if request.headers.get("Authorization") in self.dead:
            return web.Response(status=401, body=b"expired")
        return web.Response(body=b"answer")


@asynccontextmanager
async def serving(source: Source) -> AsyncIterator[Endpoint]:
    app = web.Application()
    for path in ("/token", "/oauth/token", "/api/token/take"):
        app.router.add_post(path, source.token)
    app.router.add_post("/api", source.call)
    async with TestServer(app) as server:
        yield Endpoint.model_validate(
            {
                "url": str(server.make_url("/")),
                "username": "consumer",
                "secret": SECRET,
                "params": {"client_id": "gateway", "api_key": "K", "x_road_client": "VN/GOV/G01/lgsp"},
                "timeout": Timeout(connect=20, read=30, total=30),
            }
        )


@asynccontextmanager
async def linked(source: Source, scheme: Scheme) -> AsyncIterator[Link]:
    async with serving(source) as endpoint:
        link = Link("source", endpoint, scheme)
        try:
            yield link
        finally:
            await link.close()


def in_seconds(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def ask(link: Link, wire: list[tuple[str, bytes]] | None = None) -> Reply:
    noted = wire if wire is not None else []
    return await link.send(CALL, deadline=in_seconds(20), on_wire=noted)
