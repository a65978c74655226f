"""The signing registries on real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from sandbox.ports import free_port
from sandbox.run import start
from sandbox.world.world import World
from tests.test_sandbox.visitor import REGISTRIES, Visitor


@pytest.fixture(scope="session")
def world() -> World:
    return World(7, 40)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One state directory for all tests, as a restarted demo has it."""
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="session")
def ports() -> dict[str, int]:
    """Where the authorities are found by all tests, as a restarted demo's are: their certificates name the place."""
    return {"pki": free_port()}


@pytest.fixture
async def visitor(world: World, state: Path, ports: dict[str, int]) -> AsyncIterator[Visitor]:
    running = await start(world, state, registries=REGISTRIES, ports=ports)
    async with ClientSession() as session:
        yield Visitor(running, session)
    await running.close()
