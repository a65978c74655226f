"""The portal on a real socket, over a ledger in a file."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sandbox.portal.ledger import FILE
from sandbox.world.world import World
from tests.test_portal.visitor import Visitor, visiting

Opens = Callable[[], Awaitable[Visitor]]


@pytest.fixture(scope="session")
def world() -> World:
    return World(7, 20)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One state directory for all tests: its keys are made once."""
    return tmp_path_factory.mktemp("portal")


@pytest.fixture
async def opens(world: World, state: Path) -> AsyncIterator[Opens]:
    """Open the portal on a ledger that is empty at first, as often as the test likes; the visitor closes it."""
    (state / FILE).unlink(missing_ok=True)
    async with AsyncExitStack() as stack:

        async def opened() -> Visitor:
            return await stack.enter_async_context(visiting(world, state))

        yield opened


@pytest.fixture
async def visitor(opens: Opens) -> Visitor:
    return await opens()
