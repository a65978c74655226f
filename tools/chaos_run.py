"""A chaos run: what is running, what is done to it, how far it is."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientSession

from tools.chaos_judgement import Found
from tools.chaos_processes import Courier, Gateway, Portal, Process
from tools.chaos_sources import STATUSES, Sources

FAULTS: Final = (
    None,
    "error=0.05,drop-after-commit=0.05",
    "error=0.05",
    "down",
    "latency=0.3s,error=0.05",
    "session-expired=20,drop-after-commit=0.1",
    "session-expired,error=0.05",
    "malformed",
    "throttled=30/s",
    "late-answer=0.5s",
    "batch-all-or-nothing",
)
HELD: Final = "late-answer=3s"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. `storage` is the address of a database for `nodes` gateways of `processes` each.

    Each gateway has `workers` processes of `lgsp worker` beside it; with none it delivers itself. `pushers` sources
    push, half of them in files. `restarts` is how often the portal is killed, `outage` for how many seconds it is down
    at first. `kill_redis` and `flush_redis` are called now and then.
    """

    dossiers: int = 2_000
    pushers: int = 8
    kills: int = 20
    restarts: int = 4
    nodes: int = 1
    processes: int = 1
    workers: int = 2
    storage: str = "sqlite:///lgsp.sqlite"
    redis: str = ""
    seed: int = 6
    outage: float = 0.0
    patience: float = 900.0
    meddle: tuple[Callable[[], None], ...] = ()


@dataclass(slots=True)
class Run:
    """One run: what is running, who pushes, how far it is."""

    plan: Plan
    state: Path
    http: ClientSession
    portal: Portal
    gateways: list[Gateway]
    couriers: list[Courier]
    sources: Sources
    dice: random.Random
    found: Found = field(default_factory=Found)
    kills: list[float] = field(default_factory=list)
    waiting: int | None = None
    weather: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def has_pushed(self, share: float) -> bool:
        """Tell whether this share of everything is accepted."""
        return len(self.sources.told.accepted) >= share * self.plan.dossiers * (len(STATUSES) + 1)

    async def has_delivered(self, share: float) -> bool:
        """Tell whether this share of everything is delivered."""
        accepted = len(self.sources.told.accepted)
        return self.waiting is not None and accepted - self.waiting >= share * self.plan.dossiers * (len(STATUSES) + 1)

    @property
    def delivering(self) -> list[Process]:
        """What sends to the portal."""
        return [*self.couriers] or [*self.gateways]

    async def misbehave(self, fault: str | None) -> bool:
        """Tell the portal how to be; False while it does not run."""
        with suppress(ClientError, OSError, TimeoutError):
            async with self.http.put(f"{self.portal.url}/_faults", json={"fault": fault}) as answer:
                answer.raise_for_status()
                return True
        return False

    async def change_weather(self) -> None:
        """Let the portal be in one way after the other, in none for long."""
        dice = random.Random(self.plan.seed + 1)  # noqa: S311 - no secret
        while True:
            async with self.weather:
                await self.misbehave(dice.choice(FAULTS))
            await asyncio.sleep(dice.uniform(0.5, 3.0))

    async def keep_house(self) -> None:
        """Do what an owner does: look how much waits, send dead letters again."""
        while True:
            status, told, _ = await self.sources.ask("GET", "/v1/destinations")
            if status == 200:
                (portal,) = told["items"]
                if portal["dead"]:
                    wanted = {"filter": {"state": "dead"}, "expect": portal["dead"]}
                    await self.sources.ask("POST", "/v1/deliveries/retry", wanted)
                self.waiting = portal["waiting"] + portal["dead"]
            for process in (*self.gateways, *self.couriers) if self.plan.outage else ():
                self.found.memory.setdefault(str(process.pid), []).append(process.memory())
            await asyncio.sleep(0.5)

    async def each(
        self, times: int, what: Callable[[], Awaitable[None]], reached: Callable[[float], Awaitable[bool]]
    ) -> None:
        """Do something so many times, spread over what `reached` measures; 20 s apart at most."""
        for number in range(times):
            due = 0.95 * (number + self.dice.random()) / times
            await self._waited(partial(reached, due), 20.0, 0.02)
            await what()

    @staticmethod
    async def _waited(holds: Callable[[], Awaitable[bool]], seconds: float, pause: float) -> bool:
        """Wait until something holds; False where it did not in time."""
        until = time.monotonic() + seconds
        while True:
            if await holds():
                return True
            if time.monotonic() > until:
                return False
            await asyncio.sleep(pause)

    async def kill(self) -> None:
        """Kill a gateway, one of its processes, or everything, half of the time when something was just committed."""
        victim = self.dice.choice(self.gateways)
        children = victim.pids()[1:]
        if self.dice.random() < 0.5:
            await asyncio.sleep(self.dice.uniform(0.0, 0.5))
        else:
            self._committed(self.dice.uniform(0.0, 0.004))
        if (drawn := self.dice.random()) < 0.2:
            self._kill("everything", *self.gateways, *self.couriers)
        elif children and drawn < 0.6:
            self.kills.append(time.time())
            victim.kill(children)
            self.found.done["killed a process of a gateway"] += 1
        else:
            self._kill("a gateway", victim)

    async def kill_while_answers_are_held(self) -> None:
        """Let the portal hold its answers back, wait until it has applied more than before, kill what waits for it."""
        async with self.weather:
            # One that failed a moment ago is only probed.
            for fault in (None, HELD):
                await self.misbehave(fault)
                await self._waited(partial(self._more_applied, await self._applied()), 10.0, 0.05)
            if self.dice.random() < 0.5:
                self._kill("everything that delivers", *self.delivering)
            else:
                self._kill("one that delivers", self.dice.choice(self.delivering))

    def _kill(self, what: str, *victims: Process) -> None:
        self.kills.append(time.time())
        for each in victims:
            each.kill()
        self.found.done[f"killed {what}"] += 1

    async def _applied(self) -> int:
        with suppress(ClientError, OSError, TimeoutError):
            async with self.http.get(f"{self.portal.url}/_ledger") as answer:
                return (await answer.read()).count(b"\n")
        return 0

    async def _more_applied(self, before: int) -> bool:
        return await self._applied() > before

    def _committed(self, later: float) -> None:
        """Return that many seconds after the journal of the database was written; at once where there is none.

        Nothing else may run meanwhile: an answer is there a millisecond later.
        """
        journal, until = self.state / "lgsp.sqlite-wal", time.monotonic() + 0.5
        with suppress(OSError):
            before = journal.stat().st_mtime_ns
            while journal.stat().st_mtime_ns == before and time.monotonic() < until:
                pass
            time.sleep(later)

    async def restart_portal(self) -> None:
        """Kill the portal; what it holds then is what it had on its disk."""
        async with self.weather:
            self.portal.kill()
            self.found.done["killed the portal"] += 1

    async def meddle(self) -> None:
        """Disturb what is around."""
        await asyncio.to_thread(self.dice.choice(self.plan.meddle))
        self.found.done["disturbed Redis"] += 1

    async def pushed(self) -> None:
        """Let all sources push to the end, meanwhile everything that is planned."""
        numbers, plan = range(1, self.plan.dossiers + 1), self.plan
        async with asyncio.TaskGroup() as group:
            for first in range(plan.pushers):
                push = self.sources.in_files if first % 2 else self.sources.one_by_one
                group.create_task(push(numbers[first :: plan.pushers]))
            group.create_task(self.each(plan.kills - plan.kills // 2, self.kill, self.has_pushed))
            group.create_task(self.each(plan.kills // 2, self.kill_while_answers_are_held, self.has_delivered))
            group.create_task(self.each(plan.restarts, self.restart_portal, self.has_delivered))
            if plan.meddle:
                group.create_task(self.each(plan.kills, self.meddle, self.has_delivered))
            if plan.outage:
                group.create_task(self._outage())

    async def _outage(self) -> None:
        async with self.weather:
            await self.misbehave("down")
            await asyncio.sleep(self.plan.outage)
            await self.misbehave(None)

    async def drained(self) -> None:
        """Wait until nothing waits any more, as `keep_house` sees it."""
        self.waiting = None
        if not await self._waited(self._is_empty, self.plan.patience, 0.1):
            self.found.flaws.append(f"not everything was delivered in time: {self.waiting} wait")

    async def _is_empty(self) -> bool:
        return self.waiting == 0

    async def calm(self) -> None:
        """Let the portal behave from now on."""
        await self._waited(partial(self.misbehave, None), self.plan.patience, 0.1)
