"""The database server crashes, is restarted and is away, under a gateway at work."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services import Postgres
from tests.test_dossier_failures.world import Site, a_code, a_file, a_site


@pytest.fixture
async def site(tmp_path: Path, postgres_url: str) -> AsyncIterator[Site]:
    async with a_site(tmp_path, postgres_url) as made:
        yield made


async def test_a_server_that_crashes_while_a_file_is_pushed_and_answers_come(postgres: Postgres, site: Site) -> None:
    lines, processes = a_file(50, 6), site.processes()

    async def applied() -> bool:
        return bool(await site.ledger())

    async def breaks() -> None:
        # The portal has applied some of them, the gateway cannot write that down.
        await site.until(applied)
        await asyncio.to_thread(postgres.stop)

    await site.misbehave("late-answer=2s")
    try:
        assert await site.stream(lines, breaks) == ["accepted"] * 256 + ["refused"] * 94
        assert (await site.push(a_code(101), 7)).status == 503
        assert (await site.put(a_code(1))).status == 503
        assert (await site.ask("GET", "/v1/destinations")).status == 503
        done = await site.lgsp("dossiers", "destinations")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("lgsp: the database could not be used: "), done.stderr
    finally:
        await asyncio.to_thread(postgres.start)
    await site.misbehave(None)
    await site.push_until_taken(a_code(102), 7)
    assert await site.stream(lines) == ["duplicate"] * 256 + ["accepted"] * 94
    await site.push_until_taken(a_code(101), 7)
    await site.is_exact()
    assert site.processes() == processes


async def test_a_server_that_is_restarted_under_sources_that_push_one_by_one(postgres: Postgres, site: Site) -> None:
    codes, processes = [a_code(number) for number in range(1, 7)], site.processes()
    for code in codes:
        assert (await site.put(code)).status == 201

    async def source(code: str) -> None:
        for sequence in range(1, 31):
            await site.push_until_taken(code, sequence)

    async def reached(count: int) -> None:
        async def enough() -> bool:
            return len(site.told) >= count

        await site.until(enough)

    pushing = [asyncio.create_task(source(code)) for code in codes]
    for count, mode in ((30, "immediate"), (90, "fast")):
        await reached(count)
        await asyncio.to_thread(postgres.stop, mode)
        await asyncio.to_thread(postgres.start)
    await asyncio.gather(*pushing)
    await site.is_exact()
    assert site.processes() == processes
