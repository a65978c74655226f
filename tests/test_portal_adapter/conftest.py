"""The simulated portal on a real socket, empty for each test, and the gateway's way there."""

from collections.abc import AsyncIterator

import pytest

from tests.test_portal.conftest import opens, state, world
from tests.test_portal.conftest import visitor as portal
from tests.test_portal.visitor import Visitor
from tests.test_portal_adapter.wiring import Gateway, at, reaching

__all__ = ["opens", "portal", "state", "world"]


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
