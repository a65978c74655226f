"""A fresh intake on each kind of database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sync.database  # noqa: F401 - declares every table
from tests.test_intake.world import Desk, a_desk


@pytest.fixture
async def desk(storage_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(storage_url, tmp_path / "vault") as made:
        yield made
