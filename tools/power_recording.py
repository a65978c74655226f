"""A gateway at work while everything it does to its files is written down, and what everybody is told meanwhile.

Told is what outlives the machine: a receipt in the hands of a caller, a status that was accepted, a command that has
ended. With each stands how long the records were then: everything that led to it is among them.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aiohttp import ClientSession, ClientTimeout

from config.settings import load
from sandbox.configuration import configuration
from sandbox.deployment import deploy
from sandbox.pki import Pki
from sandbox.run import Running
from sandbox.tax_truth import truth
from schemas.ids import new_id
from security.audit.assembly import open_log
from security.audit.entries import Caller, Evidence, Outcome, Subject
from security.keys import KeyRing
from sync.database import open_storage
from tools.chaos_processes import ROOT, Process, free_port
from tools.power_judgement import Known
from tools.power_people import Operator, Outside

WHOLE: Final = (
    "backup",
    "redact",
    "kill",
    "archive",
    "rotate log",
    "bundle",
    "rotate period",
    "redact",
    "rotate token",
)
"""What the operator does (`Operator.does`), one after the other, in a long recording: it takes about half a minute."""

FOLDERS: Final = ("archive", "out")
"""Directories of the operator's that are there already."""

_CALLERS: Final = 4
_OLD: Final = 60
_ASKING: Final = {
    "Lgsp-Purpose": "dossier-processing",
    "Lgsp-Dossier": "000.00.00.H26-260105-0001",
    "Lgsp-Officer": "can.bo",
    "Lgsp-Receipt": "full",
}


def build(library: Path) -> None:
    """Compile the recorder: what SQLite does passes no Python. Raises OSError, CalledProcessError."""
    source = ROOT / "tools" / "power_recorder.c"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)


def recorded(library: Path, live: Path, records: Path) -> dict[str, str]:
    """Return the environment that has what a process does below `live` added to `records`."""
    return {"LD_PRELOAD": str(library), "LGSP_POWER_ROOT": str(live), "LGSP_POWER_LOG": str(records)}


class Recording:
    """What lies in one directory: the gateway's files (`live`), the records of how they came about, and who knows what.

    The sandbox's own files are in `sandbox`; nothing of them is recorded.
    """

    def __init__(self, directory: Path) -> None:
        self.sandbox, self.live = directory / "sandbox", directory / "live"
        self.records, self.library = directory / "records", directory / "recorder.so"
        self._known = directory / "known"

    def length(self) -> int:
        """How long the records are now: every change that is done is among them."""
        return self.records.stat().st_size

    def known(self) -> Known:
        """What was told in the course of it."""
        held: Known = pickle.loads(self._known.read_bytes())  # noqa: S301 - our own
        return held

    def configured(self, running: Running) -> str:
        """Return a configuration of a gateway whose files lie in `STATE`, with the ports `LISTEN` and `TLS`."""
        addresses = {
            "listen": "127.0.0.1:LISTEN",
            "tls_listen": "127.0.0.1:TLS",
            "tls_host": "127.0.0.1",
            "public_url": "http://127.0.0.1:8080",
        }
        text = configuration(running, addresses, 2).replace("sqlite:///", "sqlite:///STATE/")
        # In directories of their own, which nothing else in them makes durable.
        for name in ("keys", "vault"):
            text = text.replace(f'= "{name}"', f'= "STATE/{name}-of/{name}"')
        # Lists that were fetched may be lost.
        return f'{text}\n[revocation]\ndirectory = "{self.sandbox}/revocation"\n'

    async def make(self, running: Running, acts: tuple[str, ...], between: int) -> None:
        """Record a gateway over these registries while `between` receipts are handed out before and after each act.

        Raises RuntimeError for a command that fails, TimeoutError where no receipts come.
        """
        for folder in FOLDERS:
            (self.live / folder).mkdir(parents=True)
        await asyncio.to_thread(build, self.library)
        port, config = free_port(), self.sandbox / "gateway.toml"
        text = self.configured(running).replace("STATE", str(self.live)).replace("LISTEN", str(port))
        config.write_text(text.replace("TLS", str(free_port())), encoding="utf-8")
        config.chmod(0o600)
        with self._recorded():
            setting_up = [sys.executable, "-m", "tools.power_recording", str(self.sandbox)]
            told = await asyncio.to_thread(subprocess.check_output, setting_up, cwd=ROOT)
            known = Known(client=json.loads((self.sandbox / "clients.json").read_text(encoding="utf-8")))
            known.began = self.length()
            known.receipts += [(known.began, {"receipt": receipt}) for receipt in json.loads(told)]
            codes = [each.request["tax_code"] for each in truth(running.world) if each.operation == "taxpayer"]
            known.question = {"path": "/v1/tax/taxpayer", "body": {"tax_code": codes[0]}, "headers": _ASKING}
            gateway = Process(self.sandbox / "gateway.log", "gateway", "serve", "--config", str(config), "--no-worker")
            gateway.start()
            try:
                async with AsyncExitStack() as stack:
                    http = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=15)))
                    world = Outside(self.length, known, http, f"http://127.0.0.1:{port}")
                    calling = [asyncio.create_task(world.asks()) for _ in range(_CALLERS)]
                    calling.append(asyncio.create_task(world.pushes()))
                    stack.push_async_callback(_ended, calling)
                    operator = Operator(self.length, self.live, known, config, gateway)
                    for act in (*acts, ""):
                        await world.until(len(known.receipts) + between, calling)
                        await operator.does(act)
            finally:
                gateway.stop()
        self._known.write_bytes(pickle.dumps(known))

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Have every process that is started in the block recorded."""
        ours = recorded(self.library, self.live, self.records)
        os.environ.update(ours)
        try:
            yield
        finally:
            for name in ours:
                del os.environ[name]


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _prepare(sandbox: Path) -> list[dict[str, object]]:
    """Set a gateway up; return the receipts of entries that are old enough to be archived."""
    settings = load(sandbox / "gateway.toml")
    await deploy(settings, sandbox, Pki(sandbox / "pki"))
    long_ago = datetime.now(UTC) - timedelta(days=450)
    storage, keys = await open_storage(settings.storage.url), KeyRing(settings.keys.directory)
    log = await open_log(storage, keys, settings.keys.origin, settings.keys.vault)
    try:
        events = [
            Evidence(
                new_id(),
                "exchange",
                long_ago,
                Caller("ministry", "G15", "secret:1"),
                "tax",
                "taxpayer",
                outcome=Outcome("ok", 200),
                data=b"{}",
                subjects=(Subject("asked", "tax-code", "0100109106"),),
            )
            for _ in range(_OLD)
        ]
        # One after the other: archives end with a checkpoint.
        return [(await log.record(event)).as_json() for event in events]
    finally:
        await log.close()
        await storage.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_prepare(Path(sys.argv[1])))))
