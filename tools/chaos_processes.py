"""The processes of a chaos run: gateways, workers and the portal, each started again after it was killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox.ports import free_port
from sandbox.run import start
from sandbox.world.world import World

ROOT: Final = Path(__file__).parents[1]


class Process:
    """One command of the checkout and its children; what it says goes to a file."""

    def __init__(self, said: Path, *command: str) -> None:
        self._command = [sys.executable, "-m", *command]
        self._said = said
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=said, stderr=said)

    @property
    def pid(self) -> int:
        """The number of the parent, 0 while it does not run."""
        return 0 if self._process is None else self._process.pid

    def pids(self) -> list[int]:
        """The parent and its children."""
        if self._process is None:
            return []
        children = ""
        with suppress(OSError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [self.pid, *map(int, children.split())]

    def kill(self, victims: Sequence[int] = ()) -> None:
        """Kill some of its processes, all of them where none is named; the parent is started again."""
        for pid in victims or self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None and (not victims or self.pid in victims):
            self._process.wait()
            self.start()

    def revive(self) -> bool:
        """Start it again where it ended by itself, as service managers do; tell whether it had."""
        if self._process is None or self._process.poll() is None:
            return False
        self.start()
        return True

    def stop(self) -> None:
        """End it as service managers do."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def memory(self) -> int:
        """The resident memory of the parent in KiB, 0 while it does not run."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0


class Gateway(Process):
    """`lgsp serve` on a port of its own; `delivers` tells whether it does the work of `lgsp worker` too."""

    def __init__(self, state: Path, name: str, configuration: str, workers: int, *, delivers: bool) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.config = state / f"{name}.toml"
        listening = f'[server]\nlisten = "127.0.0.1:{port}"\nworkers = {workers}\n'
        self.config.write_text(listening + configuration, encoding="utf-8")
        self.config.chmod(0o600)
        own = () if delivers else ("--no-worker",)
        super().__init__(state / f"{name}.log", "gateway", "serve", "--config", str(self.config), *own)


class Courier(Process):
    """`lgsp worker` of a gateway's configuration."""

    def __init__(self, state: Path, name: str, gateway: Gateway) -> None:
        super().__init__(state / f"{name}.log", "gateway", "worker", "--config", str(gateway.config))


class Portal(Process):
    """The simulated portal in a process of its own; the ledger in `state` goes on where it was."""

    def __init__(self, state: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._state = state
        super().__init__(state / "portal.log", "tools.chaos_processes", str(state), str(port))

    def secret(self) -> str:
        """What the gateway proves itself with there, once it runs."""
        held: dict[str, str] = json.loads((self._state / "accounts.json").read_text(encoding="utf-8"))
        return held["portal"]


def configuration(portal: Portal, storage: str, redis: str, gap_wait: float) -> str:
    """The configuration of every gateway of a run but for where it listens; impatient, so that much happens."""
    return f"""
[storage]
url = {json.dumps(storage)}
[redis]
url = {json.dumps(redis)}
[keys]
directory = "keys"
vault = "vault"
origin = "localhost/chaos"
[tokens]
issuer = "http://localhost/chaos"
[sync]
settle = 2.0
longest_pause = 3.0
gap_wait = {gap_wait}
[endpoints.portal]
url = {json.dumps(portal.url)}
username = "lgsp-portal"
secret = {json.dumps(portal.secret())}
params = {{ madonvi = "H26" }}
timeout = {{ connect = 2.0, read = 5.0, total = 5.0 }}
breaker = {{ failures = 5, window = 30.0, open_for = 1.0 }}
"""


async def _portal(state: Path, port: int) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    running = await start(World(6, 20), state, ports={"portal": port}, registries=(), portal=True)
    try:
        await stop.wait()
    finally:
        await running.close()


if __name__ == "__main__":
    asyncio.run(_portal(Path(sys.argv[1]), int(sys.argv[2])))
