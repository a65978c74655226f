"""`serve`: the parent binds the sockets and forks workers that share them; it keeps them alive and stops them in order.

The parent has no event loop and no thread, so forking is safe. Signals: TERM or INT ends after what is in flight (a
second one sooner), HUP reloads in every worker. A worker that dies is started again after a growing pause; workers
whose parent dies stop by themselves.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog
import uvloop
from aiohttp import web

from config import metrics
from config.logging import configure
from config.settings import ConfigurationError, Settings
from routes.listening import Address, Sockets, bind_all, running

log = structlog.get_logger()

MakeApp = Callable[[Settings, int], Awaitable[web.Application]]

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
# Between the end of `server.grace` and SIGKILL; time to cut off, close the storage and exit.
_KILL_AFTER = 5.0
_PAUSE_FIRST, _PAUSE_MOST = 0.1, 10.0
# A worker that lived so long did not die of how it was started.
_SETTLED = 30.0

# How many objects more than before start a collection, and how many collections one of the next generation. Nearly
# nothing that a request makes refers to itself: the default of 700 looks for such rings every few requests and finds
# the ones under way instead. What errors leave in rings until the next look costs some 5 MB.
_COLLECT = (20_000, 20, 50)


@dataclass(slots=True)
class _Worker:
    index: int
    pid: int | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0
    ready: bool = False


def serve(
    settings: Settings,
    make_app: MakeApp,
    *,
    sockets: Sockets | None = None,
    on_ready: Callable[[Mapping[str, Address]], None] | None = None,
) -> int:
    """Run `settings.server.workers` processes until told to stop; return the exit code, 1 if it never got going.

    `make_app` is called in each worker with its index from 0. `on_ready` is called in the parent once all answer, with
    host and port by role. Raises ConfigurationError where an address cannot be bound. Has to run in the main thread of
    a process without other threads.
    """
    configure(settings.log.level)
    bound = sockets or bind_all(settings.server)
    try:
        with tempfile.TemporaryDirectory(prefix="lgsp-metrics-") as directory:
            metrics.share(Path(directory))
            try:
                return _Parent(settings, make_app, bound, on_ready).run()
            finally:
                del os.environ[metrics.DIRECTORY_VARIABLE]
    finally:
        bound.close()


class _Parent:
    def __init__(
        self,
        settings: Settings,
        make_app: MakeApp,
        sockets: Sockets,
        on_ready: Callable[[Mapping[str, Address]], None] | None,
    ) -> None:
        self._settings = settings
        self._make_app = make_app
        self._sockets = sockets
        self._on_ready = on_ready
        self._workers = [_Worker(index) for index in range(settings.server.workers)]
        self._stopping = False
        self._failed = False
        self._ever_ready = False
        self._kill_at = float("inf")
        # The workers hold the reading end: it ends when this process does, however that happens.
        self._life_read, self._life_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def run(self) -> int:
        before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        try:
            while not (self._stopping and all(worker.pid is None for worker in self._workers)):
                self._start_due()
                self._wait()
                self._reap()
                self._kill_late()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in (self._life_read, self._life_write, self._ready_read, self._ready_write):
                os.close(descriptor)
            self._wake_read.close()
            self._wake_write.close()
        log.info("stopped", failed=self._failed)
        return 1 if self._failed else 0

    def _start_due(self) -> None:
        for worker in self._workers:
            if worker.pid is None and not self._stopping and time.monotonic() >= worker.due:
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        # Until the child has its own handlers, the parent's would swallow what is meant for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        worker.ready = False
        worker.started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._become(worker)
        worker.pid = pid
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _become(self, worker: _Worker) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # A terminal sends INT to all of the group; the parent passes it on as TERM, once.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._life_write)
            os.close(self._ready_read)
            metrics.become(str(worker.index))
            if worker.deaths:
                metrics.metrics().worker_restarts.inc()
            work = _work(
                self._settings, self._make_app, self._sockets, worker.index, self._life_read, self._ready_write
            )
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(work)
            code = 0
        except ConfigurationError as error:
            log.error("worker-failed", worker=worker.index, hint=str(error))
        except BaseException as error:
            log.error("worker-failed", worker=worker.index, exc_info=error)
        finally:
            # The parent's exit handlers and temporary directory are not the child's to clean up.
            os._exit(code)

    def _wait(self) -> None:
        now = time.monotonic()
        due = [worker.due for worker in self._workers if worker.pid is None and not self._stopping]
        until = min([*due, self._kill_at], default=float("inf"))
        timeout = None if until == float("inf") else max(0.0, until - now)
        readable, _, _ = select.select([self._wake_read.fileno(), self._ready_read], [], [], timeout)
        if self._ready_read in readable:
            self._note_ready(os.read(self._ready_read, 64))
        if self._wake_read.fileno() in readable:
            for number in self._wake_read.recv(4096):
                self._on_signal(number)

    def _on_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            sooner = self._stopping
            self._stop(0.0 if sooner else self._settings.server.grace)
            # Last: whoever reads the log may have stopped reading.
            log.info("stopping", sooner=sooner)
        elif number == signal.SIGHUP:
            self._send(signal.SIGHUP)

    def _stop(self, grace: float) -> None:
        self._stopping = True
        self._kill_at = time.monotonic() + grace + _KILL_AFTER
        # Only when nobody holds them any more are new connections refused instead of left waiting.
        self._sockets.close()
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, number)

    def _note_ready(self, indexes: bytes) -> None:
        for index in indexes:
            self._workers[index].ready = True
        # Told to stop meanwhile, there are no addresses any more.
        if not self._stopping and not self._ever_ready and all(worker.ready for worker in self._workers):
            self._ever_ready = True
            addresses = self._sockets.addresses()
            log.info("serving", workers=len(self._workers), **{role: f"{a[0]}:{a[1]}" for role, a in addresses.items()})
            if self._on_ready is not None:
                self._on_ready(addresses)

    def _reap(self) -> None:
        for worker in self._workers:
            if worker.pid is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                worker.pid = None
                metrics.forget(str(worker.index))
                if not self._stopping:
                    self._bury(worker, pid, os.waitstatus_to_exitcode(status))

    def _bury(self, worker: _Worker, pid: int, code: int) -> None:
        if time.monotonic() - worker.started > _SETTLED:
            worker.deaths = 0
        pause = min(_PAUSE_MOST, _PAUSE_FIRST * 2**worker.deaths)
        worker.deaths += 1
        worker.due = time.monotonic() + pause
        log.error("worker-died", worker=worker.index, pid=pid, exit=code, restart_in=pause)
        if not self._ever_ready and code != -signal.SIGKILL:
            # What fails at the first start fails at the next: whoever started us should see it. A kill is no failure.
            self._failed = True
            self._stop(0.0)

    def _kill_late(self) -> None:
        if time.monotonic() >= self._kill_at:
            self._kill_at = float("inf")
            log.error("killing-late-workers")
            self._send(signal.SIGKILL)


async def _work(settings: Settings, make_app: MakeApp, sockets: Sockets, index: int, life: int, ready: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    hurry = asyncio.Event()
    reloads: set[asyncio.Task[None]] = set()

    def on_stop() -> None:
        (hurry if stop.is_set() else stop).set()

    def on_orphaned() -> None:
        loop.remove_reader(life)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, on_stop)
    loop.add_reader(life, on_orphaned)
    app = await make_app(settings, index)
    async with running(settings, app, sockets) as serving:
        serving.hurry = hurry

        async def renew() -> None:
            await serving.reload()
            # Codecs and registers of before refer to themselves, and may hold long revocation lists.
            gc.collect()

        def on_reload() -> None:
            task = loop.create_task(renew())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, on_reload)
        # What there is now stays: a full collection that looks at it again would hold every caller up.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        os.write(ready, bytes([index]))
        os.close(ready)
        await stop.wait()


async def answering(host: str, port: int, seconds: float = 10.0) -> None:
    """Return once a server at this address answers `/livez` with 200; raises TimeoutError after `seconds`."""
    question = f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    async with asyncio.timeout(seconds):
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(question)
                status = await reader.readline()
                writer.close()
                if b" 200 " in status:
                    return
            except OSError:
                pass
            await asyncio.sleep(0.02)
