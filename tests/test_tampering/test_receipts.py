"""Receipts under kills, a few of them; `make receipts` does it with a hundred."""

from pathlib import Path

from tools.receipts_chaos import Plan, receipts


async def test_every_receipt_is_in_the_log_after_kills(tmp_path: Path) -> None:
    found = await receipts(Plan(kills=3, least=40, callers=4), tmp_path)
    assert found.flaws == []
    assert found.killed.total() == 3
    assert len(found.receipts) >= 40


async def test_two_nodes_of_two_writers_keep_one_log(tmp_path: Path, postgres_url: str) -> None:
    found = await receipts(Plan(kills=0, nodes=2, least=80, callers=6, storage=postgres_url), tmp_path)
    assert found.flaws == []
    assert len(found.receipts) >= 80
