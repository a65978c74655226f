"""The stage `retried`: what is repeated, how often and after which pause."""

from itertools import chain, repeat

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY

from adapters.breakers import Breakers
from adapters.login import Link
from adapters.resilience import retried
from adapters.transport import Message, Throttled, Undelivered, refusal
from config.settings import Endpoint, Retry, Timeout
from schemas.errors import (
    CircuitOpen,
    EvidenceUnavailable,
    GatewayError,
    NoRecord,
    Overloaded,
    UpstreamRefused,
    UpstreamSignatureRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from schemas.exchange import Answer, Exchange
from tests.test_resilience.exchanges import DONE, RETRY, NoStore, Source, endpoint, exchange, run

REPEATED = (UpstreamUnavailable, UpstreamTimeout, Undelivered, Throttled)
FINAL = (
    NoRecord,
    UpstreamRefused,
    UpstreamUnreadable,
    UpstreamSignatureRejected,
    Overloaded,
    EvidenceUnavailable,
    CircuitOpen,
)


@pytest.mark.parametrize("attempts", [1, 2, 3, 10])
@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("kind", [*REPEATED, *FINAL])
@pytest.mark.parametrize("lasting", [1, 2, 100])
async def test_fault_table(kind: type[GatewayError], repeatable: bool, attempts: int, lasting: int) -> None:
    source = Source(failures=[kind() for _ in range(lasting)])
    asked = exchange(repeatable=repeatable)
    allowed = attempts if repeatable and kind in REPEATED else 1
    settings = endpoint(retry=Retry(attempts=attempts))
    if lasting < allowed:
        assert await run(source, asked, settings) is DONE
    else:
        with pytest.raises(kind):
            await run(source, asked, settings)
    assert source.calls == asked.trail.attempts == min(lasting + 1, allowed)
    assert len(source.pauses) == source.calls - 1


async def test_success_is_asked_once() -> None:
    source = Source()
    asked = exchange()
    assert await run(source, asked) is DONE
    assert (source.calls, asked.trail.attempts, asked.trail.endpoint) == (1, 1, "population")


async def test_attempts_are_counted_by_outcome() -> None:
    def counts() -> list[float]:
        return [
            REGISTRY.get_sample_value("lgsp_upstream_attempts_total", {"endpoint": "population", "outcome": code}) or 0
            for code in ("ok", "upstream-timeout", "no-record", "internal")
        ]

    before = counts()
    await run(Source(failures=[UpstreamTimeout(), UpstreamTimeout()]), exchange())
    with pytest.raises(NoRecord):
        await run(Source(failures=[NoRecord()]), exchange())
    with pytest.raises(KeyError):
        await run(Source(failures=[KeyError()]), exchange())
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [1, 2, 1, 1]


async def test_faults_of_ours_are_not_repeated() -> None:
    source = Source(failures=[KeyError("bug"), KeyError("bug")])
    with pytest.raises(KeyError):
        await run(source, exchange())
    assert source.calls == 1


async def test_timeout_error_of_something_else_is_not_taken_for_the_deadline() -> None:
    with pytest.raises(TimeoutError):
        await run(Source(failures=[TimeoutError()]), exchange())


async def test_pauses_have_full_jitter_below_a_doubling_bound() -> None:
    seen: list[list[float]] = []
    # So often that none of the fourteen looks below fails by chance once in a hundred million runs.
    for _ in range(80):
        source = Source(failures=[UpstreamUnavailable() for _ in range(7)])
        await run(source, exchange(), endpoint(retry=Retry(attempts=8, initial=0.1, maximum=2.0)))
        seen.append(source.pauses)
    for number, pauses in enumerate(zip(*seen, strict=True)):
        bound = min(0.1 * 2**number, 2.0)
        assert all(0 <= pause <= bound for pause in pauses)
        assert min(pauses) < bound / 3
        assert max(pauses) > bound * 2 / 3


async def test_retry_after_of_the_source_is_waited_for() -> None:
    source = Source(failures=[UpstreamUnavailable(retry_after=7), Throttled(retry_after=5.5)])
    assert await run(source, exchange()) is DONE
    assert source.pauses == [7, 5.5]


async def test_retry_after_beyond_the_deadline_ends_at_once_with_that_error() -> None:
    source = Source(failures=[UpstreamUnavailable(retry_after=61)])
    with pytest.raises(UpstreamUnavailable) as caught:
        await run(source, exchange(seconds=60))
    assert caught.value.retry_after == 61
    assert (source.calls, source.pauses) == (1, [])


async def test_open_breaker_refuses_before_dispatch() -> None:
    settings = endpoint(failures=3)
    breakers = Breakers({"population": settings, "health-card": settings}, NoStore())
    source = Source(failures=[UpstreamUnavailable() for _ in range(100)])
    with pytest.raises(UpstreamUnavailable):
        await run(source, exchange(), settings, breakers)
    assert source.calls == 3
    asked = exchange()
    with pytest.raises(CircuitOpen) as refused:
        await run(source, asked, settings, breakers)
    assert (source.calls, asked.trail.attempts) == (3, 0)
    assert refused.value.retry_after
    # Another endpoint of the same database is another circuit.
    assert await run(Source(), exchange(endpoint="health-card"), settings, breakers) is DONE


async def test_exchange_that_opens_the_breaker_keeps_its_own_error() -> None:
    settings = endpoint(failures=2)
    source = Source(failures=[UpstreamUnavailable() for _ in range(100)])
    with pytest.raises(UpstreamUnavailable):
        await run(source, exchange(), settings)
    assert source.calls == 2
    assert len(source.pauses) == 1


async def test_answers_that_nobody_matches_never_open() -> None:
    settings = endpoint(failures=1)
    breakers = Breakers({"population": settings}, NoStore())
    for kind in (NoRecord, UpstreamRefused, UpstreamUnreadable, UpstreamSignatureRejected, Throttled, Overloaded):
        for _ in range(3):
            with pytest.raises(kind):
                await run(Source(failures=[kind()]), exchange(repeatable=False), settings, breakers)
    assert [shown.state for shown in breakers.snapshots()] == ["closed"]


@pytest.mark.parametrize(
    ("statuses", "attempts", "result"),
    [
        ([500, 502, 200], 3, None),
        ([429, 200], 2, None),
        ([503, 503, 503], 3, UpstreamUnavailable),
        ([404], 1, UpstreamRefused),
        ([302], 1, UpstreamUnreadable),
    ],
)
async def test_over_a_real_socket(statuses: list[int], attempts: int, result: type[GatewayError] | None) -> None:
    queue = chain(statuses, repeat(200))

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=next(queue), headers={"Retry-After": "3"}, body=b"x")

    app = web.Application()
    app.router.add_post("/", handle)
    note = Source()
    async with TestServer(app) as server:
        endpoints = {"population": Endpoint(url=str(server.make_url("/")), retry=RETRY, timeout=Timeout())}
        link = Link("population", endpoints["population"])
        breakers = Breakers(endpoints, NoStore())

        async def dispatched(asked: Exchange) -> Answer:
            reply = await link.send(Message("POST", "/", {}, b"q"), deadline=asked.deadline)
            error = refusal("population", reply)
            if error is not None:
                raise error
            return DONE

        handler = retried(breakers, endpoints, sleep=note.sleep)(dispatched)
        asked = exchange()
        try:
            if result is None:
                assert await handler(asked) is DONE
            else:
                with pytest.raises(result):
                    await handler(asked)
        finally:
            await link.close()
            await breakers.close()
    assert asked.trail.attempts == attempts
    assert note.pauses == [3] * (attempts - 1)
