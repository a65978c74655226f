"""`/livez`, `/readyz` and `/metrics`: what an orchestrator and a monitor ask.

Ready means that the gateway itself can answer: storage, keys, clock. A source that is down never makes it unready,
since the others still answer. Checks are handed in by whoever builds the application.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from config.metrics import CONTENT_TYPE, metrics, render
from config.settings import Settings
from routes.direct import Whole
from storage.engine import directory_of

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


def volumes(settings: Settings) -> tuple[Path, ...]:
    """Return where evidence is written here: the vault, and the database where that is a file."""
    directory = directory_of(settings.storage.url)
    return (settings.keys.vault,) if directory is None else (settings.keys.vault, directory)


def least_free(directories: Sequence[Path]) -> int | None:
    """Measure the free bytes of the fullest volume and show them as a metric; None where no directory is there."""
    found = []
    for directory in directories:
        with suppress(FileNotFoundError):
            facts = os.statvfs(directory)
            found.append(facts.f_bavail * facts.f_frsize)
    if not found:
        return None
    metrics().storage_free.set(min(found))
    return min(found)


def free_space(directories: Sequence[Path], reserve: int) -> Check:
    """Return the check that warns below `reserve` bytes free on any of these volumes, before anything has to stop."""

    async def probe() -> Verdict:
        free = await asyncio.to_thread(least_free, directories)
        if free is None or free >= reserve:
            return Verdict(ok=True)
        found = f"{free} bytes free, storage.reserve asks for {reserve}"
        return Verdict(ok=True, hint=f"{found}: make room where database and vault lie")

    return Check("disk", probe)


async def _run(check: Check) -> Verdict:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check.probe()
    except TimeoutError:
        return Verdict(ok=False, hint=f"no answer within {CHECK_SECONDS:g} s")
    except Exception as error:
        # A check that breaks is a finding, not a failure of the page.
        with suppress(OSError):
            # A full disk takes no lines of the log either.
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
