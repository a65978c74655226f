"""A portal, and a deployment on each kind of database that reads it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.portal.ledger import FILE
from sandbox.world.world import World
from tests.test_inbox.world import Box, a_box
from tests.test_portal.visitor import Visitor, visiting


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


@pytest.fixture
async def box(storage_url: str, tmp_path: Path, portal: Visitor) -> AsyncIterator[Box]:
    """On each kind of database."""
    async with a_box(storage_url, tmp_path / "vault", portal) as made:
        yield made


@pytest.fixture
async def local(sqlite_url: str, tmp_path: Path, portal: Visitor) -> AsyncIterator[Box]:
    """On SQLite."""
    async with a_box(sqlite_url, tmp_path / "vault", portal) as made:
        yield made
