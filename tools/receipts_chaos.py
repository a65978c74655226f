"""Receipts under kills (`make receipts`): callers keep every receipt, gateways are killed, the log is asked for all.

Over HTTP and by SIGKILL, against `lgsp serve` as operators start it, over the simulated registries. Kills come at
random moments under load, of one worker or of a whole gateway, which is started again. At the end each receipt that
anybody got must stand in the log at its number, the tree of its checkpoint must be a prefix of the log's, no number may
be given twice or missing, `lgsp audit verify` must hold, and so must `verify_audit.py` on a sample.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, encode_basic_auth

from config.settings import Settings, load
from sandbox.configuration import configuration
from sandbox.deployment import deploy
from sandbox.pki import Pki
from sandbox.run import start
from sandbox.tax_truth import truth
from sandbox.world.world import World
from security.audit.assembly import log_verifiers
from security.audit.checkpoint import VerifierKey, opened
from security.audit.continuity import leaves
from security.audit.merkle import Frontier, is_included, leaf_hash
from security.audit.verification import verify
from security.keys import KeyRing
from sync.database import open_storage
from tools.chaos_processes import ROOT, Process, free_port

_SAMPLE: Final = 40
_PATIENCE: Final = 180.0
# Every so many-th kill is of a whole gateway: its start takes longer than that of a worker.
_WHOLE: Final = 3
_HEADERS: Final = {
    "Lgsp-Purpose": "dossier-processing",
    "Lgsp-Dossier": "000.00.00.H26-260105-0001",
    "Lgsp-Officer": "can.bo",
    "Lgsp-Receipt": "full",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it: `kills` in all, up to `between` receipts from one to the next, and `least` receipts at the end.

    `processes` of each of `nodes` gateways write; an empty `storage` is SQLite.
    """

    kills: int = 100
    nodes: int = 1
    processes: int = 2
    callers: int = 12
    least: int = 2_000
    between: int = 60
    seed: int = 0
    storage: str = ""


@dataclass(slots=True)
class Found:
    """What came of it; `flaws` must be empty."""

    receipts: list[dict[str, Any]] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    revived: int = 0
    entries: int = 0
    seconds: float = 0.0
    flaws: list[str] = field(default_factory=list)


async def receipts(plan: Plan, state: Path) -> Found:
    """Do it all in an empty directory and say what was found."""
    began, found, dice = time.monotonic(), Found(), random.Random(plan.seed)  # noqa: S311 - no secret
    async with AsyncExitStack() as stack:
        running = await start(World(7, 20), state)
        stack.push_async_callback(running.close)
        ports = [free_port() for _ in range(plan.nodes)]
        gateways: list[Process] = []
        for number, port in enumerate(ports):
            addresses = {
                "listen": f"127.0.0.1:{port}",
                "tls_listen": f"127.0.0.1:{free_port()}",
                "tls_host": "127.0.0.1",
                "public_url": f"http://127.0.0.1:{ports[0]}",
            }
            text = configuration(running, addresses, plan.processes)
            if plan.storage:
                text = text.replace('"sqlite:///lgsp.sqlite"', json.dumps(plan.storage))
            path = state / f"node{number}.toml"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)
            command = ("gateway", "serve", "--config", str(path), "--no-worker")
            gateways.append(Process(state / f"node{number}.log", *command))
        settings = load(state / "node0.toml")
        clients = await deploy(settings, state, Pki(state / "pki"))
        for gateway in gateways:
            gateway.start()
            stack.callback(gateway.stop)
        http = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=15)))
        codes = [each.request["tax_code"] for each in truth(running.world) if each.operation == "taxpayer"]
        caller = _Caller(http, ports, clients["ministry"], codes, found, random.Random(plan.seed + 1))  # noqa: S311
        calling = [asyncio.create_task(caller.ask_for_ever()) for _ in range(plan.callers)]
        try:
            await _killed(plan, gateways, dice, found, calling)
        except TimeoutError:
            found.flaws.append(f"no receipts for {_PATIENCE:.0f} s after {found.killed.total()} kills: {_said(state)}")
        finally:
            for task in calling:
                task.cancel()
            await asyncio.gather(*calling, return_exceptions=True)
    found.seconds = time.monotonic() - began
    await _judge(settings, state, dice, found)
    return found


def _said(state: Path) -> list[str]:
    """The end of what each gateway said."""
    return [path.read_text(encoding="utf-8")[-2000:] for path in sorted(state.glob("node*.log"))]


@dataclass(slots=True)
class _Caller:
    """Asks the same few questions and keeps what it gets."""

    http: ClientSession
    ports: list[int]
    client: dict[str, str]
    codes: list[Any]
    found: Found
    dice: random.Random
    token: str = ""

    async def ask_for_ever(self) -> None:
        while True:
            address = f"http://127.0.0.1:{self.dice.choice(self.ports)}"
            try:
                if not self.token:
                    await self._log_in(address)
                    continue
                await self._ask(address)
            except (ClientError, TimeoutError, OSError, ValueError) as failure:
                self.found.answered[type(failure).__name__] += 1
                await asyncio.sleep(self.dice.uniform(0.05, 0.3))

    async def _ask(self, address: str) -> None:
        question = {"tax_code": self.dice.choice(self.codes)}
        headers = {**_HEADERS, "Authorization": f"Bearer {self.token}"}
        async with self.http.post(f"{address}/v1/tax/taxpayer", json=question, headers=headers) as answer:
            told = json.loads(await answer.text())
        if answer.status == 200:
            self.found.receipts.append(told)
        elif answer.status == 401:
            self.token = ""
        self.found.answered[f"{answer.status} {told.get('code', '')}".strip()] += 1

    async def _log_in(self, address: str) -> None:
        proof = {"Authorization": encode_basic_auth(self.client["client_id"], self.client["client_secret"])}
        form = {"grant_type": "client_credentials"}
        async with self.http.post(f"{address}/oauth2/token", data=form, headers=proof) as granted:
            told = json.loads(await granted.text())
        self.found.answered[f"token {granted.status}"] += 1
        if granted.status != 200:
            raise ValueError("no token")
        self.token = told["access_token"]


async def _killed(
    plan: Plan, gateways: list[Process], dice: random.Random, found: Found, calling: list[asyncio.Task[None]]
) -> None:
    """Kill once some more receipts were handed out, a moment later; go on until there are enough of both."""
    for number in range(plan.kills):
        await _until(len(found.receipts) + dice.randint(1, plan.between), found, calling, gateways)
        await asyncio.sleep(dice.uniform(0.0, 0.1))
        gateway = dice.choice(gateways)
        pids = gateway.pids()
        if number % _WHOLE and len(pids) > 1:
            gateway.kill([dice.choice(pids[1:])])
            found.killed["a worker"] += 1
        else:
            gateway.kill()
            found.killed["a gateway"] += 1
    await _until(max(plan.least, len(found.receipts) + 1), found, calling, gateways)


async def _until(many: int, found: Found, calling: list[asyncio.Task[None]], gateways: list[Process]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while len(found.receipts) < many:
            for task in calling:
                if task.done():
                    task.result()
            # A gateway whose workers die one after the other ends.
            found.revived += sum(gateway.revive() for gateway in gateways)
            await asyncio.sleep(0.01)


async def _judge(settings: Settings, state: Path, dice: random.Random, found: Found) -> None:
    keys = log_verifiers(KeyRing(settings.keys.directory), settings.keys.origin)
    storage = await open_storage(settings.storage.url)
    try:
        verified = await verify(storage, keys)
        found.flaws += [f"entries {item.first} to {item.last}: {item.what}" for item in verified.found]
        hashes = await storage.read(lambda connection: list(leaves(connection)))
    finally:
        await storage.close()
    found.entries = len(hashes)
    if len(hashes) != verified.entries:
        found.flaws.append(f"{len(hashes)} entries up to the first gap, {verified.entries} in all")
    held = [answer["receipt"] for answer in found.receipts]
    twice = [index for index, times in Counter(receipt["index"] for receipt in held).items() if times > 1]
    found.flaws += [f"number {index} was given twice" for index in twice]
    found.flaws += _judged(held, hashes, keys)
    sample = dice.sample(found.receipts, min(_SAMPLE, len(found.receipts)))
    found.flaws += await asyncio.to_thread(_by_the_tool, sample, keys, state)


def _judged(held: list[dict[str, Any]], hashes: list[bytes], keys: tuple[VerifierKey, ...]) -> list[str]:
    """Hold every receipt to the log; return what does not hold."""
    flaws, notes = [], {receipt["checkpoint"]: opened(receipt["checkpoint"], keys) for receipt in held}
    tree, roots, wanted = Frontier(), {}, {checkpoint.size for checkpoint in notes.values()}
    for leaf in hashes:
        tree.append(leaf)
        if tree.size in wanted:
            roots[tree.size] = tree.root()
    flaws += [
        f"the checkpoint of {checkpoint.size} entries is of another log"
        for checkpoint in notes.values()
        if roots.get(checkpoint.size) != checkpoint.root
    ]
    for receipt in held:
        index, leaf = receipt["index"], base64.b64decode(receipt["leaf"])
        checkpoint = notes[receipt["checkpoint"]]
        proof = [base64.b64decode(each) for each in receipt["proof"]]
        if index >= len(hashes) or hashes[index] != leaf:
            flaws.append(f"entry {index} is not the one of its receipt")
        if leaf_hash(base64.b64decode(receipt["entry"])) != leaf:
            flaws.append(f"the receipt of entry {index} is of another entry")
        if not is_included(index, checkpoint.size, leaf, proof, checkpoint.root):
            flaws.append(f"the proof in the receipt of entry {index} does not hold")
    return flaws


def _by_the_tool(sample: list[dict[str, Any]], keys: tuple[VerifierKey, ...], state: Path) -> list[str]:
    """What outsiders find with nothing but answers and the keys."""
    vkeys = state / "keys.txt"
    vkeys.write_text("".join(f"{key.encode()}\n" for key in keys), encoding="utf-8")
    files = []
    for number, answer in enumerate(sample):
        file = state / f"answer{number}.json"
        file.write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
        files.append(str(file))
    command = [sys.executable, str(ROOT / "tools" / "verify_audit.py"), *files, "--key", str(vkeys), "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"verify_audit.py: {done.stdout[-500:]}{done.stderr[-500:]}"]


def _shown(found: Found) -> str:
    lines = [
        f"{len(found.receipts)} receipts handed out, {found.entries} entries in the log, {found.seconds:.0f} s",
        *(f"{times:5} times killed {what}" for what, times in sorted(found.killed.items())),
        f"{found.revived:5} times started again after it had ended by itself",
        *(f"{times:5} times answered {what}" for what, times in sorted(found.answered.items())),
        *(f"FLAW {flaw}" for flaw in found.flaws[:50]),
    ]
    return "\n".join(lines)


def main() -> int:
    """Run it as the command line says; return 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="make receipts")
    for each in fields(Plan):
        default = None if each.name == "seed" else each.default
        parser.add_argument(f"--{each.name}", type=type(each.default), default=default)
    given = vars(parser.parse_args())
    if given["seed"] is None:
        given["seed"] = secrets.randbelow(1_000_000)
    print(f"seed {given['seed']}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lgsp-receipts-") as directory:
        found = asyncio.run(receipts(Plan(**given), Path(directory)))
    print(_shown(found))
    return 1 if found.flaws else 0


if __name__ == "__main__":
    sys.exit(main())
