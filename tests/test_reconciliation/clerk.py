"""A reconciliation as it runs beside delivery, and a portal whose memory a test changes behind the gateway's back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from adapters.portal import PORTAL
from config.sync import Sync
from schemas.exchange import Database, Handler
from schemas.ids import new_id
from sync import reconciliations as rows
from sync.delivery import own_caller
from sync.figures import VIETNAM
from sync.liveness import owner
from sync.reconciler import Reconciler
from sync.reconciliation_acts import begin
from sync.reconciliations import Reconciliation
from tests.test_delivery.world import Post


def today() -> str:
    return datetime.now(VIETNAM).date().isoformat()


def now() -> int:
    return time.time_ns() // 1_000_000


async def begun(post: Post, *, repair: bool = False, agency: str = "H26", day: str | None = None) -> Reconciliation:
    new = rows.new(new_id(), agency, day or today(), now(), repair=repair, client_id="province", credential="secret:1")
    return await begin(post.desk.world.log, new)


def a_reconciler(
    post: Post,
    handler: Handler | None = None,
    name: str | None = None,
    more: tuple[Database, ...] = (),
    **settings: Any,
) -> Reconciler:
    held = Sync(**{**post.settings.model_dump(), "reconcile_rate": 1000.0, **settings})
    world = post.desk.world
    caller = own_caller(PORTAL, post.endpoint, held)
    portals = [(portal, caller) for portal in (PORTAL, *more)]
    return Reconciler(world.storage, world.log, handler or post.handler, portals, name or owner(), held)


@asynccontextmanager
async def working(*reconcilers: Reconciler) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in reconcilers]
    try:
        yield
    finally:
        for each in reconcilers:
            each.stop()
        await asyncio.gather(*tasks)


async def ended(post: Post, one: Reconciliation) -> Reconciliation:
    """Wait until it is over."""

    async def over() -> bool:
        return (await read(post, one)).state != "running"

    await post.until(over, "it is over")
    return await read(post, one)


async def read(post: Post, one: Reconciliation) -> Reconciliation:
    found = await post.desk.world.storage.read(lambda connection: rows.find(connection, one.id, None))
    assert found is not None
    return found


async def found(post: Post, one: Reconciliation) -> list[tuple[str, str | None, str | None, str | None]]:
    """What was found: kind, expected, found, repair."""
    listed = await post.desk.world.storage.read(
        lambda connection: rows.findings(connection, one.position, None, 0, 500)
    )
    return [(each.kind, each.expected, each.found, each.repair) for each in listed]


async def reconciled(post: Post, *, repair: bool = False, **more: Any) -> list[tuple[str, Any, Any, Any]]:
    """Reconcile today and say what was found."""
    one = await begun(post, repair=repair)
    async with working(a_reconciler(post, **more)):
        over = await ended(post, one)
    assert over.state == "done"
    return await found(post, one)


async def lost(post: Post, code: str, step: int | None = None) -> None:
    path = f"/_dossiers/{code}" + ("" if step is None else f"/steps/{step}")
    async with post.portal.http.delete(f"{post.portal.url}{path}") as answer:
        assert answer.status == 204


async def restated(post: Post, code: str, status: str) -> None:
    async with post.portal.http.put(f"{post.portal.url}/_dossiers/{code}", json={"status": status}) as answer:
        assert answer.status == 204
