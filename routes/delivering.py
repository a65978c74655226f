"""Delivery of dossiers while a process runs: beside the gateway in `serve`, alone in `lgsp worker` (chuyển hồ sơ)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from config.settings import Settings
from routes.assembly import Gateway, assembled
from routes.receiving import receiving
from schemas.exchange import Database
from sync.delivery import Courier, own_caller
from sync.figure_filling import fill
from sync.liveness import owner
from sync.queue import DESTINATION
from sync.reconciler import Reconciler
from sync.worker import Worker

GATEWAY: Final = web.AppKey("gateway", Gateway)


@asynccontextmanager
async def delivering(gateway: Gateway) -> AsyncIterator[None]:
    """Deliver while the block runs, where a destination is configured; what is under way then comes to its end."""
    filling = asyncio.create_task(fill(gateway.storage, gateway.dossiers.opener))
    try:
        async with _delivering(gateway):
            yield
    finally:
        filling.cancel()
        await asyncio.wait([filling])


@asynccontextmanager
async def _delivering(gateway: Gateway) -> AsyncIterator[None]:
    portal = next((each for each in gateway.destinations if each.name == DESTINATION), None)
    if portal is None:
        async with receiving(gateway):
            yield
        return
    settings, me = gateway.settings.sync, owner()
    endpoint = gateway.settings.endpoints[DESTINATION]
    courier = Courier(gateway.handler, portal, endpoint, gateway.log, gateway.dossiers.opener, me, settings)
    worker = Worker(gateway.storage, courier, DESTINATION, me, settings)
    caller = own_caller(portal, endpoint, settings)
    reconciler = Reconciler(gateway.storage, gateway.log, gateway.handler, portal, caller, owner(), settings)
    running = [asyncio.create_task(worker.run()), asyncio.create_task(reconciler.run())]
    try:
        async with gateway.dossiers.bell.heard_by(worker.wake), receiving(gateway):
            yield
    finally:
        worker.stop()
        reconciler.stop()
        await asyncio.wait(running, timeout=gateway.settings.server.grace)
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def beside(app: web.Application) -> AsyncIterator[None]:
    """Deliver as long as an application runs, for its `cleanup_ctx`."""
    async with delivering(app[GATEWAY]):
        yield


@asynccontextmanager
async def delivering_alone(settings: Settings, databases: tuple[Database, ...]) -> AsyncIterator[None]:
    """Deliver while the block runs, in a process that answers nobody; raises as `assembled`."""
    if DESTINATION not in settings.endpoints and not settings.webhooks:
        yield
        return
    async with assembled(settings, databases) as gateway, delivering(gateway):
        yield
