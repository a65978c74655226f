"""What delivering dossier statuses costs: the worker of the product against a portal that takes no time.

The worker is the real one: claims, intents, evidence of each exchange and each outcome, all durable in SQLite on the
disk of the checkout. Beside it stand a bare client that posts the same events in the same batches, and the same queue
with a million events in it. Portal, worker and client are processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import uvloop
from sqlalchemy import select

from bench import outbox, sender
from bench.portal import LARGEST
from bench.processes import Broken, patiently, start, tail, tell
from config.settings import load
from routes.assembly import assembled
from routes.delivering import delivering
from storage.engine import Storage
from sync.tables import DOSSIERS

LEAST: Final = 1_000
"""Events per second and worker that are asked for."""
LEAST_OF_BARE: Final = 0.8
MOST_OF_LONG: Final = 1.3
MOST_RESTART_S: Final = 5.0

_SHORT: Final = 1_000
_TIMES: Final = 4
_WARM: Final = 500
_MORE: Final = 5
"""The bare client is given more, to last as long."""
_PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.03


class Portal:
    """The portal of this bench, in a process of its own."""

    def __init__(self, stack: ExitStack, log: Path) -> None:
        cores = os.sched_getaffinity(0)
        process = start([sys.executable, "-m", "bench.portal"], stack, log, cores=cores, talks=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Broken(f"the portal did not start:\n{tail(log)}")
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}"

    def counted(self) -> dict[str, int]:
        """How many calls and events came."""
        with urllib.request.urlopen(self.url) as answer:
            told: dict[str, int] = json.load(answer)
        return told

    def largest(self) -> bytes:
        """The call that had the most events."""
        with urllib.request.urlopen(self.url, LARGEST) as answer:
            call: bytes = answer.read()
        return call


def measured(events: int, waiting: int, rounds: int) -> dict[str, Any]:
    """Measure delivery beside a bare client, with few and with `waiting` events in the queue, and after a crash."""
    state = Path(".lgsp")
    state.mkdir(exist_ok=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="delivery-", dir=state))).resolve()
        portal = Portal(stack, directory / "portal.log")
        few = asyncio.run(outbox.deploy(directory / "few", portal.url))
        beside = _beside_bare(few, portal, events, rounds)
        many = asyncio.run(outbox.deploy(directory / "many", portal.url))
        asyncio.run(outbox.fill(load(many), waiting))
        tell(f"{waiting} events wait")
        lengths = _by_length(few, many, portal, rounds)
        restart = _restarted(many, portal)
    return {"events": events, "waiting": waiting, **beside, **lengths, "restart_s": round(restart, 2)}


def _alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do it in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def _beside_bare(config: Path, portal: Portal, events: int, rounds: int) -> dict[str, Any]:
    """In turn: the worker, and bare loops with as many calls of the same size under way, with one, with one event."""
    found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": [], "bare_one": [], "bare_single": []}
    for _ in range(rounds):
        found["ours"] += _alone(delivered, config, portal.url, events, 1, True)
        call = portal.largest()
        size = len(json.loads(call)["data"])
        for name, many, each, parallel in (
            ("bare", events * _MORE, size, load(config).sync.parallel),
            ("bare_one", events * _MORE, size, 1),
            ("bare_single", events, 1, 1),
        ):
            found[name].append(_alone(sender.sent, portal.url, call, many, each, parallel))
    medians = {name: _medians(held) for name, held in found.items()}
    return {**medians, "batch": size}


def _by_length(few: Path, many: Path, portal: Portal, rounds: int) -> dict[str, Any]:
    """In turn: what an event costs where the queue holds a thousand, and where it holds very many."""
    found: dict[str, list[dict[str, float]]] = {"short": [], "long": []}
    for _ in range(rounds):
        found["short"] += _alone(delivered, few, portal.url, _SHORT, _TIMES, True)
        found["long"] += _alone(delivered, many, portal.url, _SHORT, _TIMES, False)
    return {name: _medians(held) for name, held in found.items()}


def _medians(found: list[dict[str, float]]) -> dict[str, int]:
    return {name: round(statistics.median(each[name] for each in found)) for name in found[0]}


def delivered(config: Path, portal: str, events: int, times: int, filled: bool) -> list[dict[str, float]]:
    """Deliver so many events so many times; return events per second and per CPU-second of this process, each time.

    Where it is to be `filled`, the queue holds those events and no others; else it holds more than will be sent.
    """
    return uvloop.run(_delivered(config, portal, events, times, filled))


async def _delivered(config: Path, portal: str, events: int, times: int, filled: bool) -> list[dict[str, float]]:
    settings = load(config)
    found: list[dict[str, float]] = []
    # One worker for all of it: what it does when it starts, counting what waits, it does once.
    async with assembled(settings, ()) as gateway, delivering(gateway):
        for place in range(times + 1):
            many = events if place else _WARM
            if filled:
                await outbox.fill(settings, many)
                gateway.dossiers.bell.ring()
            before = await _count(portal)
            used, begun = time.process_time(), time.perf_counter()
            await _until(partial(_over, gateway.storage) if filled else partial(_reached, portal, before + many))
            used, passed = time.process_time() - used, time.perf_counter() - begun
            sent = await _count(portal) - before
            if place:
                found.append({"per_second": sent / passed, "per_cpu_second": sent / used})
    return found


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not await holds():
            await asyncio.sleep(_LOOK_S)


async def _over(storage: Storage) -> bool:
    """Whether nothing is left to be sent, and nothing under way."""
    return await storage.read(lambda connection: connection.execute(_LEFT).first()) is None


_LEFT: Final = select(DOSSIERS.c.code).where(DOSSIERS.c.next_due.is_not(None)).limit(1)


async def _reached(portal: str, events: int) -> bool:
    return await _count(portal) >= events


async def _count(portal: str) -> int:
    """How many events the portal has taken."""
    address = urlsplit(portal)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: portal\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    count: int = json.loads(answer.partition(b"\r\n\r\n")[2])["events"]
    return count


def _restarted(config: Path, portal: Portal) -> float:
    """Kill a worker while it delivers; return how many seconds after its start the next one delivers."""
    command = [sys.executable, "-m", "gateway", "worker", "--config", str(config)]
    with ExitStack() as stack:
        cores = os.sched_getaffinity(0)
        for killed in (True, False):
            begun, before = time.monotonic(), portal.counted()["events"]
            process = start(command, stack, config.with_name("worker.log"), cores=cores)
            for _ in patiently(_PATIENCE_S):
                if portal.counted()["events"] > before:
                    break
            else:
                raise Broken(f"a worker delivers nothing:\n{tail(config.with_name('worker.log'))}")
            passed = time.monotonic() - begun
            if killed:
                process.kill()
                process.wait()
    return passed


def judged(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures that have a target."""
    ours, bare = found["ours"], found["bare"]
    figures = {
        "delivery_per_second": (ours["per_second"], LEAST, None),
        "delivery/bare": (ours["per_second"] / bare["per_second"], LEAST_OF_BARE, None),
        "delivery/bare_cpu": (ours["per_cpu_second"] / bare["per_cpu_second"], LEAST_OF_BARE, None),
        "delivery/bare_single": (ours["per_second"] / found["bare_single"]["per_second"], None, None),
        "long_queue/short": (found["short"]["per_cpu_second"] / found["long"]["per_cpu_second"], None, MOST_OF_LONG),
        "restart_s": (found["restart_s"], None, MOST_RESTART_S),
    }
    return {name: _judged(*figure) for name, figure in figures.items()}


def _judged(value: float, least: float | None, most: float | None) -> dict[str, Any]:
    shown = round(value, 3)
    if least is not None:
        return {"value": shown, "at_least": least, "met": shown >= least}
    return {"value": shown, "met": None} if most is None else {"value": shown, "at_most": most, "met": shown <= most}


def table(found: dict[str, Any]) -> str:
    """Return the figures as text."""
    lines = [f"delivery, calls of {found['batch']} events          events/s  per CPU-second"]
    named = {
        "ours": f"the worker, {found['events']} events",
        "bare": "bare client, as many calls under way",
        "bare_one": "bare client, one call after the other",
        "bare_single": "bare client, one event in a call",
        "short": f"{_SHORT} events wait",
        "long": f"{found['waiting']} events wait",
    }
    for name, text in named.items():
        lines.append(f"{text:42}{found[name]['per_second']:10}{found[name]['per_cpu_second']:16}")
    return "\n".join(lines)
