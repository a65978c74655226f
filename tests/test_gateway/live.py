"""A demo as its users have it: started by the command line, described by `demo.json`, asked over HTTP."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, encode_basic_auth
from multidict import CIMultiDictProxy

ROOT = Path(__file__).parents[2]

# The contract's table of databases, and which of them sign their answers.
DATABASES = ("population", "enterprise", "social-insurance", "land", "tax", "civil-status")
SIGNING = ("population", "land", "tax")


def lgsp(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command of the checkout to its end."""
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, **options)


def _kill(*pids: int) -> None:
    for pid in pids:
        # Each may end by itself once the one before is gone.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Live:
    """One running demo; `described` is what it wrote about itself."""

    def __init__(self, state: Path, *options: str, seed: int, people: int, environment: Mapping[str, str] = {}) -> None:
        self.state = state
        self.seed = seed
        self.people = people
        self._command = [sys.executable, "-m", "gateway", "demo", "--state", str(state), "--port", "0"]
        self._command += ["--seed", str(seed), "--people", str(people), *options]
        self.environment = {**os.environ, **environment}
        self._said = state.parent / f"{state.name}.stderr"
        self.start()

    def start(self) -> None:
        """Start, or start again on the same state, and return when everything answers."""
        for _ in range(3):
            before = self._said.stat().st_size if self._said.exists() else 0
            with self._said.open("ab") as said:
                self.process = subprocess.Popen(
                    self._command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=said
                )
            assert self.process.stdout is not None
            # What a person is told is printed after `demo.json` is written.
            if self.process.stdout.readline():
                break
            self.ended()
            told = self._said.read_bytes()[before:].decode()
            # Between looking for a free port and listening on it, another demo may have found the same.
            if "in use" not in told:
                raise RuntimeError(f"the demo did not start: {told[-2000:]}")
        else:
            raise RuntimeError(f"the demo found no port: {told[-2000:]}")
        self.described: dict[str, Any] = json.loads((self.state / "demo.json").read_text())
        self.tokens: dict[str, str] = {}
        self.renew_at = 0.0

    @property
    def questions(self) -> dict[str, Any]:
        """The samples of what is asked; those of what is pushed have no answer."""
        return {name: sample for name, sample in self.described["samples"].items() if "data" in sample}

    def workers(self) -> list[int]:
        """The gateway's processes that answer requests."""
        parent = self.described["pids"]["gateway"]
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        return [int(each) for each in listed.split()]

    def stop(self) -> int:
        """End as Ctrl-C and service managers do; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End everything at once, as a power failure does."""
        _kill(self.process.pid, self.described["pids"]["gateway"], *self.workers())
        self.ended()

    def kill_gateway(self) -> None:
        """Kill the gateway and all of its processes; return when the demo has started it again."""
        before = self.described["pids"]["gateway"]
        _kill(before, *self.workers())
        until = time.monotonic() + 150
        while self.described["pids"]["gateway"] == before:
            assert time.monotonic() < until
            assert self.process.poll() is None
            time.sleep(0.05)
            self.described = json.loads((self.state / "demo.json").read_text())

    def ended(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(timeout=120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def truth(self) -> list[dict[str, Any]]:
        """Everything that `lgsp sandbox dump` says is true about this demo's people."""
        done = lgsp("sandbox", "dump", "--seed", str(self.seed), "--people", str(self.people))
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document, after a look at what every one of them must have."""
        assert self.headers["Content-Type"] == "application/problem+json", (self.status, self.body[:300])
        told: dict[str, Any] = self.json
        assert told["status"] == self.status
        members = {"type", "title", "status", "detail", "instance", "code", "retryable", "request_id"}
        assert members <= told.keys()
        assert told["request_id"] == self.headers["X-Request-Id"]
        waits = self.status == 429 or (self.status in (502, 503) and told["retryable"])
        assert ("Retry-After" in self.headers) == waits
        return told


class Caller:
    """A program that read `demo.json` and now asks."""

    def __init__(self, live: Live, session: ClientSession) -> None:
        self.live = live
        self.session = session

    @property
    def url(self) -> str:
        return str(self.live.described["gateway"])

    @property
    def samples(self) -> dict[str, Any]:
        return self.live.questions

    def operations(self, database: str) -> list[str]:
        """The operations of a database, as `database/operation`."""
        return [name for name in self.samples if name.partition("/")[0] == database]

    async def token(self, client: str = "ministry") -> str:
        """A token of a client, the same until `forget` or until half of its life is over."""
        if client not in self.live.tokens or time.monotonic() > self.live.renew_at:
            reply = await self.grant(client)
            assert reply.status == 200, reply.body
            if not self.live.tokens or time.monotonic() > self.live.renew_at:
                self.live.tokens.clear()
                self.live.renew_at = time.monotonic() + reply.json["expires_in"] / 2
            self.live.tokens[client] = reply.json["access_token"]
        return self.live.tokens[client]

    async def grant(self, client: str, secret: str | None = None) -> Reply:
        """What the token endpoint answers to a client, with its own secret or another."""
        papers = self.live.described["clients"][client]
        proof = encode_basic_auth(papers["client_id"], secret or papers["client_secret"])
        form = {"grant_type": "client_credentials"}
        return await self.send("POST", "/oauth2/token", data=form, headers={"Authorization": proof})

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        """Any request to the gateway, exactly as given."""
        async with self.session.request(method, self.url + path, **options) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def ask(
        self,
        name: str,
        body: Any = None,
        *,
        client: str = "ministry",
        headers: Mapping[str, str | None] = {},
        query: str = "",
    ) -> Reply:
        """Put a question: the sample's where no body is given; headers replace the sample's, None drops one."""
        sample = self.samples[name]
        wanted = {"Authorization": f"Bearer {await self.token(client)}", **sample["headers"], **headers}
        sent = {key: value for key, value in wanted.items() if value is not None}
        content = sample["body"] if body is None else body
        return await self.send("POST", f"/v1/{name}{query}", json=content, headers=sent)

    async def fault(self, database: str, kind: str | None) -> None:
        """Make a registry misbehave from now on, or None: behave."""
        url = self.live.described["registries"][database]["url"]
        async with self.session.put(f"{url}/_faults", json={"fault": kind}) as answer:
            assert answer.status == 200, await answer.text()

    async def healed(self, databases: Sequence[str] = DATABASES) -> None:
        """End all faults and wait, as long as the gateway says, until the databases answer again."""
        for database in databases:
            await self.fault(database, None)
        for database in databases:
            reply = await self.ask(self.operations(database)[0])
            until = time.monotonic() + 60
            while reply.status == 503 and time.monotonic() < until:
                await asyncio.sleep(float(reply.headers["Retry-After"]))
                reply = await self.ask(self.operations(database)[0])
            assert reply.status == 200, reply.body

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all label sets that contain the given ones."""
        reply = await self.send("GET", "/metrics")
        total = 0.0
        for line in reply.body.decode().splitlines():
            if line.startswith((f"{name} ", f"{name}{{")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total
