"""Operators see how much waits, counted beside delivery."""

import asyncio

from prometheus_client import REGISTRY

from tests.test_delivery.doubles import Double, hanging
from tests.test_delivery.world import Post, a_code, a_dossier


async def test_what_waits_is_counted_while_the_portal_does_not_answer(local: Post) -> None:
    for number in range(1, 4):
        await local.desk.put(a_dossier(), code=a_code(number))
    local.start(Double(local.handler, hanging(asyncio.Event(), applies=False), of="register"))
    await local.until(lambda: _shown(3.0), "three wait")
    local.abandon()


async def _shown(waiting: float) -> bool:
    return REGISTRY.get_sample_value("lgsp_deliveries_waiting", {"destination": "portal"}) == waiting
