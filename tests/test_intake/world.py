"""What the tests of intake share: a log, an intake on it, callers, dossiers and statuses to push."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from config.sync import Sync
from schemas.dossiers.models import DossierBody, StatusEvent
from schemas.dossiers.vocabularies import VOCABULARIES
from schemas.errors import GatewayError
from schemas.exchange import Caller, Credential
from sync.intake import Intake, Taken
from sync.pushes import Push
from sync.sealing import DossierSealer
from sync.tables import DOSSIER_EVENTS
from sync.under_way import UnderWay
from tests.test_audit.audit_world import World, a_world

CODE = "000.00.00.H26-261130-0001"
OTHER_CODE = "000.00.00.H26-261130-0002"
PERSON = "001090123456"
NAME = "Nguyễn Thị Hồng Ánh"


def a_caller(client_id: str = "province", agency: str = "H26") -> Caller:
    return Caller(client_id, agency, Credential("secret", "1"), {}, frozenset({"dossiers"}))


PROVINCE = a_caller()
NEIGHBOUR = a_caller("neighbour", "H22")


def a_dossier(**said: Any) -> dict[str, Any]:
    return {
        "procedure": "1.005129",
        "channel": "online",
        "owner_name": NAME,
        "owner_kind": "citizen",
        "owner_identities": [{"number": PERSON}],
        "received_at": "2026-11-30T08:00:00+07:00",
        **said,
    }


def a_status(status: str = "4", **said: Any) -> dict[str, Any]:
    return {"status": status, "at": "2026-11-30T09:00:00+07:00", **said}


@dataclass
class Desk:
    """An intake and what it stands on."""

    world: World
    intake: Intake

    async def push(
        self, body: dict[str, Any], *, code: str = CODE, key: str | None = None, caller: Caller = PROVINCE
    ) -> Taken:
        push = self.status(body, code=code, key=key, caller=caller)
        async with self.intake.working_on(caller, key):
            return await self.intake.take_one("r-1", push)

    async def put(self, body: dict[str, Any] | None = None, *, code: str = CODE, caller: Caller = PROVINCE) -> Taken:
        push = self.intake.prepare(caller, code, None, DossierBody.model_validate(body or a_dossier()))
        return await self.intake.take_one("r-1", push)

    async def all(self, pushes: list[Push], caller: Caller = PROVINCE) -> list[Taken | GatewayError]:
        return await self.intake.take(caller, "r-1", pushes)

    def status(
        self, body: dict[str, Any], *, code: str = CODE, key: str | None = None, caller: Caller = PROVINCE
    ) -> Push:
        return self.intake.prepare(caller, code, key or str(uuid.uuid4()), StatusEvent.model_validate(body))

    async def rows(self, table: Table = DOSSIER_EVENTS) -> list[dict[str, Any]]:
        def look(connection: Connection) -> list[dict[str, Any]]:
            query = select(table).order_by(*table.primary_key.columns)
            return [dict(row) for row in connection.execute(query).mappings()]

        return await self.world.storage.read(look)

    async def states(self) -> list[tuple[str | None, str, str | None]]:
        return [(row["national"], row["state"], row["reason"]) for row in await self.rows()]


@asynccontextmanager
async def a_desk(url: str, vault: Path, **settings: Any) -> AsyncIterator[Desk]:
    async with a_world(url, vault) as world:
        sealer = DossierSealer(world.sealer)
        intake = Intake(
            world.log, world.storage, sealer, Sync(**settings), VOCABULARIES, UnderWay(vault.parent / "under-way.lock")
        )
        try:
            yield Desk(world, intake)
        finally:
            intake.close()
