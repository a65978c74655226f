"""A portal that was away and comes back is tried with one event; the others follow when that one is through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from tests.test_delivery.world import Post, a_code, a_dossier, a_post, a_status
from tests.test_portal.visitor import Visitor
from tests.test_portal_adapter.wiring import at, reaching

CODES = [a_code(number) for number in range(1, 13)]


class Front:
    """Stands before the portal at an address of its own: can be away, can hold answers back, counts steps per call."""

    def __init__(self, behind: str) -> None:
        self.steps: list[int] = []
        self.answering = asyncio.Event()
        self.answering.set()
        self._behind = behind
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def come(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def go(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        asked: dict[str, Any] = json.loads(body)
        if asked.get("service") == "CapNhatTienDoHoSoMC":
            self.steps.append(len(asked["data"]))
        await self.answering.wait()
        kind = {"Content-Type": request.headers["Content-Type"]}
        async with (
            ClientSession() as http,
            http.post(f"{self._behind}{request.path_qs}", data=body, headers=kind) as told,
        ):
            return web.Response(body=await told.read(), status=told.status, content_type=told.content_type)


@asynccontextmanager
async def two_workers_behind_a_breaker(url: str, vault: Path, portal: Visitor) -> AsyncIterator[tuple[Post, Front]]:
    """Each as in a process of its own: with a breaker that opens at the second failure."""
    front = Front(portal.url)
    await front.come()
    async with a_post(url, vault, portal, longest_pause=30.0) as post:
        endpoint = at(front.url, "1", secret=portal.secret)
        breaker = endpoint.breaker.model_copy(update={"failures": 2, "open_for": 1.0})
        endpoint = endpoint.model_copy(update={"breaker": breaker})
        for _ in range(2):
            gateway = await post.stack.enter_async_context(reaching(endpoint))
            post.start(gateway.handler)
        yield post, front
        await post.stop()
    await front.go()


async def test_one_event_is_the_probe_of_a_portal_that_comes_back(
    storage_url: str, tmp_path: Path, portal: Visitor
) -> None:
    async with two_workers_behind_a_breaker(storage_url, tmp_path / "vault", portal) as (post, front):
        for code in CODES:
            await post.desk.put(a_dossier(), code=code)
        await post.drained()
        await front.go()
        for code in CODES:
            await post.desk.push(a_status("4", sequence=1), code=code)
        await post.until(lambda: _tried(post, "circuit-open"), "a breaker is open")
        assert front.steps == []
        front.answering.clear()
        await front.come()
        await post.until(lambda: _asked(front), "the portal is asked")
        for worker, _ in post.running:
            await post.looked(worker)
        assert front.steps == [1]
        assert (await post.destination())["failures"] > 0
        front.answering.set()
        await post.drained()
        await post.is_exact({code: ["4"] for code in CODES})
        assert sum(front.steps) == len(CODES)
        assert (await post.destination())["failures"] == 0


async def _tried(post: Post, code: str) -> bool:
    return any(row["code"] == code for row in await post.attempts())


async def _asked(front: Front) -> bool:
    return bool(front.steps)
