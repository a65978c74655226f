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

    patient = asyncio.create_task(handler(exchange(seconds=60)))
    await asyncio.gather(*(ask(seconds) for seconds in (0.3, 0.05, -1.0, 0.15)))
    assert ended == [-1.0, 0.05, 0.15, 0.3]
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
