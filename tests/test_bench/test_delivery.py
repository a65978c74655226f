"""The bench of delivery delivers everything, beside a client that is told when something is not taken."""

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench import delivery, outbox, sender
from bench.portal import SESSION, Portal


def test_the_worker_and_the_bare_client_deliver_in_calls_of_the_same_size(tmp_path: Path) -> None:
    with ExitStack() as stack:
        portal = delivery.Portal(stack, tmp_path / "portal.log")
        config = asyncio.run(outbox.deploy(tmp_path / "state", portal.url))
        found = delivery._beside_bare(config, portal, 120, 1)
        assert found.pop("batch") == 100
        assert set(found) == {"ours", "bare", "bare_one", "bare_single"}
        assert all(each["per_second"] > 0 and each["per_cpu_second"] > 0 for each in found.values())
        # What warms the worker up, its own, the bare client's, and the first call of each of those once more.
        assert portal.counted()["events"] == 500 + 120 + 2 * (600 + 100) + 120 + 1


def test_a_batch_that_is_not_taken_fails_the_run(tmp_path: Path) -> None:
    call = {"madonvi": "H26", "service": "CapNhatTienDoHoSoMC", "data": [{"MaHoSo": ""}]}
    with ExitStack() as stack:
        portal = delivery.Portal(stack, tmp_path / "portal.log")
        with pytest.raises(ValueError, match="did not take"):
            sender.sent(portal.url, json.dumps(call).encode(), 10, 5, 1)


def test_the_portal_takes_nothing_without_a_session() -> None:
    portal = Portal()
    asked: dict[str, Any] = {"service": "CapNhatTienDoHoSoMC", "data": [{"MaHoSo": "1"}, {"MaHoSo": "2"}]}
    assert json.loads(portal.answer(json.dumps(asked).encode()))["error_code"] == "-1"
    told = json.loads(portal.answer(json.dumps({"session": SESSION, **asked}).encode()))
    assert [one["MaHoSo"] for one in told["result"]] == ["1", "2"]
    assert json.loads(portal.answer(b"")) == {"calls": 1, "events": 2}


@pytest.mark.parametrize(
    ("ours", "long", "restart", "met"),
    [(1_000, 1_000, 5.0, True), (999, 1_000, 5.0, False), (1_000, 700, 5.0, False), (1_000, 1_000, 5.1, False)],
    ids=["met", "slow", "long-queue", "restart"],
)
def test_the_verdicts_are_those_of_the_targets(ours: int, long: int, restart: float, met: bool) -> None:
    pace = {"per_second": ours, "per_cpu_second": 1_000}
    bare = {"per_second": 1_000, "per_cpu_second": 1_000}
    queue = {"per_second": 1_000, "per_cpu_second": long}
    found = {"ours": pace, "bare": bare, "bare_single": bare, "short": bare, "long": queue, "restart_s": restart}
    judged = delivery.judged(found)
    assert all(figure["met"] in (True, None) for figure in judged.values()) is met
    assert judged["delivery/bare_single"]["met"] is None
