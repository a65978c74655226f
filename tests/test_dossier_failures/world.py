"""A gateway and a portal in processes of their own, and a source that pushes: storage fails under them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, encode_basic_auth

from config.settings import load
from sandbox.deployment import deploy
from sandbox.pki import Pki
from tests.test_commands.conftest import quick
from tests.test_gateway.live import Reply
from tests.test_intake.world import a_dossier, a_status
from tools.chaos_processes import ROOT, Gateway, Portal, configuration

PATIENCE_S = 60.0
GROUP = 256
"""How many lines of a stream are one commit."""
ORDER = ("4", "5")


@dataclass
class Site:
    """What runs, and what was accepted: for each dossier the sequences that a source was told of as taken."""

    state: Path
    gateway: Gateway
    portal: Portal
    secret: str
    http: ClientSession
    accepted: dict[str, list[int]] = field(default_factory=dict)
    told: dict[str, tuple[str, int]] = field(default_factory=dict)
    token: str = ""

    async def ask(self, method: str, path: str, *, json: Any = None, data: Any = None, **headers: str) -> Reply:
        """Ask as the province; a 503 must be one that says when to come again."""
        wanted = {"Authorization": f"Bearer {self.token}"} | {name.replace("_", "-"): headers[name] for name in headers}
        async with self.http.request(method, self.gateway.url + path, json=json, data=data, headers=wanted) as answer:
            reply = Reply(answer.status, answer.headers, await answer.read())
        if reply.status >= 400:
            assert (reply.status, reply.problem["code"]) == (503, "evidence-unavailable"), reply.body
        return reply

    async def log_in(self) -> None:
        proof = {"Authorization": encode_basic_auth("province", self.secret)}
        form = {"grant_type": "client_credentials"}
        async with self.http.post(f"{self.gateway.url}/oauth2/token", data=form, headers=proof) as answer:
            assert answer.status == 200, await answer.text()
            self.token = (await answer.json())["access_token"]

    async def put(self, code: str) -> Reply:
        return await self.ask("PUT", f"/v1/dossiers/{code}", json=a_dossier())

    async def push(self, code: str, sequence: int) -> Reply:
        """Push one status; what is accepted is kept in mind, told twice it must be the same."""
        key = f"{code}/{sequence}"
        body = a_status(ORDER[sequence % 2], sequence=sequence)
        reply = await self.ask("POST", f"/v1/dossiers/{code}/statuses", json=body, Idempotency_Key=key)
        if reply.status < 400:
            # What was refused for now may have been written after all: then it is a duplicate.
            assert (reply.status, reply.json["result"] in ("accepted", "duplicate")) == (202, True), reply.body
            self.keep(code, sequence, reply.json)
        return reply

    async def push_until_taken(self, code: str, sequence: int) -> None:
        """Push one status again and again, as a source does that may not lose it."""
        while True:
            try:
                if (await self.push(code, sequence)).status == 202:
                    return
            except (ClientError, OSError):
                pass
            await asyncio.sleep(0.05)

    def keep(self, code: str, sequence: int, answer: dict[str, Any]) -> None:
        now = answer["delivery"], answer["receipt"]["index"]
        assert self.told.setdefault(f"{code}/{sequence}", now) == now
        known = self.accepted.setdefault(code, [])
        if sequence not in known:
            known.append(sequence)

    async def stream(self, lines: Sequence[dict[str, Any]], between: Callable[[], Any] | None = None) -> list[str]:
        """Push a file; `between` is awaited when 256 lines are answered and the rest is not sent. Returns results."""
        written = [json.dumps(line).encode() + b"\n" for line in lines]
        answered = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield b"".join(written[:GROUP])
            await answered.wait()
            if between is not None:
                await between()
            yield b"".join(written[GROUP:])

        results: list[str] = []
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson"}
        address = f"{self.gateway.url}/v1/dossiers/statuses"
        async with self.http.post(address, data=pieces(), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            async for text in answer.content:
                line = json.loads(text)
                results.append(line["result"])
                if line["result"] == "refused":
                    assert line["problem"]["code"] == "evidence-unavailable", line
                    assert line["problem"]["retryable"]
                elif "dossier" not in lines[line["line"] - 1]:
                    self.keep(line["code"], lines[line["line"] - 1]["sequence"], line)
                if len(results) == GROUP:
                    answered.set()
        return results

    async def misbehave(self, fault: str | None) -> None:
        async with self.http.put(f"{self.portal.url}/_faults", json={"fault": fault}) as answer:
            assert answer.status == 200

    async def ledger(self) -> dict[str, list[tuple[int, int]]]:
        """For each dossier what was applied in which order: sequence, times applied."""
        async with self.http.get(f"{self.portal.url}/_ledger") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        found: dict[str, list[tuple[int, int]]] = {}
        for line in lines:
            found.setdefault(line["dossier"], []).append((line["sequence"], line["times_applied"]))
        return found

    async def destination(self) -> dict[str, Any]:
        reply = await self.ask("GET", "/v1/destinations")
        assert reply.status == 200, reply.body
        (portal,) = reply.json["items"]
        return dict(portal)

    async def until(self, holds: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():
                await asyncio.sleep(0.05)

    async def delivered(self) -> None:
        """Wait until all that was accepted is delivered: each once and in order."""

        async def empty() -> bool:
            return not (await self.destination())["waiting"]

        await self.until(empty)
        ledger = await self.ledger()
        assert ledger == {code: [(n, 1) for n in sorted(numbers)] for code, numbers in self.accepted.items()}

    async def is_exact(self) -> None:
        """Wait until all that was accepted is delivered, and hold the audit log to itself."""
        await self.delivered()
        verified = await asyncio.to_thread(quick, "audit", "verify", "--config", str(self.gateway.config))
        assert verified.exit_code == 0, verified.output

    async def lgsp(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the gateway's configuration; it must never end with a traceback."""
        whole = [sys.executable, "-m", "gateway", *command, "--config", str(self.gateway.config)]
        done = await asyncio.to_thread(subprocess.run, whole, cwd=ROOT, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def processes(self) -> list[int]:
        return self.gateway.pids()


@asynccontextmanager
async def a_site(state: Path, storage: str, outside: Path | None = None) -> AsyncIterator[Site]:
    """Open a gateway on this storage with its files in `state`; the portal's are in `outside`."""
    async with AsyncExitStack() as stack:
        portal = Portal(outside or state)
        portal.start()
        stack.callback(portal.stop)
        session = ClientSession(cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=60))
        http = await stack.enter_async_context(session)
        await answering(http, f"{portal.url}/_faults")
        gateway = Gateway(state, "gateway", configuration(portal, storage, "", gap_wait=0.0), 1, delivers=True)
        clients = await deploy(load(gateway.config), state, Pki((outside or state) / "pki"))
        gateway.start()
        stack.callback(gateway.stop)
        await answering(http, f"{gateway.url}/livez")
        site = Site(state, gateway, portal, clients["province"]["client_secret"], http)
        await site.log_in()
        yield site


async def answering(http: ClientSession, address: str) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with http.get(address):
                    return
            except (ClientError, OSError):
                await asyncio.sleep(0.05)


def a_file(dossiers: int, statuses: int) -> list[dict[str, Any]]:
    """The lines that register dossiers, then those that say their statuses."""
    codes = [a_code(number) for number in range(101, 101 + dossiers)]
    lines: list[dict[str, Any]] = [{"code": code, "key": f"{code}/0", "dossier": a_dossier()} for code in codes]
    for sequence in range(1, statuses + 1):
        said = a_status(ORDER[sequence % 2], sequence=sequence)
        lines += [{"code": code, "key": f"{code}/{sequence}", **said} for code in codes]
    return lines


def a_code(number: int) -> str:
    return f"000.00.00.H26-261130-{number:04}"
