"""A sharing platform as provinces have them: OAuth2 tokens, contexts before paths, its own account at the source."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientSession, web

ACCOUNT = ("consumer-key", "consumer-secret")
CONTEXT = "/csdldc/1.0"


@dataclass
class Platform:
    """Hands what comes with a token of its own on to `source`, with `proof` in the place of that token."""

    source: str
    proof: dict[str, str]
    url: str = ""
    token: str = "t-1"
    logins: int = 0
    seen: list[web.Request] = field(default_factory=list)

    async def give(self, request: web.Request) -> web.Response:
        wanted = "Basic " + b64encode(":".join(ACCOUNT).encode()).decode()
        form = await request.post()
        if request.headers.get("Authorization") != wanted or form.get("grant_type") != "client_credentials":
            return web.Response(status=401)
        self.logins += 1
        self.token = f"t-{self.logins}"
        return web.json_response({"access_token": self.token, "token_type": "Bearer", "expires_in": 3600})

    async def carry(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        if request.headers.getall("Authorization") != [f"Bearer {self.token}"]:
            return web.Response(status=401)
        kept = {
            name: request.headers[name] for name in ("Content-Type", "Accept", "SOAPAction") if name in request.headers
        }
        target = self.source + request.path_qs.removeprefix(CONTEXT)
        async with (
            ClientSession() as session,
            session.request(request.method, target, data=await request.read(), headers=kept | self.proof) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve on loopback; gives the address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def platform(source: str, proof: dict[str, str]) -> AsyncIterator[Platform]:
    """The platform, giving tokens at `/token` and carrying below its context."""
    found = Platform(source, proof)
    app = web.Application()
    app.router.add_post("/token", found.give)
    app.router.add_route("*", CONTEXT + "/{path:.*}", found.carry)
    async with listening(app) as found.url:
        yield found
