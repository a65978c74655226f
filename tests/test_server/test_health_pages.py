"""What an orchestrator and a monitor are told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from routes import health
from routes.context import ADMIN
from routes.frame import setup
from routes.health import Check, Verdict, add_health, free_space
from routes.listening import running
from tests.test_server.wire import Client


@asynccontextmanager
async def healthy(settings: Any, *checks: Check) -> AsyncIterator[Client]:
    app = web.Application()
    setup(app, settings.server)
    add_health(app.router, checks)
    async with running(settings, app) as serving:
        yield Client(serving.addresses["http"], app)


def check(name: str, ok: bool, hint: str | None = None) -> Check:
    async def probe() -> Verdict:
        return Verdict(ok, hint)

    return Check(name, probe)


async def test_ready_when_all_is_well(settings_with: Any) -> None:
    async with healthy(settings_with(), check("storage", True), check("clock", True)) as client:
        answer = await client.get("/readyz")
        assert answer.status == 200
        assert answer.json == {
            "status": "ready",
            "checks": [{"name": "storage", "ok": True, "hint": None}, {"name": "clock", "ok": True, "hint": None}],
        }


async def test_unready_when_one_check_fails_and_still_alive(settings_with: Any) -> None:
    async with healthy(settings_with(), check("storage", True), check("keys", False, "run lgsp keys list")) as client:
        answer = await client.get("/readyz")
        assert (answer.status, answer.json["status"]) == (503, "unready")
        assert answer.json["checks"][1] == {"name": "keys", "ok": False, "hint": "run lgsp keys list"}
        assert (await client.get("/livez")).json == {"status": "alive"}


async def test_a_check_that_breaks_or_hangs_is_a_finding(settings_with: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    async def breaks() -> Verdict:
        raise OSError("001085012345")

    async def hangs() -> Verdict:
        await asyncio.Event().wait()
        return Verdict(True)

    monkeypatch.setattr(health, "CHECK_SECONDS", 0.02)
    async with healthy(settings_with(), Check("a", breaks), Check("b", hangs)) as client:
        answer = await client.get("/readyz")
        assert answer.status == 503
        assert [one["ok"] for one in answer.json["checks"]] == [False, False]
        assert b"001085012345" not in answer.body
        assert "OSError" in answer.json["checks"][0]["hint"]


async def test_little_space_warns_and_stays_ready(settings_with: Any, tmp_path: Path) -> None:
    async with healthy(settings_with(), free_space((tmp_path / "none", tmp_path), 2**62)) as client:
        answer = await client.get("/readyz")
        assert (answer.status, answer.json["status"]) == (200, "warning")
        assert "make room" in answer.json["checks"][0]["hint"]
        scraped = await client.get("/metrics")
        assert scraped.headers["content-type"].startswith("text/plain; version=0.0.4")
        line = next(line for line in scraped.body.decode().splitlines() if line.startswith("lgsp_storage_free_bytes "))
        assert float(line.split()[1]) > 0
    async with healthy(settings_with(), free_space((tmp_path,), 0)) as client:
        assert (await client.get("/readyz")).json["status"] == "ready"


async def test_admin_pages_move_to_their_own_address(settings_with: Any) -> None:
    settings = settings_with(admin_listen="127.0.0.1:0")
    app, admin = web.Application(), web.Application()
    setup(app, settings.server)
    setup(admin, settings.server)
    add_health(admin.router, ())
    app[ADMIN] = admin
    async with running(settings, app) as serving:
        assert (await Client(serving.addresses["admin"], admin).get("/metrics")).status == 200
        assert (await Client(serving.addresses["http"], app).get("/metrics")).status == 404
