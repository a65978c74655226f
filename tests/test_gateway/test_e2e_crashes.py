"""Kills, stops and restarts: no receipt is ever broken, and nothing in flight is lost that need not be."""

import asyncio
import base64
import json
import os
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession

from tests.test_gateway import evidence
from tests.test_gateway.live import DATABASES, Caller, Live, lgsp

PERSON = "population/person"


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A demo of two workers that these tests kill."""
    demo = Live(tmp_path_factory.mktemp("fragile") / "state", "--workers", "2", seed=11, people=20)
    yield demo
    verified = lgsp("audit", "verify", "--config", demo.described["config"])
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert demo.stop() == 0


@pytest.fixture
async def victim(fragile: Live, session: ClientSession) -> Caller:
    return Caller(fragile, session)


@pytest.fixture
async def receipts(victim: Caller) -> AsyncIterator[list[dict[str, Any]]]:
    """Collects receipts; at the end each must stand in a log that is whole and that its newest checkpoint signs."""
    given: list[dict[str, Any]] = []
    yield given
    assert given
    last = (await victim.ask(PERSON)).json["receipt"]
    described = victim.live.described
    _, size, root = evidence.opened(last["checkpoint"], Path(described["log_key"]))
    entries = evidence.stored_entries(Path(described["database"]))
    leaves = [evidence.leaf_hash(entry) for entry in entries]
    assert evidence.root_of(leaves[:size]) == root
    for receipt in given:
        assert leaves[receipt["index"]] == base64.b64decode(receipt["leaf"])
    assert len({receipt["index"] for receipt in given}) == len(given)


async def load(caller: Caller, receipts: list[dict[str, Any]], stop: asyncio.Event) -> None:
    """Ask until told to stop, keeping every receipt; a connection that dies under a question is no receipt."""
    while not stop.is_set():
        try:
            reply = await caller.ask(PERSON)
        except (ClientConnectionError, TimeoutError):
            continue
        receipts.append(reply.json["receipt"])


async def grown(receipts: list[dict[str, Any]], by: int) -> None:
    """Wait for further answers."""
    goal = len(receipts) + by
    async with asyncio.timeout(100):
        while len(receipts) < goal:
            await asyncio.sleep(0)


async def test_killed_workers_lose_nothing_that_was_receipted(victim: Caller, receipts: list[dict[str, Any]]) -> None:
    await victim.token()
    stop = asyncio.Event()
    asking = [asyncio.create_task(load(victim, receipts, stop)) for _ in range(8)]
    for _ in range(3):
        await grown(receipts, 25)
        workers = victim.live.workers()
        os.kill(workers[0], signal.SIGKILL)
        await grown(receipts, 5)
    for pid in victim.live.workers():
        os.kill(pid, signal.SIGKILL)
    await grown(receipts, 25)
    stop.set()
    await asyncio.gather(*asking)
    assert await victim.metric("lgsp_worker_restarts_total") >= 3


async def test_after_a_power_failure_the_log_goes_on(victim: Caller, receipts: list[dict[str, Any]]) -> None:
    stop = asyncio.Event()
    asking = [asyncio.create_task(load(victim, receipts, stop)) for _ in range(8)]
    await grown(receipts, 40)
    await asyncio.to_thread(victim.live.kill)
    stop.set()
    await asyncio.gather(*asking)
    before = max(receipt["index"] for receipt in receipts)
    origin = victim.live.described["clients"]["ministry"]["client_secret"]
    await asyncio.to_thread(victim.live.start)
    assert victim.live.described["clients"]["ministry"]["client_secret"] == origin
    told = (await victim.ask(PERSON)).json
    assert told["receipt"]["index"] > before
    assert told["data"] == victim.samples[PERSON]["data"]
    receipts.append(told["receipt"])


async def test_metrics_of_all_workers_add_up(victim: Caller, receipts: list[dict[str, Any]]) -> None:
    before = await victim.metric("lgsp_exchanges_total", database="population", outcome="answered")
    for _ in range(4):
        # New connections, so that both workers get some.
        async with ClientSession() as session:
            caller = Caller(victim.live, session)
            replies = await asyncio.gather(*(caller.ask(PERSON) for _ in range(15)))
            receipts += [reply.json["receipt"] for reply in replies]
    for _ in range(4):
        assert await victim.metric("lgsp_exchanges_total", database="population", outcome="answered") == before + 60
    assert await victim.metric("lgsp_exchanges_total", operation="person", outcome="answered") == before + 60
    # Whatever was answered had been committed by one of the workers.
    assert await victim.metric("lgsp_audit_batch_entries_sum") >= before + 60
    assert await victim.metric("lgsp_audit_append_seconds_count") > 0


async def test_a_full_disk_discloses_nothing(victim: Caller, receipts: list[dict[str, Any]]) -> None:
    receipts.append((await victim.ask(PERSON)).json["receipt"])
    workers = victim.live.workers()
    try:
        for pid in workers:
            # Every write to a file fails from now on, as on a full disk.
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for name in (PERSON, "tax/taxpayer", "land/certificate"):
            reply = await victim.ask(name)
            assert (reply.status, reply.problem["code"]) == (503, "evidence-unavailable")
            assert not {"data", "receipt"} & reply.problem.keys()
            assert "Errno" not in reply.problem["detail"]
            for value in victim.samples[name]["data"].values():
                if isinstance(value, str) and len(value) > 5:
                    assert value.encode() not in reply.body
        refusal = await victim.ask(PERSON, headers={"Lgsp-Purpose": None})
        assert (refusal.status, refusal.problem["code"]) == (503, "evidence-unavailable")
        assert (await victim.grant("ministry")).status == 503
    finally:
        for pid in workers:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    async with asyncio.timeout(60):
        while (reply := await victim.ask(PERSON)).status != 200:
            assert reply.problem["code"] == "evidence-unavailable"
            await asyncio.sleep(float(reply.headers["Retry-After"]))
    assert victim.live.workers() == workers
    receipts.append(reply.json["receipt"])


async def test_a_vault_that_is_gone_is_told_early(victim: Caller, receipts: list[dict[str, Any]]) -> None:
    vault = Path(victim.live.described["config"]).parent / "vault"
    away = vault.with_name("away")
    vault.rename(away)
    try:
        reply = await victim.send("GET", "/readyz")
        assert reply.status == 503
        assert "keys.vault" in reply.body.decode()
    finally:
        away.rename(vault)
    assert (await victim.send("GET", "/readyz")).status == 200
    reply = await victim.ask(PERSON)
    assert reply.status == 200
    receipts.append(reply.json["receipt"])


async def connected(caller: Caller) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A connection of our own and a question to write on it."""
    host, _, port = caller.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sample = caller.samples[PERSON]
    body = json.dumps(sample["body"]).encode()
    head = [f"POST /v1/{PERSON} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {await caller.token()}"]
    head += [f"{name}: {value}" for name, value in sample["headers"].items()]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    return reader, writer, "\r\n".join(head).encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
    return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def busy(caller: Caller, connections: int) -> None:
    """Wait until the gateway works on questions on so many connections; the one asking for metrics counts too."""
    async with asyncio.timeout(60):
        while await caller.metric("lgsp_http_in_flight") <= connections:
            await asyncio.sleep(0)


async def test_a_reload_drops_no_connection(victim: Caller, receipts: list[dict[str, Any]]) -> None:
    reader, writer, question = await connected(victim)
    # Long enough to be seen at work, however busy the machine is.
    await victim.fault("population", "latency=4s")
    writer.write(question)
    await busy(victim, 1)
    os.kill(victim.live.described["pids"]["gateway"], signal.SIGHUP)
    status, told = await answer(reader)
    assert status == 200
    receipts.append(told["receipt"])
    await victim.healed(["population"])
    writer.write(question)
    status, told = await answer(reader)
    assert status == 200
    receipts.append(told["receipt"])
    writer.close()
    await writer.wait_closed()


async def test_a_stop_finishes_what_is_in_flight(victim: Caller, receipts: list[dict[str, Any]]) -> None:
    live = victim.live
    lines = [await connected(victim) for _ in range(3)]
    for database in DATABASES:
        await victim.fault(database, "latency=4s")
    for _, writer, question in lines:
        writer.write(question)
    await busy(victim, 3)
    stopping = asyncio.create_task(asyncio.to_thread(live.stop))
    for reader, writer, _ in lines:
        status, told = await answer(reader)
        assert status == 200
        receipts.append(told["receipt"])
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert await stopping == 0
    await asyncio.to_thread(live.start)
    assert (await victim.ask(PERSON)).status == 200
