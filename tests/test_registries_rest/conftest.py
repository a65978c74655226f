"""The registries behind the platform on real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from sandbox.run import Running, start
from sandbox.world.world import World
from tests.test_registries_rest.wiring import DATABASES, REGISTRIES, Client, Gateway, endpoints_of


@pytest.fixture(scope="session")
def world() -> World:
    return World(7, 80)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registries")


@pytest.fixture
async def running(world: World, state: Path) -> AsyncIterator[Running]:
    registries = await start(world, state, registries=REGISTRIES)
    yield registries
    await registries.close()


@pytest.fixture
async def client(running: Running) -> AsyncIterator[Client]:
    async with ClientSession() as session:
        yield Client(session, running)


@pytest.fixture
async def gateway(running: Running) -> AsyncIterator[Gateway]:
    endpoints = endpoints_of(running)
    logins: dict[str, Any] = {}
    for database in DATABASES.values():
        logins |= database.logins
    links = {name: Link(name, endpoint, logins[name]) for name, endpoint in endpoints.items()}
    yield Gateway(dispatch(compile_codecs(DATABASES.values(), endpoints), links))
    for link in links.values():
        await link.close()
