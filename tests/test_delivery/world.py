"""Intake, outbox and the simulated portal together: what is pushed here is seen in the portal's ledger."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.portal import PORTAL
from config.settings import Endpoint
from config.sync import Sync
from schemas.exchange import Handler
from sync.delivery import Courier
from sync.liveness import owner
from sync.opening import Opener
from sync.sealing import DossierSealer
from sync.tables import DELIVERY_ATTEMPTS, DESTINATIONS
from sync.watch import Watch
from sync.worker import Worker
from tests.test_audit.audit_world import a_world
from tests.test_intake.world import Desk, a_desk, a_dossier, a_status
from tests.test_portal.visitor import Visitor
from tests.test_portal_adapter.wiring import at, reaching

QUICK: dict[str, Any] = {"settle": 0.0, "pause": 0.01, "longest_pause": 0.05, "poll": 0.02, "gap_wait": 0.0}
PATIENCE_S = 60.0


@dataclass
class Post:
    """A deployment that delivers to a portal."""

    desk: Desk
    portal: Visitor
    endpoint: Endpoint
    handler: Handler
    settings: Sync
    stack: AsyncExitStack
    running: list[tuple[Worker, asyncio.Task[None]]] = field(default_factory=list)
    abandoned: list[tuple[Worker, asyncio.Task[None]]] = field(default_factory=list)

    def start(self, handler: Handler | None = None, name: str | None = None) -> Worker:
        """Start one more worker."""
        me = name or owner()
        world = self.desk.world
        opener = Opener(DossierSealer(world.sealer))
        courier = Courier(handler or self.handler, PORTAL, self.endpoint, world.log, opener, me, self.settings)
        worker = Worker(world.storage, courier, "portal", me, self.settings)
        self.running.append((worker, asyncio.create_task(worker.run())))
        return worker

    async def stop(self) -> None:
        """End all workers, as a process does that is told to stop."""
        for worker, task in self.running:
            worker.stop()
            await task
        self.running.clear()

    def abandon(self) -> None:
        """Leave all workers hanging where they are, as a killed process leaves its rows: nothing is given up."""
        for worker, _ in self.running:
            # Its task waits for a batch that never ends.
            worker.stop()
        self.abandoned += self.running
        self.running.clear()

    def end_leases(self, worker: Worker) -> None:
        """Let a worker that has just started find leases of others over when it looks first."""
        worker._watch = Watch(0.0)

    @staticmethod
    def now() -> int:
        return time.time_ns() // 1_000_000

    async def looked(self, worker: Worker) -> None:
        """Wait until a worker has looked twice for what is due."""
        for _ in range(2):
            worker.wake()
            await self.until(lambda: self._asleep(worker), "it looked")

    @staticmethod
    async def _asleep(worker: Worker) -> bool:
        return not worker._woken.is_set()

    async def until(self, holds: Callable[[], Any], what: str) -> None:
        """Look until a coroutine function says yes."""
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():
                await asyncio.sleep(0.02)

    async def over(self) -> bool:
        """Whether nothing is left to be delivered."""
        return not [row for row in await self.desk.rows() if row["state"] in ("waiting", "queued", "sending")]

    async def drained(self) -> None:
        await self.until(self.over, "nothing is left")

    async def ledger(self) -> list[dict[str, Any]]:
        async with self.portal.http.get(f"{self.portal.url}/_ledger") as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def told(self) -> list[tuple[str, int, str, int]]:
        """The ledger: dossier, sequence, status, times applied."""
        return [
            (line["dossier"], line["sequence"], line["status"], line["times_applied"]) for line in await self.ledger()
        ]

    async def attempts(self) -> list[dict[str, Any]]:
        return await self.desk.rows(DELIVERY_ATTEMPTS)

    async def destination(self) -> dict[str, Any]:
        rows = await self.desk.rows(DESTINATIONS)
        return rows[0] if rows else {}

    async def is_exact(self, wanted: dict[str, list[str]]) -> None:
        """Hold the ledger to what was pushed: each event once, those of each dossier in order."""
        seen: dict[str, list[str]] = {code: [] for code in wanted}
        for code, _, status, times in await self.told():
            assert times == 1, (code, status, times)
            seen[code].append(status)
        assert seen == wanted
        assert Counter(row["state"] for row in await self.desk.rows()).keys() == {"delivered"}


@asynccontextmanager
async def a_post(url: str, vault: Path, portal: Visitor, generation: str = "1", **settings: Any) -> AsyncIterator[Post]:
    """Open a deployment on this database with the portal of a visitor; no worker runs yet."""
    held = QUICK | settings
    endpoint = at(portal.url, generation, secret=portal.secret)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(a_desk(url, vault, **held))
        gateway = await stack.enter_async_context(reaching(endpoint))
        post = Post(desk, portal, endpoint, gateway.handler, Sync(**held), stack)
        try:
            yield post
        finally:
            await post.stop()
            for _, task in post.abandoned:
                task.cancel()
            await asyncio.gather(*(task for _, task in post.abandoned), return_exceptions=True)


def a_code(number: int) -> str:
    return f"000.00.00.H26-261130-{number:04}"


__all__ = ["Post", "a_code", "a_dossier", "a_post", "a_status", "a_world"]
