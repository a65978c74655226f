"""The deadline of the exchange bounds everything further in."""

import asyncio

import pytest

from adapters.breakers import Breakers
from adapters.resilience import retried
from config.settings import Retry
from schemas.errors import (
    UpstreamTimeout,
    UpstreamUnavailable,
)
from schemas.exchange import Answer, Exchange
from tests.test_resilience.exchanges import DONE, NoStore, Source, endpoint, exchange


@pytest.mark.parametrize("repeatable", [True, False])
async def test_deadline_ends_whatever_is_under_way(repeatable: bool) -> None:
    ended = asyncio.Event()

    async def hangs(_: Exchange) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return DONE

    endpoints = {"population": endpoint(failures=1)}
    breakers = Breakers(endpoints, NoStore())
    asked = exchange(repeatable=repeatable, seconds=0.05)
    with pytest.raises(UpstreamTimeout):
        await retried(breakers, endpoints)(hangs)(asked)
    assert ended.is_set()
    assert asked.trail.attempts == 1
    # An impatient caller must not close the source for the others.
    assert [shown.state for shown in breakers.snapshots()] == ["closed"]
    await breakers.close()


async def test_deadline_ends_a_pause() -> None:
    async def forever(_: float) -> None:
        await asyncio.Event().wait()

    endpoints = {"population": endpoint(retry=Retry(initial=0.0))}
    breakers = Breakers(endpoints, NoStore())
    source = Source(failures=[UpstreamUnavailable()])
    with pytest.raises(UpstreamTimeout):
        await retried(breakers, endpoints, sleep=forever)(source)(exchange(seconds=0.5))
    await breakers.close()


async def test_deadline_already_past_is_a_timeout() -> None:
    async def slow(_: Exchange) -> Answer:
        await asyncio.Event().wait()
        return DONE

    endpoints = {"population": endpoint()}
    breakers = Breakers(endpoints, NoStore())
    with pytest.raises(UpstreamTimeout):
        await retried(breakers, endpoints)(slow)(exchange(seconds=-1))
    await breakers.close()


async def test_a_caller_that_goes_away_is_let_go() -> None:
    inside = asyncio.Event()

    async def hangs(_: Exchange) -> Answer:
        inside.set()
        await asyncio.Event().wait()
        return DONE

    endpoints = {"population": endpoint(failures=1)}
    breakers = Breakers(endpoints, NoStore())
    call = asyncio.create_task(retried(breakers, endpoints)(hangs)(exchange()))
    await inside.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [shown.state for shown in breakers.snapshots()] == ["closed"]
    await breakers.close()
