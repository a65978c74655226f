"""Delivery of dossiers, and the log shown to witnesses: beside the gateway in `serve`, alone in `lgsp worker`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from adapters import destinations
from adapters.dispatch import served
from config.settings import Settings
from routes.assembly import Gateway, assembled
from routes.receiving import receiving
from schemas.exchange import Database
from sync.delivery import Courier, own_caller
from sync.figure_filling import fill
from sync.liveness import owner
from sync.reconciler import Reconciler
from sync.worker import Worker

GATEWAY: Final = web.AppKey("gateway", Gateway)


@asynccontextmanager
async def delivering(gateway: Gateway) -> AsyncIterator[None]:
    """Deliver and show the log to witnesses while the block runs, as configured; what is under way comes to its end."""
    filling = asyncio.create_task(fill(gateway.storage, gateway.dossiers.opener))
    try:
        async with _witnessing(gateway), _delivering(gateway):
            yield
    finally:
        filling.cancel()
        await asyncio.wait([filling])


@asynccontextmanager
async def _witnessing(gateway: Gateway) -> AsyncIterator[None]:
    running = [asyncio.create_task(witness.run()) for witness in gateway.witnesses]
    try:
        yield
    finally:
        for witness in gateway.witnesses:
            witness.stop()
        if running:
            await asyncio.wait(running)


@asynccontextmanager
async def _delivering(gateway: Gateway) -> AsyncIterator[None]:
    workers = [_worker(gateway, portal) for portal in gateway.destinations]
    loops: list[Worker | Reconciler] = [*workers, *([_reconciler(gateway)] if workers else [])]
    running = [asyncio.create_task(one.run()) for one in loops]

    def wake() -> None:
        for worker in workers:
            worker.wake()

    try:
        async with gateway.dossiers.bell.heard_by(wake), receiving(gateway):
            yield
    finally:
        for one in loops:
            one.stop()
        if running:
            await asyncio.wait(running, timeout=gateway.settings.server.grace)
            for task in running:
                task.cancel()
            await asyncio.wait(running)


def _worker(gateway: Gateway, portal: Database) -> Worker:
    settings, me = gateway.settings.sync, owner()
    endpoint = gateway.settings.endpoints[portal.name]
    courier = Courier(gateway.handler, portal, endpoint, gateway.log, gateway.dossiers.opener, me, settings)
    return Worker(gateway.storage, courier, portal.name, me, settings)


def _reconciler(gateway: Gateway) -> Reconciler:
    settings, endpoints = gateway.settings.sync, gateway.settings.endpoints
    portals = [(portal, own_caller(portal, endpoints[portal.name], settings)) for portal in gateway.destinations]
    return Reconciler(gateway.storage, gateway.log, gateway.handler, portals, owner(), settings)


async def beside(app: web.Application) -> AsyncIterator[None]:
    """Deliver as long as an application runs, for its `cleanup_ctx`."""
    async with delivering(app[GATEWAY]):
        yield


@asynccontextmanager
async def delivering_alone(settings: Settings, databases: tuple[Database, ...]) -> AsyncIterator[None]:
    """Deliver while the block runs, in a process that answers nobody; raises as `assembled`."""
    portals = served(destinations(settings.endpoints), settings.endpoints, databases)
    if not portals and not settings.webhooks and not settings.witness:
        yield
        return
    async with assembled(settings, databases) as gateway, delivering(gateway):
        yield
