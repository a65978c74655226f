"""The deadline of the exchange bounds everything further in."""

import asyncio

import pytest

from adapters.breakers import Breakers
from adapters.resilience import Deadlines, Limit, retried
from config.settings import Retry
from schemas.errors import (
    UpstreamTimeout,
    UpstreamUnavailable,
)
from schemas.exchange import Answer, Exchange
from tests.test_resilience.doubles import leap
from tests.test_resilience.exchanges import DONE, NoStore, Source, endpoint, exchange


@pytest.mark.parametrize("repeatable", [True, False])
async def test_deadline_ends_whatever_is_under_way(repeatable: bool) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hangs(_: Exchange) -> Answer:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return DONE

    endpoints = {"population": endpoint(failures=1)}
    breakers = Breakers(endpoints, NoStore())
    asked = exchange(repeatable=repeatable, seconds=60)
    call = asyncio.create_task(retried(breakers, endpoints)(hangs)(asked))
    await begun.wait()
    leap(60)
    with pytest.raises(UpstreamTimeout):
        await call
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


async def test_each_exchange_ends_at_its_own_deadline() -> None:
    ended: list[float] = []

    async def hangs(asked: Exchange) -> Answer:
        await asyncio.Event().wait()
        return DONE

    endpoints = {"population": endpoint()}
    breakers = Breakers(endpoints, NoStore())
    handler = retried(breakers, endpoints)(hangs)

    async def ask(seconds: float) -> None:
        with pytest.raises(UpstreamTimeout):
            await handler(exchange(seconds=seconds))
        ended.append(seconds)

    patient = asyncio.create_task(handler(exchange(seconds=6_000)))
    calls = asyncio.gather(*(ask(seconds) for seconds in (300, 50, -1, 150)))
    for turn, seconds in enumerate((0, 100, 100, 150), 1):
        leap(seconds)
        while len(ended) < turn:
            await asyncio.sleep(0)
        # Whoever else ended with it has time to say so.
        for _ in range(10):
            await asyncio.sleep(0)
        assert ended == [-1, 50, 150, 300][:turn]
    await calls
    assert not patient.done()
    patient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await patient
    await breakers.close()


@pytest.mark.parametrize(("struck", "cancelled"), [(True, False), (False, True), (True, True)])
async def test_a_caller_that_goes_away_at_the_deadline_has_gone_away(struck: bool, cancelled: bool) -> None:
    limit = Limit(Deadlines(), asyncio.get_running_loop().time() + 60)
    inside = asyncio.Event()

    async def block() -> None:
        with limit:
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await inside.wait()
    if struck:
        limit.strike()
    if cancelled:
        task.cancel()
    with pytest.raises(asyncio.CancelledError if cancelled else TimeoutError):
        await task
    assert limit.expired == struck


async def test_an_answer_in_the_last_moment_counts() -> None:
    limit = Limit(Deadlines(), asyncio.get_running_loop().time() + 60)
    with limit:
        try:
            limit.strike()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            answer = "there"
    assert answer == "there"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
