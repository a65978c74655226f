"""What `GET /v1/destinations` says while the portal is killed, held and back, and that all of it arrives once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.test_dossier_failures.world import Site, a_code, a_site, answering


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_site(tmp_path, "sqlite:///lgsp.sqlite") as made:
        yield made


async def seen(site: Site, **wanted: Any) -> dict[str, Any]:
    """Wait until the destination says so; return all that it says."""
    found: dict[str, Any] = {}

    async def holds() -> bool:
        found.clear()
        found.update(await site.destination())
        return {name: found[name] for name in wanted} == wanted

    await site.until(holds)
    return found


async def test_destinations_tell_how_the_portal_is(site: Site) -> None:
    code = a_code(1)
    assert (await site.put(code)).status == 201
    await site.push(code, 1)
    up = await seen(site, state="up", waiting=0)
    assert (up["since"], up["oldest"], up["expected_drain_s"]) == (None, None, 0)
    site.portal.stop()
    before = datetime.now(UTC)
    await site.push(code, 2)
    await site.push(code, 3)
    down = await seen(site, state="down", waiting=2)
    assert before <= datetime.fromisoformat(down["since"]) <= datetime.now(UTC)
    assert datetime.fromisoformat(down["oldest"]) >= before.replace(microsecond=0)
    assert datetime.fromisoformat(down["next_try"]) >= datetime.fromisoformat(down["since"])
    assert down["expected_drain_s"] is None

    # A probe that fails changes nothing but how often it did.
    async def probed() -> bool:
        return bool((await site.destination())["failures"] > down["failures"])

    await site.until(probed)
    later = await site.destination()
    assert (later["state"], later["since"]) == ("down", down["since"])
    assert (await site.lgsp("dossiers", "pause", "--why", "bảo trì")).returncode == 0
    paused = await seen(site, state="paused")
    assert (paused["reason"], paused["waiting"], paused["expected_drain_s"]) == ("bảo trì", 2, None)
    site.portal.start()
    await answering(site.http, f"{site.portal.url}/_faults")
    assert (await site.lgsp("dossiers", "resume")).returncode == 0
    await site.delivered()
    again = await seen(site, state="up", waiting=0)
    assert (again["since"], again["failures"], again["expected_drain_s"]) == (None, 0, 0)


async def test_a_portal_that_is_killed_while_it_holds_answers_back_is_told_nothing_twice(site: Site) -> None:
    codes = [a_code(number) for number in range(1, 21)]
    await asyncio.gather(*(site.put(code) for code in codes))
    await site.misbehave("late-answer=3s")
    for sequence in (1, 2, 3):
        await asyncio.gather(*(site.push(code, sequence) for code in codes))

    async def applied() -> bool:
        return bool(await site.ledger())

    await site.until(applied)
    site.portal.kill()
    await answering(site.http, f"{site.portal.url}/_faults")
    await site.is_exact()
