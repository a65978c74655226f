"""A portal, and a deployment on each kind of database that delivers to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sync.database  # noqa: F401 - declares every table
from tests.test_delivery.world import Post, a_post
from tests.test_portal.conftest import opens, state, world
from tests.test_portal.conftest import visitor as portal
from tests.test_portal.visitor import Visitor

__all__ = ["opens", "portal", "state", "world"]


@pytest.fixture
async def post(storage_url: str, tmp_path: Path, portal: Visitor) -> AsyncIterator[Post]:
    """On each kind of database."""
    async with a_post(storage_url, tmp_path / "vault", portal) as made:
        yield made


@pytest.fixture
async def local(sqlite_url: str, tmp_path: Path, portal: Visitor) -> AsyncIterator[Post]:
    """On SQLite."""
    async with a_post(sqlite_url, tmp_path / "vault", portal) as made:
        yield made
