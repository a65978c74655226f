"""`/livez`, `/readyz` and `/metrics`: what an orchestrator and a monitor ask.

Ready means that the gateway itself can answer: storage, keys, clock. A source that is down never makes it unready,
since the others still answer. Checks are handed in by whoever builds the application.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from config.metrics import CONTENT_TYPE, metrics, render
from routes.direct import Whole

log = structlog.get_logger()

CHECK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found; `hint` says what to do. With `ok` and a hint it is a warning."""

    ok: bool
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A named question about the gateway's own health."""

    name: str
    probe: Callable[[], Awaitable[Verdict]]


def free_space(directory: Path, reserve: int) -> Check:
    """Return the check that warns below `reserve` bytes free where `directory` lies, before anything has to stop."""

    async def probe() -> Verdict:
        facts = await asyncio.to_thread(os.statvfs, directory)
        free = facts.f_bavail * facts.f_frsize
        metrics().storage_free.set(free)
        if free >= reserve:
            return Verdict(ok=True)
        return Verdict(ok=True, hint=f"{free} bytes free, storage.reserve asks for {reserve}: make room on this volume")

    return Check("disk", probe)


async def _run(check: Check) -> Verdict:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check.probe()
    except TimeoutError:
        return Verdict(ok=False, hint=f"no answer within {CHECK_SECONDS:g} s")
    except Exception as error:
        # A check that breaks is a finding, not a failure of the page.
        log.warning("check-failed", check=check.name, exc_info=error)
        return Verdict(ok=False, hint=f"the check failed ({type(error).__name__}), see the log")


async def readiness(checks: Sequence[Check]) -> tuple[bool, dict[str, object]]:
    """Run all checks at once; return whether all are well and the document of `/readyz`."""
    verdicts = await asyncio.gather(*(_run(check) for check in checks))
    ready = all(verdict.ok for verdict in verdicts)
    warned = any(verdict.ok and verdict.hint for verdict in verdicts)
    return ready, {
        "status": "unready" if not ready else "warning" if warned else "ready",
        "checks": [
            {"name": check.name, "ok": verdict.ok, "hint": verdict.hint}
            for check, verdict in zip(checks, verdicts, strict=True)
        ],
    }


def add_health(router: web.UrlDispatcher, checks: Sequence[Check]) -> None:
    """Add the three routes; `/readyz` answers 503 while a check fails."""

    async def livez(_request: web.Request) -> web.Response:
        return _json({"status": "alive"})

    looking: asyncio.Task[tuple[bool, dict[str, object]]] | None = None

    async def readyz(_request: web.Request) -> web.Response:
        # Anybody may ask, and a look takes the write lock: all who ask meanwhile share one.
        nonlocal looking
        if looking is None or looking.done():
            looking = asyncio.create_task(readiness(checks))
        ready, document = await asyncio.shield(looking)
        return _json(document, 200 if ready else 503)

    async def show_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(render), headers={"Content-Type": CONTENT_TYPE})

    router.add_get("/livez", livez)
    router.add_get("/readyz", readyz)
    router.add_get("/metrics", show_metrics)


def _json(document: dict[str, object], status: int = 200) -> web.Response:
    return Whole(json.dumps(document).encode(), {"Content-Type": "application/json"}, status)
