"""A small chaos: a few hundred events, a portal that misbehaves, some kills; `make chaos` does it with more."""

from pathlib import Path

from tests.services import Redis
from tools.chaos import Plan, chaos, disturbances


async def test_nothing_is_lost_nothing_twice_order_kept(tmp_path: Path) -> None:
    plan = Plan(dossiers=60, pushers=4, kills=4, restarts=1, workers=1, patience=120.0)
    found = await chaos(plan, tmp_path)
    assert found.flaws == []
    assert (found.accepted, found.delivered, found.done.total()) == (300, 300, 5)


async def test_several_nodes_share_one_database(tmp_path: Path, postgres_url: str, redis_server: Redis) -> None:
    redis_server.flush()
    several = {"nodes": 2, "workers": 0, "storage": postgres_url, "redis": redis_server.url}
    plan = Plan(
        dossiers=40, pushers=4, kills=2, restarts=0, meddle=disturbances(redis_server), patience=120.0, **several
    )
    found = await chaos(plan, tmp_path)
    assert found.flaws == []
    assert (found.accepted, found.delivered, found.done.total()) == (200, 200, 4)
