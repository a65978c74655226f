"""`python -m bench.load`: the callers, a process of its own that takes one job after the other as lines of JSON.

Closed loop: every connection asks again as soon as it was answered, which shows what a server can do. Open loop:
questions come at a fixed rate whatever the server does, and each one's time counts from when it was due, which shows
how long a caller waits.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvloop

from bench.jobs import Job, Outcome
from bench.processes import cpu_seconds
from bench.signed_questions import signed_questions

_DRAIN_SECONDS = 10.0
# Before a caller comes back to a server that has just failed it.
_PAUSE = 0.02


class Caller(asyncio.Protocol):
    """One caller: asks on a connection, and on a new one when the server has closed it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._since: float | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to ask."""
        # uvloop's transports are no subclass of it.
        self._transport = cast("asyncio.Transport", transport)
        self._run.ready(self)

    def ask(self, since: float) -> None:
        """Send the question; its time counts from `since`."""
        self._since = since
        assert self._transport is not None
        self._transport.write(self._run.question())

    def data_received(self, data: bytes) -> None:
        """Take the answer once it is complete."""
        if self._held:
            data = self._held + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._held = data
            return
        head = data[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            self._refused = True
            self._run.fail("an answer without a length")
            self._abandon()
            return
        if len(data) < end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0]):
            self._held = data
            return
        self._held = b""
        since, self._since = self._since, None
        if since is not None:
            self._run.take(data, end + 4, since)
        if b"connection: close" in head:
            self._abandon()
        else:
            self._run.ready(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Count a question that got no answer, and come back."""
        broken = self._since is not None
        if broken:
            self._since = None
            self._run.fail(f"the connection broke: {error or 'the other end closed it'}")
        self._transport = None
        self._held = b""
        self._run.lost(self, _PAUSE if broken or self._refused else 0.0)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _abandon(self) -> None:
        self._since = None
        self.close()


class Run:
    """One job at work."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.question = _questions(job)
        self.outcome = Outcome()
        self._loop = asyncio.get_running_loop()
        self._began = float("inf")
        self._over = False
        self._idle: list[Caller] = []
        self._due: deque[float] = deque()
        self._asked = 0
        self._drained = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._callers: set[Caller] = set()

    async def whole(self) -> Outcome:
        """Warm up, measure, let what is under way end."""
        job, outcome = self.job, self.outcome
        for _ in range(job.connections):
            self._connect()
        if job.rate is not None:
            self._loop.call_soon(self._arrive, time.monotonic() + 0.05, 1 / job.rate)
        await asyncio.sleep(job.warm)
        # Never the loop's own clock: uvloop's counts whole milliseconds.
        cpu, own, self._began = self._cpu(), _own(), time.monotonic()
        await asyncio.sleep(job.seconds)
        self._over = True
        outcome.cpu, outcome.own_cpu, outcome.wall = self._cpu() - cpu, _own() - own, time.monotonic() - self._began
        self._check_drained()
        try:
            await asyncio.wait_for(self._drained, _DRAIN_SECONDS)
        except TimeoutError:
            self._note(f"{self._asked + len(self._due)} questions were not answered in time")
        for task in self._tasks:
            task.cancel()
        # A connection that was just being made is given back before the loop ends.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for caller in self._callers:
            caller.close()
        await asyncio.sleep(0)
        return outcome

    def ready(self, caller: Caller) -> None:
        """Let a caller that waits for nothing ask again."""
        self._callers.add(caller)
        if self.job.rate is None:
            if not self._over:
                self._ask(caller, time.monotonic())
        elif self._due:
            self._ask(caller, self._due.popleft())
        else:
            self._idle.append(caller)

    def take(self, data: bytes, start: int, since: float) -> None:
        """Judge an answer."""
        self._asked -= 1
        if data.startswith(b"HTTP/1.1 200") and data.find(self.job.mark, start) > 0:
            if self._counts(since):
                self.outcome.answered += 1
                self.outcome.latencies.append(time.monotonic() - since)
            self.outcome.body = data[start:]
        else:
            self._note(data[: start + 200].decode(errors="replace"))
        self._check_drained()

    def fail(self, why: str) -> None:
        """Count a question that was not answered."""
        self._asked -= 1
        self._note(why)
        self._check_drained()

    def lost(self, caller: Caller, pause: float) -> None:
        """Open a connection in place of one that was closed, after a pause in seconds."""
        self._callers.discard(caller)
        if caller in self._idle:
            self._idle.remove(caller)
        if not self._over:
            self._connect(pause)

    def _counts(self, since: float) -> bool:
        """Tell whether an answer belongs to the time that counts.

        Closed loop: what was answered in it, as the CPU time is of it. Open loop: what was due in it, however late the
        answer came, or the slowest would be left out.
        """
        if self.job.rate is None:
            return time.monotonic() >= self._began and not self._over
        return self._began <= since < self._began + self.job.seconds

    def _note(self, why: str) -> None:
        self.outcome.failed += 1
        self.outcome.failure = self.outcome.failure or why

    def _check_drained(self) -> None:
        if self._over and self._asked <= 0 and not self._due and not self._drained.done():
            self._drained.set_result(None)

    def _ask(self, caller: Caller, since: float) -> None:
        self._asked += 1
        caller.ask(since)

    def _arrive(self, due: float, interval: float) -> None:
        if self._over:
            # Nobody waits any more for what would be asked now: its connection would be closed under it.
            return
        now = time.monotonic()
        while due <= now:
            self._due.append(due)
            due += interval
        while self._due and self._idle:
            self._ask(self._idle.pop(), self._due.popleft())
        self._loop.call_at(due, self._arrive, due, interval)

    def _connect(self, pause: float = 0.0) -> None:
        async def connect() -> None:
            try:
                await asyncio.sleep(pause)
                await self._loop.create_connection(lambda: Caller(self), "127.0.0.1", self.job.port)
            except OSError as error:
                self._note(f"no connection: {error}")

        task = self._loop.create_task(connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cpu(self) -> float:
        return sum(map(cpu_seconds, self.job.pids))


def _questions(job: Job) -> Callable[[], bytes]:
    if job.signer:
        key, certificate = map(Path, job.signer)
        return signed_questions(job.port, key, certificate)
    return lambda: job.request


def _own() -> float:
    return sum(os.times()[:2])


def _precise() -> asyncio.AbstractEventLoop:
    # epoll and libuv count whole milliseconds, which is what some exchanges take: select does not.
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def perform(job: Job) -> Outcome:
    """Do a job in an event loop of its own."""
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop if job.rate is None else _precise

    async def work() -> Outcome:
        return await Run(job).whole()

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work())


def main() -> None:
    """Do jobs until there are no more."""
    for line in sys.stdin:
        job = Job.read(line)
        if job.cores:
            os.sched_setaffinity(0, job.cores)
        print(json.dumps(perform(job).shown()), flush=True)


if __name__ == "__main__":
    main()
