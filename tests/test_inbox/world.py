"""A deployment that fetches what people file at the simulated portal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select, update

import sync.database  # noqa: F401 - declares every table
from adapters.portal import PORTAL
from config.inbox import Inbox
from config.settings import Endpoint
from config.sync import Sync
from schemas.dossiers.vocabularies import VOCABULARIES
from schemas.exchange import Handler
from sync.acknowledging import Acknowledging
from sync.delivery import own_caller
from sync.inbox_reader import InboxReader
from sync.inbox_tables import INBOX_DOSSIERS, INBOX_PORTALS
from sync.intake import Intake
from sync.liveness import owner
from sync.opening import Opener
from sync.sealing import DossierSealer
from sync.under_way import UnderWay
from tests.test_audit.audit_world import World, a_world
from tests.test_portal.visitor import Visitor
from tests.test_portal_adapter.wiring import at, reaching

CODE = "H26-20261130-0000001"
OTHER = "H26.18-20261130-0000002"
PERSON = "001090123456"
NAME = "Nguyễn Thị Hồng Ánh"
PATIENCE_S = 60.0


def filed(code: str = CODE, **more: Any) -> dict[str, Any]:
    """What somebody files, in the words of generation 1; a value of None drops the field."""
    right = {
        "MaHoSo": code,
        "MaTTHC": "1.005129",
        "KenhThucHien": "2",
        "ChuHoSo": NAME,
        "LoaiDoiTuong": "1",
        "DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": PERSON}],
        "SoDienThoai": "0912345678",
        "NgayNopHoSo": "20261130080000",
        "TrangThaiHoSo": "1",
        **more,
    }
    return {name: value for name, value in right.items() if value is not None}


@dataclass
class Box:
    """Readers over one database, and what they have read."""

    world: World
    portal: Visitor
    endpoint: Endpoint
    handler: Handler
    acknowledging: Acknowledging
    opener: Opener
    running: list[tuple[InboxReader, asyncio.Task[None]]] = field(default_factory=list)

    def start(self, handler: Handler | None = None, **settings: Any) -> InboxReader:
        """Start one more process that reads, as far as the database knows."""
        reader = InboxReader(
            handler or self.handler,
            PORTAL,
            own_caller(PORTAL, self.endpoint, Sync()),
            self.world.storage,
            self.world.log,
            lambda: DossierSealer(self.world.sealer),
            owner(),
            Inbox(enabled=True, **{"every": 0.02, "page": 3, **settings}),
        )
        self.running.append((reader, asyncio.create_task(reader.run())))
        return reader

    async def stop(self) -> None:
        for reader, task in self.running:
            reader.stop()
            await task
        self.running.clear()

    async def file(self, *elements: Any) -> None:
        async with self.portal.http.post(f"{self.portal.url}/_filed", json={"dossiers": list(elements)}) as answer:
            assert answer.status == 200

    async def read_again(self) -> None:
        """Wait until a reading that begins from now on has come to its end."""
        before = (await self.standing()).get("read_at") or 0

        async def holds() -> bool:
            found = await self.standing()
            return bool(found) and found["lease_owner"] is None and (found["read_at"] or 0) > before

        for _ in range(2):
            await self.until(holds)
            before = (await self.standing())["read_at"]

    async def rows(self, table: Table = INBOX_DOSSIERS) -> list[dict[str, Any]]:
        def look(connection: Connection) -> list[dict[str, Any]]:
            query = select(table).order_by(*table.primary_key.columns)
            return [dict(row) for row in connection.execute(query).mappings()]

        return await self.world.storage.read(look)

    async def standing(self) -> dict[str, Any]:
        rows = await self.rows(INBOX_PORTALS)
        return rows[0] if rows else {}

    async def change(self, **values: Any) -> None:
        def write(connection: Connection) -> None:
            connection.execute(update(INBOX_PORTALS).values(**values))

        await self.world.storage.write(write)

    async def states(self) -> list[tuple[str | None, int, str]]:
        return [(row["code"], row["version"], row["state"]) for row in await self.rows()]

    async def holds(self, many: int) -> None:
        """Wait until there are so many rows."""

        async def enough() -> bool:
            return len(await self.rows()) >= many

        await self.until(enough)

    async def until(self, holds: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def a_box(url: str, vault: Path, portal: Visitor, generation: str = "1") -> AsyncIterator[Box]:
    endpoint = at(portal.url, generation, secret=portal.secret)
    async with a_world(url, vault) as world, reaching(endpoint) as gateway:
        sealer = DossierSealer(world.sealer)
        under_way = UnderWay(vault.parent / "under-way.lock")
        intake = Intake(world.log, world.storage, sealer, Sync(), VOCABULARIES, under_way)
        opener = Opener(sealer)
        acknowledging = Acknowledging(world.storage, world.log, opener, intake)
        box = Box(world, portal, endpoint, gateway.handler, acknowledging, opener)
        try:
            yield box
        finally:
            await box.stop()
            intake.close()
