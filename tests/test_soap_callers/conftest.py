"""Registered clients with keys of each kind, and what verifies their messages."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from security.administration import Change
from security.client_store import store
from security.clients import Client
from security.registry import ClientRegistry
from security.soap_callers import SoapCallers
from sync.database import open_storage, upgrade
from tests.test_soap_callers.callers import Holder, Office


@pytest.fixture(scope="session")
def holders() -> dict[str, Holder]:
    keys = {
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
    }
    return {name: Holder.of(key, f"Bộ {name}") for name, key in keys.items()}


@pytest.fixture(params=["p256", "p384", "rsa"])
def holder(request: pytest.FixtureRequest, holders: dict[str, Holder]) -> Holder:
    return holders[request.param]


@pytest.fixture
def p256(holders: dict[str, Holder]) -> Holder:
    return holders["p256"]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    url = f"sqlite:///{tmp_path / 'lgsp.sqlite'}"
    await upgrade(url)
    storage = await open_storage(url)
    registry = ClientRegistry(storage)

    async def commit(change: Change) -> Client:
        await storage.write(lambda connection: store(connection, change.client))
        await registry.refresh()
        found = registry.get(change.client.client_id)
        assert found is not None
        return found

    yield Office(registry, commit, SoapCallers(registry))
    await storage.close()
