"""The stage `retried`: what may be asked again is asked again, never past the deadline, never against an open breaker.

The exchange's deadline is a hard bound here for everything further in, so that no source, log-in or queue can keep a
caller longer than it was promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from time import perf_counter

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from adapters.breaker import Outcome, outcome
from adapters.breakers import Breakers
from adapters.dispatch import endpoint_of
from config import tracing
from config.metrics import Spread, Tally, labelled, metrics
from config.settings import Endpoint
from schemas.errors import GatewayError, Text, UpstreamTimeout, UpstreamUnavailable
from schemas.exchange import Answer, Exchange, Handler, Stage

Sleep = Callable[[float], Awaitable[None]]


class Deadlines:
    """Cancels what is late, with one timer for everything under way.

    It is set again only when it would strike too late: a timer for each exchange would be made and thrown away, since
    hardly any exchange lives to see its deadline.
    """

    def __init__(self) -> None:
        # What strikes at its deadline unless it has been taken out by then.
        self.under_way: dict[Limit, float] = {}
        # When the timer is set for; nobody's deadline may lie before.
        self.next = float("inf")
        self._timer: asyncio.TimerHandle | None = None

    def strike_at(self, moment: float) -> None:
        """Set the timer for `moment` instead."""
        if self._timer is not None:
            self._timer.cancel()
        self.next = moment
        self._timer = asyncio.get_running_loop().call_at(moment, self._strike)

    def _strike(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in [limit for limit, deadline in self.under_way.items() if deadline <= now]:
            del self.under_way[limit]
            limit.strike()
        self._timer = None
        self.next = float("inf")
        if self.under_way:
            self.strike_at(min(self.under_way.values()))


class Limit:
    """What `asyncio.timeout_at` is, on a shared timer: cancels the block at its deadline and raises TimeoutError."""

    __slots__ = ("_before", "_deadline", "_deadlines", "_task", "expired")

    def __init__(self, deadlines: Deadlines, deadline: float) -> None:
        self._deadlines = deadlines
        self._deadline = deadline
        self.expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._before = task.cancelling()
        deadline, deadlines = self._deadline, self._deadlines
        deadlines.under_way[self] = deadline
        if deadline < deadlines.next:
            deadlines.strike_at(deadline)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if not self.expired:
            del self._deadlines.under_way[self]
        # Somebody else may have cancelled the task as well; then it is not ours to catch.
        elif self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError

    def strike(self) -> None:
        """End the block now."""
        self.expired = True
        self._task.cancel()


def worth_repeating(error: BaseException) -> bool:
    """Tell whether the same question may fare better in a moment.

    Our own overload and an open breaker are retryable for the caller, later; repeating at once would feed them.
    """
    return isinstance(error, (UpstreamUnavailable, UpstreamTimeout)) and error.retryable


def retried(breakers: Breakers, endpoints: Mapping[str, Endpoint], *, sleep: Sleep = asyncio.sleep) -> Stage:
    """Make the stage; `sleep` waits that many seconds.

    Between attempts lies an exponential back-off with full jitter, or the source's Retry-After if that is longer. An
    operation with effect gets one attempt. When no attempt is left, or the next one could only start after the
    deadline or against an open breaker, the last error stands.
    """

    deadlines = Deadlines()

    def stage(handler: Handler) -> Handler:
        async def attempt(exchange: Exchange, endpoint: str) -> Answer:
            permit = breakers.admit_at_once(endpoint) or await breakers.admit(endpoint)
            exchange.trail.attempts += 1
            began = perf_counter()
            span = tracing.asking(endpoint)
            result: Outcome = "success"
            label = "ok"
            try:
                return await handler(exchange)
            except BaseException as error:
                result, label = outcome(error), _label(error)
                raise
            finally:
                breakers.record(endpoint, permit, result)
                seconds, attempts = _counting(endpoint, label)
                seconds.observe(perf_counter() - began)
                attempts.inc()
                if span is not None:
                    span.end(failed=result == "failure", lgsp__outcome=label)

        async def again(exchange: Exchange, endpoint: str, error: GatewayError) -> Answer:
            first = [error]

            # A failure of the first attempt is put into the machinery as it was.
            async def next_attempt() -> Answer:
                if first:
                    raise first.pop()
                return await attempt(exchange, endpoint)

            limits = endpoints[endpoint].retry
            backoff = wait_random_exponential(multiplier=limits.initial, max=limits.maximum)
            clock = asyncio.get_running_loop().time

            def wait(state: RetryCallState) -> float:
                return max(backoff(state), _asked_pause(state))

            def stop(state: RetryCallState) -> bool:
                return (
                    state.attempt_number >= limits.attempts
                    or clock() + state.upcoming_sleep >= exchange.deadline
                    or breakers.refuses(endpoint)
                )

            retrying = AsyncRetrying(
                sleep=sleep, stop=stop, wait=wait, retry=retry_if_exception(worth_repeating), reraise=True
            )
            return await retrying(next_attempt)

        async def bounded(exchange: Exchange) -> Answer:
            endpoint = endpoint_of(exchange.database, exchange.operation)
            exchange.trail.endpoint = endpoint
            limit = Limit(deadlines, exchange.deadline)
            try:
                with limit:
                    try:
                        return await attempt(exchange, endpoint)
                    except (UpstreamUnavailable, UpstreamTimeout) as error:
                        if not exchange.operation.repeatable or endpoints[endpoint].retry.attempts == 1:
                            raise
                        failed = error
                    # An answer at the first attempt, the common case, does without this.
                    return await again(exchange, endpoint, failed)
            except TimeoutError:
                if not limit.expired:
                    raise
                late = UpstreamTimeout(
                    Text(f"Nguồn {endpoint} không trả lời kịp hạn.", f"{endpoint} did not answer before the deadline.")
                )
                # A log-in may have taken all the time that there was.
                late.unsent = not exchange.trail.messages
                raise late from None

        return bounded

    return stage


@lru_cache(maxsize=1024)
def _counting(endpoint: str, label: str) -> tuple[Spread, Tally]:
    counters = metrics()
    return labelled(counters.upstream_seconds, endpoint), labelled(counters.upstream_attempts, endpoint, label)


def _label(ended: BaseException) -> str:
    if isinstance(ended, GatewayError):
        return ended.code
    return "internal" if isinstance(ended, Exception) else "abandoned"


def _asked_pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return (error.retry_after or 0.0) if isinstance(error, GatewayError) else 0.0
