"""A gateway at work whose machine loses its power, a few times; `make power` does it a hundred times."""

from pathlib import Path

from tools.power_chaos import Plan, power


async def test_what_a_gateway_told_outlives_power_failures(tmp_path: Path) -> None:
    found = await power(Plan(moments=3, between=15, acts=("redact",)), tmp_path)
    assert found.flaws == {}
    assert found.moments == 3
    assert found.receipts > 30
    assert found.statuses > 0
    assert found.held > 60
