"""A grown deployment is a genuine one: its log verifies, its openings open, and a gateway serves on top of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import func, select

from adapters import DATABASES
from bench.growth import prepare
from config.settings import Settings, load
from routes.application import make_app
from security import administration
from security.audit.assembly import log_verifiers, open_log, open_sealer
from security.audit.findings import Findings
from security.audit.tables import OPENINGS, SUBJECTS
from security.audit.verification import verify
from security.client_store import load_all
from security.keys import KeyRing
from storage.engine import Storage
from sync.database import open_storage, upgrade

ENTRIES, CLIENTS = 300, 20

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A deployment that nothing happened in."""
    (tmp_path / "gateway.toml").write_text(
        '[endpoints.social-insurance]\nurl = "http://127.0.0.1:1"\nretry = { attempts = 1 }\n', encoding="utf-8"
    )
    found = load(tmp_path / "gateway.toml")
    KeyRing.create(found.keys.directory)
    await upgrade(found.storage.url)
    return found


async def within(settings: Settings, work: Callable[[Storage], Any]) -> Any:
    storage = await open_storage(settings.storage.url)
    try:
        return await work(storage)
    finally:
        await storage.close()


async def verified(settings: Settings) -> Findings:
    keys = KeyRing(settings.keys.directory)
    known = log_verifiers(keys, settings.keys.origin)
    found: Findings = await within(
        settings, lambda storage: verify(storage, known, open_sealer(keys, settings.keys.vault))
    )
    return found


async def test_a_grown_log_verifies_and_has_what_was_asked_for(settings: Settings, tmp_path: Path) -> None:
    await prepare(tmp_path, entries=ENTRIES, clients=CLIENTS)

    found = await verified(settings)
    assert (found.valid, found.entries) == (True, ENTRIES)

    async def counted(storage: Storage) -> tuple[int, int, list[Any]]:
        def count(connection: Any) -> tuple[int, int, list[Any]]:
            openings, subjects = (
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (OPENINGS, SUBJECTS)
            )
            return openings, subjects, load_all(connection)

        return await storage.read(count)

    openings, subjects, clients = await within(settings, counted)
    assert openings == (ENTRIES - CLIENTS) // 4
    assert subjects == 2 * openings
    assert len(clients) == CLIENTS
    assert all(client.grants and client.credentials for client in clients)


async def test_growing_goes_on_from_what_is_there(settings: Settings, tmp_path: Path) -> None:
    await prepare(tmp_path, entries=40, clients=3)
    await prepare(tmp_path, entries=30, clients=2)
    assert (await verified(settings)).entries == 40
    await prepare(tmp_path, entries=ENTRIES, clients=CLIENTS)
    found = await verified(settings)
    assert (found.valid, found.entries) == (True, ENTRIES)


async def test_a_gateway_serves_on_a_grown_log(
    settings: Settings, tmp_path: Path, aiohttp_client: Callable[..., Any]
) -> None:
    await prepare(tmp_path, entries=ENTRIES, clients=CLIENTS)
    keys = KeyRing(settings.keys.directory)

    async def registered(storage: Storage) -> str:
        log = await open_log(storage, keys, settings.keys.origin, settings.keys.vault)
        change = administration.add("ministry", name="Bộ", agency="G15", by="test")
        await log.record(change.evidence, writes=(change.write,))
        await log.close()
        return change.secret or ""

    secret = await within(settings, registered)
    client: TestClient[Any, Any] = await aiohttp_client(await make_app(settings, DATABASES))
    form = {"grant_type": "client_credentials", "client_id": "ministry", "client_secret": secret}
    answer = await client.post("/oauth2/token", data=form)
    assert answer.status == 200
    bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    assert (await client.get("/v1/me", headers=bearer)).status == 200

    refused = await client.post(
        "/v1/social-insurance/participant", json={"number": "7912345678"}, headers={**bearer, "Lgsp-Receipt": "full"}
    )
    problem = await refused.json()
    assert (refused.status, problem["code"]) == (403, "refused")
    # After the grown entries: the client, its token, this refusal.
    assert problem["receipt"]["index"] == ENTRIES + 2
    assert problem["receipt"]["proof"]
    await client.close()
    assert (await verified(settings)).valid
