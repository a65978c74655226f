"""A small chaos: a few hundred events, a portal that misbehaves, five kills; `make chaos` does it with more."""

from pathlib import Path

from tools.chaos import Plan, chaos


async def test_nothing_is_lost_nothing_twice_order_kept(tmp_path: Path) -> None:
    found = await chaos(Plan(dossiers=60, kills=5, pause=1.0, patience=120.0), tmp_path)
    assert found.flaws == []
    assert (found.accepted, found.delivered, found.kills) == (300, 300, 5)


async def test_several_nodes_share_one_database(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    plan = Plan(dossiers=40, kills=4, nodes=2, pause=1.5, patience=120.0, storage=postgres_url, redis=redis_url)
    found = await chaos(plan, tmp_path)
    assert found.flaws == []
    assert (found.accepted, found.delivered, found.kills) == (200, 200, 4)
