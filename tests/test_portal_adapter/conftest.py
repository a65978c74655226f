"""The simulated portal on a real socket, empty for each test, and the gateway's way there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.portal.ledger import FILE
from sandbox.world.world import World
from tests.test_portal.visitor import Visitor, visiting
from tests.test_portal_adapter.wiring import Gateway, at, reaching


@pytest.fixture(scope="session")
def world() -> World:
    return World(7, 20)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One state directory for all tests: its keys are made once."""
    return tmp_path_factory.mktemp("portal")


@pytest.fixture
async def portal(world: World, state: Path) -> AsyncIterator[Visitor]:
    (state / FILE).unlink(missing_ok=True)
    async with visiting(world, state) as visitor:
        yield visitor


@pytest.fixture(params=["1", "2"], ids=["generation-1", "generation-2"])
def generation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def gateway(portal: Visitor, generation: str) -> AsyncIterator[Gateway]:
    """Reaches the portal in both generations."""
    async with reaching(at(portal.url, generation, secret=portal.secret)) as made:
        yield made


@pytest.fixture
async def first(portal: Visitor) -> AsyncIterator[Gateway]:
    """Reaches the portal in its first generation."""
    async with reaching(at(portal.url, "1", secret=portal.secret)) as made:
        yield made
