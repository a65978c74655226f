"""The gateway of a demo: processes of its own, started as an operator would start them, and again when killed.

It ends when the demo does, however that happens.
"""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
from pathlib import Path

from routes.server import answering

# A second on an idle machine; a slow and busy one has been seen to need fifteen times as long.
_START_SECONDS = 120.0
_AGAIN_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1


class DemoFailed(Exception):
    """The demo could not start or go on; the text says what happened and what to do."""


class GatewayProcess:
    """`lgsp serve` on the configuration in `state`, listening on `listen` (host and port)."""

    def __init__(self, state: Path, listen: str) -> None:
        self._state = state
        self._listen = listen
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id of the one that runs, or ran last."""
        if self._process is None:
            raise DemoFailed("the gateway was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start it; `answers` says when it is ready."""
        with (self._state / "gateway.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                "serve",
                "--config",
                str(self._state / "gateway.toml"),
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )

    async def answers(self) -> None:
        """Return once it answers; raises DemoFailed with the end of its log where it does not."""
        host, _, port = self._listen.rpartition(":")
        answer = asyncio.create_task(answering(host.strip("[]"), int(port), _START_SECONDS))
        death = asyncio.create_task(self.wait())
        await asyncio.wait((answer, death), return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        # Workers whose parent was killed may answer for a moment after it.
        if not answer.done() or answer.exception() is not None or (death.done() and not death.cancelled()):
            answer.cancel()
            lines = (self._state / "gateway.log").read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
            raise DemoFailed("\n".join(["the gateway did not start; the end of gateway.log says:", *lines]))

    async def wait(self) -> int:
        """Return its exit code once it has ended, negative where a signal ended it."""
        if self._process is None:
            raise DemoFailed("the gateway was not started")
        return await self._process.wait()

    async def again(self) -> None:
        """Start it again after it was killed: its workers hold the addresses until they have noticed.

        Raises DemoFailed.
        """
        until = asyncio.get_running_loop().time() + _AGAIN_SECONDS
        while True:
            await self.start()
            try:
                await self.answers()
            except DemoFailed:
                if asyncio.get_running_loop().time() > until:
                    raise
                await self.stop()
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def stop(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


def _die_with_parent() -> None:
    """Ask the kernel to end the gateway with this process: a demo killed outright leaves nothing behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
