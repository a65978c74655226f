"""A deployment's database with clients that are called back, and senders that do it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

import sync.database  # noqa: F401 - declares every table
from config.inbox import Webhook
from security.client_store import CLIENTS
from storage.engine import Storage
from storage.schema import open_storage, upgrade
from sync.callback_sender import EVENTS, CallbackSender
from sync.callback_tables import CALLBACK_RECEIVERS, CALLBACKS
from sync.callbacks import Told, configure, tell
from sync.liveness import owner
from tests.test_callbacks.receiver import PATIENCE_S, SECRET

CODE = "000.00.00.H26-261130-0001"
QUICK: dict[str, Any] = {"secrets": [SECRET], "pause": 0.01, "longest_pause": 0.02, "timeout": 30.0}


def a_webhook(url: str, **more: Any) -> Webhook:
    return Webhook.model_validate({"url": url, **QUICK, **more})


def filed(agency: str = "H26", code: str = CODE) -> Told:
    return Told("dossier.filed", agency, {"code": code})


@dataclass
class Office:
    """Sends from this database; `start` is a process of its own as far as the database knows."""

    storage: Storage
    running: list[tuple[CallbackSender, asyncio.Task[None]]] = field(default_factory=list)

    def start(self, **webhooks: Webhook) -> CallbackSender:
        sender = CallbackSender(self.storage, webhooks, owner(), 0.02)
        self.running.append((sender, asyncio.create_task(sender.run())))
        return sender

    async def stop(self) -> None:
        for sender, task in self.running:
            sender.stop()
            await task
        self.running.clear()

    async def kill(self) -> None:
        """End all at once, wherever they are; what they hold stays held."""
        for sender, task in self.running:
            sender._owner = "somebody else"
            task.cancel()
        await asyncio.gather(*(task for _, task in self.running), return_exceptions=True)
        self.running.clear()

    async def configure(self, **webhooks: Webhook) -> None:
        await self.storage.write(lambda connection: configure(connection, webhooks, EVENTS))

    async def tell(self, *events: Told) -> None:
        now = time.time_ns() // 1_000_000
        await self.storage.write(lambda connection: tell(connection, events, now))

    async def rows(self) -> list[dict[str, Any]]:
        query = select(CALLBACKS).order_by(CALLBACKS.c.created_at, CALLBACKS.c.id)

        def look(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(query).mappings()]

        return await self.storage.read(look)

    async def receiver(self, client_id: str = "province") -> dict[str, Any]:
        query = select(CALLBACK_RECEIVERS).where(CALLBACK_RECEIVERS.c.client_id == client_id)

        def look(connection: Connection) -> dict[str, Any]:
            return dict(connection.execute(query).mappings().one())

        return await self.storage.read(look)

    async def change(self, table: Any, **values: Any) -> None:
        def write(connection: Connection) -> None:
            connection.execute(update(table).values(**values))

        await self.storage.write(write)

    async def until(self, holds: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():
                await asyncio.sleep(0.01)

    async def states(self, *wanted: str) -> None:
        """Wait until the rows are in these states, in any order."""

        async def holds() -> bool:
            return sorted(row["state"] for row in await self.rows()) == sorted(wanted)

        await self.until(holds)


async def add_clients(storage: Storage, **agencies: str) -> None:
    def write(connection: Connection) -> None:
        for number, (name, agency) in enumerate(agencies.items(), start=1):
            row = {"client_id": name, "version": number, "name": name, "agency": agency, "rights": "dossiers"}
            connection.execute(insert(CLIENTS).values(**row, created_at="2026-01-01T00:00:00+00:00"))

    await storage.write(write)


@asynccontextmanager
async def an_office(url: str) -> AsyncIterator[Office]:
    await upgrade(url)
    storage = await open_storage(url)
    await add_clients(storage, province="H26", ward="H26.18", neighbour="H22", old="000.00.00.H26")
    office = Office(storage)
    try:
        yield office
    finally:
        await office.stop()
        await storage.close()
