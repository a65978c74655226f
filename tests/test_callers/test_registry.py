"""Clients in the database and in memory, on both databases; what happens when the database is gone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.exchange import Grant
from security.administration import add
from security.client_store import Stale, load, revoke_token, revoked_since, store
from security.clients import new_secret, secret_matches, secret_material
from security.credentials import secret_credential
from security.registry import ClientRegistry
from storage.engine import Storage
from storage.errors import StorageError, StorageUnavailable
from storage.schema import open_storage, upgrade


@pytest.fixture
async def storage(storage_url: str) -> AsyncIterator[Storage]:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    yield opened
    await opened.close()


async def test_a_client_comes_back_as_it_was_written(storage: Storage, grant: Grant) -> None:
    now = datetime.now(UTC)
    secret = replace(
        secret_credential(new_secret(), now), not_after=now + timedelta(days=1), revoked_at=now + timedelta(hours=1)
    )
    full = replace(
        grant,
        dossier_required=True,
        officer_required=True,
        signature_required=True,
        rate=0.125,
        burst=0,
        deadline_ms=100,
        expires_at=now + timedelta(days=2),
        archive=True,
    )
    given = replace(
        add("ministry", name="Bộ Tư pháp", agency="G15", rights=["audit", "dossiers"], secret=False, by="t").client,
        credentials=(secret,),
        grants=(full, replace(grant, purposes=frozenset({"benefit-verification", "dossier-processing"}))),
        revoked_at=now,
    )
    await storage.write(lambda connection: store(connection, given))
    read = await storage.read(lambda connection: load(connection, "ministry"))
    assert read is not None
    assert replace(read, version=0, grants=()) == replace(given, grants=())
    assert set(read.grants) == set(given.grants)
    with pytest.raises(Stale):
        await storage.write(lambda connection: store(connection, given))
    registry = ClientRegistry(storage)
    assert await registry.refresh() == 1
    await storage.write(lambda connection: store(connection, replace(read, name="Anew")))
    assert await registry.refresh() == 1
    known = registry.get("ministry")
    assert known is not None
    assert known.name == "Anew"


async def test_ended_tokens_reach_every_registry(storage: Storage) -> None:
    registry = ClientRegistry(storage)
    await registry.refresh()
    future = int(datetime.now(UTC).timestamp()) + 600
    for token_id in ("a", "b", "a"):
        await storage.write(lambda connection, name=token_id: revoke_token(connection, name, future, 0))
    await registry.refresh()
    assert registry.ended("a")
    assert registry.ended("b")
    rows = await storage.read(lambda connection: revoked_since(connection, 1))
    assert [name for _, name, _ in rows] == ["b"]


async def test_without_the_database_what_is_known_counts_and_the_loss_is_told(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deployment.add()
    registry: ClientRegistry = deployment.registry
    told: list[StorageError] = []
    twice, healed = asyncio.Event(), asyncio.Event()

    async def broken(_: object) -> object:
        raise StorageUnavailable("disk")

    def lost(failure: StorageError) -> None:
        told.append(failure)
        if len(told) == 2:
            twice.set()
            monkeypatch.undo()

    read = deployment.storage.read
    monkeypatch.setattr(deployment.storage, "read", broken)
    task = asyncio.create_task(registry.follow(0.001, lost=lost))
    await twice.wait()
    assert registry.get("ministry") is not None

    async def seen(work: object) -> object:
        result = await read(work)
        healed.set()
        return result

    monkeypatch.setattr(deployment.storage, "read", seen)
    await deployment.commit(add("other", name="n", agency="G12", by="t"), refresh=False)
    healed.clear()
    while registry.get("other") is None:
        await healed.wait()
        healed.clear()
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_secrets_are_salted_and_compared_whole() -> None:
    secret = new_secret()
    one, two = secret_material(secret), secret_material(secret)
    assert one != two
    assert secret not in str(one)
    assert secret_matches(one, secret)
    assert secret_matches(two, secret)
    for wrong in ("", secret[:-1], secret + "x", secret.upper(), "\udcff", "x" * 100_000):
        assert not secret_matches(one, wrong)
    assert len({new_secret() for _ in range(100)}) == 100
