"""The signing registries on real sockets."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
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


class Place:
    """Where the authorities are found by all tests, as a restarted demo's are: their certificates name the place.

    Kept between the tests, so that no other process takes it.
    """

    def __init__(self) -> None:
        self._kept = socket.create_server(("127.0.0.1", free_port()))
        self.ports = {"pki": int(self._kept.getsockname()[1])}

    @contextmanager
    def given_up(self) -> Iterator[dict[str, int]]:
        self._kept.close()
        try:
            yield self.ports
        finally:
            self._kept = socket.create_server(("127.0.0.1", self.ports["pki"]))

    def close(self) -> None:
        self._kept.close()


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    found = Place()
    yield found
    found.close()


@pytest.fixture
def ports(place: Place) -> Iterator[dict[str, int]]:
    with place.given_up() as ports:
        yield ports


@pytest.fixture
async def visitor(world: World, state: Path, ports: dict[str, int]) -> AsyncIterator[Visitor]:
    running = await start(world, state, registries=REGISTRIES, ports=ports)
    async with ClientSession() as session:
        yield Visitor(running, session)
    await running.close()
