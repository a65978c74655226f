"""A system that is called back, on a real socket; what it takes is verified by another implementation."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook as Standard

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
FORMER = "whsec_" + base64.b64encode(b"a-secret-of-the-year-before-").decode()
PATIENCE_S = 60.0

Reaction = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Call:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str = SECRET) -> Any:
        """The payload, if the signature holds under the secret; raises WebhookVerificationError."""
        return Standard(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Answers 204, unless there are `reactions` left; `calls` are all requests, in order."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Call(request.path_qs, headers, await request.read()))
        if self.reactions:
            return await self.reactions.pop(0)(request)
        return web.Response(status=204)

    def answers(self, status: int, **headers: str) -> None:
        """Answer the next request so; names of headers have underscores for dashes."""

        async def react(_: web.Request) -> web.StreamResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, headers=named, text="x")

        self.reactions.append(react)

    async def called(self, times: int) -> None:
        """Wait until it was called so often."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.calls) < times:
                await asyncio.sleep(0.01)

    def ids(self) -> list[str]:
        return [call.id for call in self.calls]

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.calls]


@asynccontextmanager
async def listening(path: str = "/lgsp") -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
