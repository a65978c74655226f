"""A portal, and a deployment on each kind of database that reads it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.test_inbox.world import Box, a_box
from tests.test_portal.conftest import opens, state, world
from tests.test_portal.conftest import visitor as portal
from tests.test_portal.visitor import Visitor

__all__ = ["opens", "portal", "state", "world"]


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
