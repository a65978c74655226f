"""What the state machine works with: clock, portal, intake, workers that can be killed, and their turns."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from hypothesis.stateful import RuleBasedStateMachine

from adapters.portal import PORTAL
from config.sync import Sync
from schemas.errors import UpstreamTimeout
from sync.delivery import Courier
from sync.opening import Opener
from sync.sealing import DossierSealer
from sync.worker import Worker
from tests.test_dossier_machine.clock import Clock
from tests.test_dossier_machine.portal import Killed, Model, reached
from tests.test_dossier_machine.reference import Event, Reference
from tests.test_intake.world import Desk, a_desk

SETTINGS: Final[dict[str, Any]] = {"transitions": "off", "settle": 5.0, "pause": 0.5, "longest_pause": 8.0}


class Working(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.portal = Model()
        self.reference = Reference()
        self.settings = Sync(**SETTINGS)
        self.pushed: list[tuple[Event, str, dict[str, Any], float]] = []
        self.workers: dict[int, Worker] = {}
        self.ended: set[str] = set()
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.runner = asyncio.Runner()
        self.patches = ExitStack()
        self.patches.enter_context(self.clock.installed())
        self.patches.enter_context(patch("sync.leases.is_gone", self.ended.__contains__))
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.opened = AsyncExitStack()
        url = f"sqlite:///{self.directory}/gateway.db"
        self.desk: Desk = await self.opened.enter_async_context(a_desk(url, self.directory / "vault", **SETTINGS))
        self.handler, self.endpoint = await self.opened.enter_async_context(reached(self.portal))

    def _busy(self) -> bool:
        return any(worker._under_way for worker in self.workers.values())

    def _bury(self, slot: int, worker: Worker) -> None:
        self.workers.pop(slot, None)
        # The other one stands on another machine, where nobody can tell.
        if slot == 0:
            self.ended.add(worker._owner)

    def _worker(self, slot: int) -> Worker:
        if slot not in self.workers:
            name = f"{slot}:{uuid.uuid4()}"
            world = self.desk.world
            opener = Opener(DossierSealer(world.sealer))
            courier = Courier(self.handler, PORTAL, self.endpoint, world.log, opener, name, self.settings)
            self.workers[slot] = Worker(world.storage, courier, "portal", name, self.settings)
        return self.workers[slot]

    def _turn(self, slot: int) -> None:
        worker = self._worker(slot)
        # Batches that are not full are not taken at once.
        self.clock.wait(0.1)
        self.portal.held.clear()

        async def once() -> None:
            before = set(worker._under_way)
            await worker._turn()
            new = worker._under_way - before
            if new:
                hanging = asyncio.create_task(self.portal.held.wait())
                await asyncio.wait({*new, hanging}, return_when=asyncio.FIRST_COMPLETED)
                hanging.cancel()
            self._raise_what_failed(new)

        self.runner.run(once())
        self._observe_sent()

    @staticmethod
    def _raise_what_failed(tasks: set[asyncio.Task[None]]) -> None:
        for task in tasks:
            if task.done() and not isinstance(task.exception(), (Killed, type(None))):
                task.result()

    def _let_go(self, *, error: bool = False) -> None:
        held, self.portal.let_go = self.portal.let_go, None
        if held is None:
            return

        async def end() -> None:
            if error:
                held.set_exception(UpstreamTimeout())
            else:
                held.set_result(None)
            under_way = {task for worker in self.workers.values() for task in worker._under_way}
            await asyncio.wait(under_way)
            self._raise_what_failed(under_way)

        self.runner.run(end())

    def _observe_sent(self) -> None:
        raise NotImplementedError
