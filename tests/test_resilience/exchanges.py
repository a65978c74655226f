"""Exchanges and handlers for the stage, without a database behind them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.breaker import Record
from adapters.breakers import Breakers
from adapters.resilience import retried
from config.settings import Breaker as BreakerLimits
from config.settings import Endpoint, Retry
from schemas.errors import (
    Text,
)
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Operation
from schemas.fields import Question
from schemas.fields import Record as AnswerRecord

TITLE = Text("Thử", "Trial")
RETRY = Retry(attempts=3, initial=0.1, maximum=2.0)
DONE = Answer({"name": "x"})


@dataclass(frozen=True, slots=True)
class Nothing:
    """A binding that nobody compiles here: the handlers of these tests stand where dispatch would."""

    protocol: str = "none"


class NoStore:
    """Shares with nobody; `test_breakers` has the real one."""

    async def load(self) -> Mapping[str, Record]:
        return {}

    async def save(self, endpoint: str, record: Record) -> bool:
        return True


@dataclass
class Source:
    """A handler that fails as told and answers from then on; sleeping is noted, not done."""

    failures: list[BaseException] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    calls: int = 0

    async def __call__(self, exchange: Exchange) -> Answer:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return DONE

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


def exchange(*, repeatable: bool = True, seconds: float = 60.0, endpoint: str | None = None) -> Exchange:
    operation = Operation(
        name="person",
        title=TITLE,
        question=Question,
        answer=AnswerRecord,
        binding=Nothing(),
        repeatable=repeatable,
        endpoint=endpoint,
    )
    return Exchange(
        id="e",
        database=Database(name="population", title=TITLE, owner=TITLE, operations=(operation,)),
        operation=operation,
        question=Question.model_construct(),
        caller=Caller("c", "G01", Credential("secret", "s"), {}),
        purpose=None,
        asked_at=datetime.now(UTC),
        deadline=asyncio.get_running_loop().time() + seconds,
    )


def endpoint(*, retry: Retry = RETRY, failures: int = 1000) -> Endpoint:
    return Endpoint(url="http://127.0.0.1:9", retry=retry, breaker=BreakerLimits(failures=failures, open_for=10))


async def run(
    source: Source, asked: Exchange, settings: Endpoint | None = None, breakers: Breakers | None = None
) -> Answer:
    endpoints = {"population": settings or endpoint(), "health-card": endpoint()}
    breakers = breakers or Breakers(endpoints, NoStore())
    try:
        return await retried(breakers, endpoints, sleep=source.sleep)(source)(asked)
    finally:
        await breakers.close()
