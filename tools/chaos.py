"""Chaos (`make chaos`): pushers, a portal that misbehaves, gateways killed at random; then the ledger is judged.

Everything is done over HTTP and by SIGKILL, against `lgsp serve` as operators start it. At the end the portal's ledger
must be the accepted events: none lost, none applied twice, those of each dossier in order; and the audit log must hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, encode_basic_auth

from config.settings import load
from sandbox.deployment import deploy
from sandbox.run import Running, start
from sandbox.world.world import World

ROOT: Final = Path(__file__).parents[1]
STATUSES: Final = ("4", "5", "4", "9", "10")
FAULTS: Final = (
    None,
    "error=0.05,drop-after-commit=0.05",
    "down",
    "latency=0.3s,error=0.05",
    "session-expired=20,drop-after-commit=0.1",
    "malformed",
    "throttled=30/s",
    "batch-all-or-nothing",
)
_DOSSIER: Final = {
    "procedure": "1.005129",
    "channel": "counter",
    "owner_name": "Hồ sơ thử",
    "owner_kind": "citizen",
    "received_at": "2026-01-05T08:30:00+07:00",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; `storage` is the address of a database for `nodes` gateways."""

    dossiers: int = 2_000
    pushers: int = 8
    kills: int = 20
    nodes: int = 1
    workers: int = 1
    storage: str = "sqlite:///lgsp.sqlite"
    redis: str = ""
    seed: int = 6
    pause: float = 1.5
    patience: float = 600.0


@dataclass(slots=True)
class Found:
    """What was found out at the end; `flaws` is empty where all is as promised."""

    accepted: int = 0
    delivered: int = 0
    kills: int = 0
    seconds: float = 0.0
    flaws: list[str] = field(default_factory=list)


class Node:
    """One gateway; it is started again when it was killed."""

    def __init__(self, state: Path, name: str, text: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = state / f"{name}.toml"
        self.config.write_text(text.format(port=self.port), encoding="utf-8")
        self.config.chmod(0o600)
        self._log = state / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(self.config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def pids(self) -> list[int]:
        """The parent and its workers."""
        if self._process is None:
            return []
        parent = self._process.pid
        with suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
            return [parent, *map(int, children.split())]
        return [parent]

    def kill(self, dice: random.Random) -> None:
        """Kill a worker, or everything at once as a power failure does; what is dead is started again."""
        parent, *workers = self.pids()
        victims = workers if workers and dice.random() < 0.5 else [parent, *workers]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if parent in victims and self._process is not None:
            self._process.wait()
            self.start()

    def stop(self) -> None:
        """End it as service managers do."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)


@dataclass(slots=True)
class Pushing:
    """Sources that push until each event is accepted, whatever happens meanwhile."""

    nodes: Sequence[Node]
    secret: str
    http: ClientSession
    dice: random.Random
    accepted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    token: str = ""

    async def dossier(self, code: str) -> None:
        """Register a dossier and push its statuses in order, each with its sequence."""
        await self._until("PUT", f"/v1/dossiers/{code}", _DOSSIER, "")
        for sequence, status in enumerate(STATUSES, start=1):
            body = {"status": status, "at": "2026-01-05T09:00:00+07:00", "sequence": sequence}
            await self._until("POST", f"/v1/dossiers/{code}/statuses", body, f"{code}/{sequence}")
            self.accepted[code].append(status)

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """Ask one of the nodes as the province; status 0 where nothing came back."""
        node = self.dice.choice(self.nodes)
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        try:
            async with self.http.request(method, node.url + path, json=body, headers=headers) as answer:
                if answer.status == 401:
                    await self._log_in(node)
                text = await answer.text()
                return answer.status, json.loads(text) if text else None
        except (ClientError, TimeoutError, OSError, ValueError):
            return 0, None

    async def _until(self, method: str, path: str, body: Any, key: str) -> None:
        while True:
            status, told = await self.ask(method, path, body, key)
            if status in (200, 201, 202):
                return
            if status and status not in (401, 409, 429) and status < 500:
                raise AssertionError(f"{method} {path}: {status} {told}")
            await asyncio.sleep(self.dice.uniform(0.02, 0.3))

    async def _log_in(self, node: Node) -> None:
        proof = {"Authorization": encode_basic_auth("province", self.secret)}
        form = {"grant_type": "client_credentials"}
        async with self.http.post(f"{node.url}/oauth2/token", data=form, headers=proof) as answer:
            if answer.status == 200:
                self.token = (await answer.json())["access_token"]


async def chaos(plan: Plan, state: Path) -> Found:
    """Do it all in an empty directory and say what was found."""
    dice, found, began = random.Random(plan.seed), Found(), time.monotonic()  # noqa: S311 - no secret
    async with AsyncExitStack() as stack:
        running = await start(World(plan.seed, 20), state, registries=(), portal=True)
        stack.push_async_callback(running.close)
        text = _configuration(plan, running)
        nodes = [Node(state, f"node{number}", text) for number in range(plan.nodes)]
        secret = (await deploy(load(nodes[0].config), state, running.pki))["province"]["client_secret"]
        for node in nodes:
            node.start()
            stack.callback(node.stop)
        http = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=15)))
        pushing = Pushing(nodes, secret, http, random.Random(plan.seed))  # noqa: S311 - no secret
        codes = [f"000.00.00.H26-260105-{number:05}" for number in range(1, plan.dossiers + 1)]
        pushers = [asyncio.create_task(_pusher(pushing, codes[first :: plan.pushers])) for first in range(plan.pushers)]
        portal = str(running.portal)
        while found.kills < plan.kills:
            await asyncio.sleep(dice.uniform(0.2, 2 * plan.pause))
            await _misbehave(http, portal, dice.choice(FAULTS))
            dice.choice(nodes).kill(dice)
            found.kills += 1
        await asyncio.gather(*pushers)
        await _misbehave(http, portal, None)
        await _drained(pushing, plan.patience, found)
        found.accepted = sum(map(len, pushing.accepted.values()))
        await _judge(http, portal, pushing.accepted, found)
    audit = [sys.executable, "-m", "gateway", "audit", "verify", "--config", str(nodes[0].config)]
    if subprocess.run(audit, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: ASYNC221 - the end
        found.flaws.append("the audit log does not hold")
    found.seconds = time.monotonic() - began
    return found


async def _pusher(pushing: Pushing, codes: Sequence[str]) -> None:
    for code in codes:
        await pushing.dossier(code)


async def _misbehave(http: ClientSession, portal: str, fault: str | None) -> None:
    async with http.put(f"{portal}/_faults", json={"fault": fault}) as answer:
        answer.raise_for_status()


async def _drained(pushing: Pushing, patience: float, found: Found) -> None:
    """Wait until nothing waits any more; dead letters are sent again, as their owner would."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        status, told = await pushing.ask("GET", "/v1/destinations")
        if status == 200:
            (portal,) = told["items"]
            if portal["dead"]:
                await pushing.ask(
                    "POST", "/v1/deliveries/retry", {"filter": {"state": "dead"}, "expect": portal["dead"]}
                )
            elif not portal["waiting"]:
                return
        await asyncio.sleep(0.2)
    found.flaws.append("not everything was delivered in time")


async def _judge(http: ClientSession, portal: str, accepted: dict[str, list[str]], found: Found) -> None:
    seen: dict[str, list[str]] = defaultdict(list)
    async with http.get(f"{portal}/_ledger") as answer:
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    for line in lines:
        found.delivered += 1
        seen[line["dossier"]].append(line["status"])
        if line["times_applied"] != 1:
            found.flaws.append(f"{line['dossier']} {line['sequence']}: applied {line['times_applied']} times")
    for code, wanted in accepted.items():
        if seen[code] != wanted:
            found.flaws.append(f"{code}: {seen[code]} instead of {wanted}")


def _configuration(plan: Plan, running: Running) -> str:
    account = running.accounts["portal"]
    return f"""
[server]
listen = "127.0.0.1:{{port}}"
workers = {plan.workers}
[storage]
url = {json.dumps(plan.storage)}
[redis]
url = {json.dumps(plan.redis)}
[keys]
directory = "keys"
vault = "vault"
origin = "localhost/chaos"
[sync]
settle = 1.0
longest_pause = 3.0
gap_wait = 0.0
[endpoints.portal]
url = {json.dumps(running.portal)}
username = {json.dumps(account.username)}
secret = {json.dumps(account.secret)}
params = {{{{ madonvi = "H26" }}}}
timeout = {{{{ connect = 2.0, read = 5.0, total = 5.0 }}}}
breaker = {{{{ failures = 5, window = 30.0, open_for = 1.0 }}}}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    """Run it as the command line says; return 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    for name, default in (
        ("dossiers", 2_000),
        ("pushers", 8),
        ("kills", 20),
        ("nodes", 1),
        ("workers", 1),
        ("seed", 6),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--storage", default="sqlite:///lgsp.sqlite")
    parser.add_argument("--redis", default="")
    plan = Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="lgsp-chaos-") as directory:
        found = asyncio.run(chaos(plan, Path(directory)))
    print(
        f"{found.accepted} events accepted, {found.delivered} in the ledger, {found.kills} kills, {found.seconds:.0f} s"
    )
    for flaw in found.flaws:
        print(f"FLAW {flaw}")
    return 1 if found.flaws else 0


if __name__ == "__main__":
    sys.exit(main())
