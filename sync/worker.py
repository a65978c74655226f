"""The loop that delivers: it takes what is due, as much as its batches have room for, and sleeps until more is.

Any number of them work on one deployment, in one process, in several, on several nodes: they share nothing but the
storage. One that is told to stop takes nothing more and lets what is under way come to its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from config.metrics import metrics
from config.sync import Sync
from schemas.errors import GatewayError
from storage.engine import Storage
from storage.errors import StorageError
from sync.clock import Steps, is_behind, retime
from sync.delivery import Courier
from sync.destinations import condition
from sync.leases import Claim, claim, gone, held_by_others, next_due, release, release_some
from sync.watch import Watch

log = structlog.get_logger()

BATCH: Final = 100
"""Events that one batch takes at most."""
_SWEEP_S: Final = 5.0
_MEASURE_S: Final = 15.0
_MEASURE_SHARE: Final = 0.01
"""Of the time, at most, goes into counting what waits."""
_GATHER_S: Final = 0.05
"""Between two batches that are not full: each costs several commits, however little is in it."""
_AFTER_FAILURE_S: Final = 1.0


class Worker:
    """Delivers to one destination as `owner` until it is told to stop."""

    def __init__(self, storage: Storage, courier: Courier, destination: str, owner: str, settings: Sync) -> None:
        self._storage = storage
        self._courier = courier
        self._destination = destination
        self._owner = owner
        self._settings = settings
        self._under_way: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = False
        self._watch = Watch(settings.lease)
        self._steps = Steps()
        # The last claim found as much as it may take: there is more.
        self._more = False
        self._swept = float("-inf")
        # When to look at how much waits, by the monotonic clock; it is done beside delivery.
        self._measured = float("-inf")
        self._measuring: asyncio.Task[None] | None = None
        self._rested = float("-inf")

    def wake(self) -> None:
        """Look at once: something was handed in."""
        self._woken.set()

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is under way is over."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Deliver until told to stop; a storage that is down is waited for."""
        try:
            while not self._stopping:
                try:
                    wait = await self._turn()
                except StorageError as failure:
                    log.warning("delivery-waits", hint=str(failure))
                    wait = _AFTER_FAILURE_S
                except Exception as failure:
                    log.error("delivery-failed", exc_info=failure)
                    wait = _AFTER_FAILURE_S
                if wait > 0:
                    await self._sleep(wait)
            if self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            left = [*self._under_way, *([self._measuring] if self._measuring is not None else [])]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
            with suppress(StorageError):
                await self._storage.write(partial(release, owner=self._owner, due_at=self._settled()))

    async def _turn(self) -> float:
        """Do what can be done now; return the seconds until there may be more."""
        self._woken.clear()
        now = _now()
        await self._follow_the_clock(now)
        if time.monotonic() - self._swept >= _SWEEP_S:
            self._swept = time.monotonic()
            await self._sweep()
        if self._measuring is None and time.monotonic() >= self._measured:
            self._measuring = asyncio.create_task(self._measure(now))
        rest = self._rested - time.monotonic()
        if rest > 0:
            return rest
        room = self._settings.parallel - len(self._under_way)
        if room <= 0:
            return self._settings.poll
        if not self._more:
            due = await self._storage.read(lambda connection: next_due(connection, self._destination))
            if due is None or due > now:
                return self._settings.poll if due is None else min(self._settings.poll, (due - now) / 1000)
        claims = await self._storage.write(
            lambda connection: claim(connection, self._destination, self._owner, _now(), BATCH, self._settings)
        )
        self._more = len(claims) == BATCH
        if not self._more:
            self._rested = time.monotonic() + _GATHER_S
        if claims:
            task = asyncio.create_task(self._deliver(claims))
            self._under_way.add(task)
            task.add_done_callback(self._over)
        return 0.0

    async def _follow_the_clock(self, now: int) -> None:
        """Let nothing wait for a time that a clock before this one meant."""
        first = self._swept == float("-inf")
        went_back = self._steps.back(now / 1000, time.monotonic())
        if not went_back and not (first and await self._storage.read(partial(is_behind, now=now))):
            return
        mended = await self._storage.write(
            partial(retime, destination=self._destination, now=now, settings=self._settings)
        )
        log.warning("clock-set-back", dossiers=mended)

    async def _sweep(self) -> None:
        """Free what workers hold that are gone, or have not been heard of for as long as leases last."""
        for name in await self._storage.read(gone):
            freed = await self._storage.write(partial(release, owner=name, due_at=self._settled()))
            log.info("leases-freed", dossiers=freed)
        held = await self._storage.read(partial(held_by_others, owner=self._owner))
        over: dict[str, list[str]] = {}
        for lease in self._watch.over(held, time.monotonic()):
            over.setdefault(lease.owner, []).append(lease.code)
        for name, codes in over.items():
            await self._storage.write(partial(release_some, owner=name, codes=codes, due_at=_now()))
            log.info("leases-over", dossiers=len(codes))

    async def _deliver(self, claims: Sequence[Claim]) -> None:
        try:
            await self._courier.deliver(claims)
            return
        except GatewayError as error:
            log.error("outcome-not-kept", events=len(claims), hint=str(error))
        except Exception as failure:
            log.error("delivery-failed", exc_info=failure)
        # What became of them is found out as after a crash, without waiting for their leases to run out.
        codes = [each.event.code for each in claims]
        while not self._stopping:
            with suppress(StorageError):
                due = self._settled()
                await self._storage.write(partial(release_some, owner=self._owner, codes=codes, due_at=due))
                return
            await self._sleep(_AFTER_FAILURE_S)

    async def _measure(self, now: int) -> None:
        """Show how much waits; the more that is, the longer it takes to count, and the less often it is done."""
        begun = time.monotonic()
        self._measured = begun + _MEASURE_S
        try:
            found = await self._storage.read(lambda connection: condition(connection, self._destination, now))
        except StorageError as failure:
            log.warning("waiting-not-counted", hint=str(failure))
            return
        finally:
            self._measuring = None
        self._measured = begun + max(_MEASURE_S, (time.monotonic() - begun) / _MEASURE_SHARE)
        waited = 0.0 if found.oldest is None else max(now - found.oldest, 0) / 1000
        shown = metrics()
        shown.deliveries_waiting.labels(self._destination).set(found.waiting)
        shown.deliveries_oldest.labels(self._destination).set(waited)
        shown.deliveries_dead.labels(self._destination).set(found.dead)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._woken.set()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _settled(self) -> int:
        """From when on the portal may be asked what became of something whose end is not known."""
        return _now() + round(self._settings.settle * 1000)


def _now() -> int:
    return time.time_ns() // 1_000_000
