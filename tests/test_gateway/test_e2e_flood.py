"""A flood of requests from nobody we know: others are answered all the same, and the log hardly grows."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.test_gateway import evidence
from tests.test_gateway.live import Caller, Live

REQUESTS = 1_500


async def test_nobody_can_fill_the_log_without_credentials(caller: Caller, live: Live) -> None:
    await caller.token()
    database = Path(live.described["database"])
    before = len(evidence.stored_entries(database))
    slots = asyncio.Semaphore(32)
    statuses: list[int] = []

    async def knock(number: int, session: ClientSession) -> None:
        # Every trick to look like many sources, and every way to be unknown.
        headers = {"X-Forwarded-For": f"203.0.113.{number % 250}", "Forwarded": f"for=198.51.100.{number % 250}"}
        headers |= {"X-Request-Id": f"r{number}", "Authorization": f"Bearer {number}.x.y"} if number % 3 else {}
        path = ("/v1/population/person", f"/v1/{number}", "/oauth2/token", "/v1/me")[number % 4]
        async with slots, session.post(f"{caller.url}{path}", json={"n": number}, headers=headers) as answer:
            statuses.append(answer.status)

    async with ClientSession() as session:
        known = 0
        # A known caller asks in the middle of every wave, however fast this machine is.
        for wave in range(0, REQUESTS, REQUESTS // 6):
            flood = asyncio.gather(*(knock(number, session) for number in range(wave, wave + REQUESTS // 6)))
            assert (await caller.ask("population/person")).status == 200
            known += 1
            await flood
    assert known > 5
    assert set(statuses) <= {400, 401, 415}
    grown = len(evidence.stored_entries(database)) - before - known
    # What the demo's configuration allows for a minute or two.
    assert 0 <= grown <= 120
    metrics = (await caller.send("GET", "/metrics")).body.decode()
    assert "203.0.113" not in metrics
    assert metrics.count("lgsp_http_requests_total{") < 200


async def test_the_flood_is_in_the_log_as_a_count(session: ClientSession, tmp_path: Path) -> None:
    demo = Live(tmp_path / "state", seed=1, people=20)
    try:
        caller = Caller(demo, session)
        for _ in range(30):
            assert (await caller.send("POST", "/v1/population/person", json={})).status == 401
    finally:
        assert demo.stop() == 0
    entries = [json.loads(entry) for entry in evidence.stored_entries(Path(demo.described["database"]))]
    counts = [entry["details"] for entry in entries if entry["kind"] == "anonymous"]
    assert sum(each["count"] for each in counts if each["what"] == "unauthenticated") == 30
    assert {each["source"] for each in counts} == {"127.0.0.1"}
    assert len(counts) <= 2


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/.well-known/api-catalog"]
)
async def test_what_needs_no_credentials(caller: Caller, path: str) -> None:
    assert (await caller.send("GET", path)).status == 200
