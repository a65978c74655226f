"""Showing the checkpoints of a log to a witness, and what is known of that afterwards."""

from __future__ import annotations

from typing import Any

from adapters.witnesses import office as way_to
from config.witness import Witness
from security.audit.reading import Filter
from security.audit.witnessed import Standing, standing
from sync.witnessing import Witnessing
from tests.test_audit.audit_world import World
from tests.test_witnesses.conftest import Office


def shown_to(world: World, settings: Witness, name: str = "one", owner: str = "me") -> Witnessing:
    return Witnessing(name, settings, way_to(name, settings), world.storage, world.log, owner)


def over_http(office: Office, **more: Any) -> Witness:
    return Witness(kind="http", url=office.url, key=office.witness.key.encode(), **more)


async def how(world: World, name: str = "one") -> Standing:
    return await world.storage.read(lambda connection: standing(connection, name))


async def actions(world: World) -> list[str]:
    found = await world.reader.entries(Filter(kind="admin"), limit=100)
    return [str(item.entry["details"]["action"]) for item in found]  # type: ignore[index]
