"""A portal that answers what a test wants it to, in front of the real one or instead of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from schemas.exchange import Answer, Exchange, Handler

Reaction = Callable[[Exchange, Handler], Awaitable[Answer]]


class Double:
    """Hands exchanges on, except that each of `reactions` deals with one write, in order; `asked` counts operations."""

    def __init__(self, handler: Handler, *reactions: Reaction, of: str = "progress") -> None:
        self._handler = handler
        self._reactions = list(reactions)
        self._of = of
        self.asked: list[str] = []

    async def __call__(self, exchange: Exchange) -> Answer:
        self.asked.append(exchange.operation.name)
        if exchange.operation.name == self._of and self._reactions:
            return await self._reactions.pop(0)(exchange, self._handler)
        return await self._handler(exchange)


def lost(error: Exception) -> Reaction:
    """It is applied, and instead of the answer there is an error."""

    async def react(exchange: Exchange, handler: Handler) -> Answer:
        await handler(exchange)
        raise error

    return react


def failing(error: Exception) -> Reaction:
    """Nothing is applied."""

    async def react(exchange: Exchange, handler: Handler) -> Answer:
        raise error

    return react


def saying(outcome: str, reason: str, *, applies: bool = False, each: bool = True) -> Reaction:
    """Answer so, of each element or of the whole."""

    async def react(exchange: Exchange, handler: Handler) -> Answer:
        if applies:
            await handler(exchange)
        question: Any = exchange.question
        told = {"outcome": outcome, "reason": reason, "source_code": "x", "message": None}
        sent = getattr(question, "steps", None) or question.dossiers
        elements = [{"code": one.code, **told} for one in sent] if each else []
        return Answer({**told, "elements": elements})

    return react


def hanging(reached: asyncio.Event, *, applies: bool) -> Reaction:
    """Never answer."""

    async def react(exchange: Exchange, handler: Handler) -> Answer:
        if applies:
            await handler(exchange)
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    return react


def refusing(code: str) -> Reaction:
    """Take everything but what is about one dossier."""

    async def react(exchange: Exchange, handler: Handler) -> Answer:
        question: Any = exchange.question
        sent = question.steps
        taken: dict[str, Any] = {}
        if others := [step for step in sent if step.code != code]:
            exchange.question = question.model_copy(update={"steps": others})
            taken = {each["code"]: each for each in (await handler(exchange)).data["elements"]}
        refused = {"outcome": "refused", "reason": "invalid-data", "source_code": "1", "message": None}
        return Answer(
            {**refused, "elements": [taken.get(step.code) or {"code": step.code, **refused} for step in sent]}
        )

    return react
