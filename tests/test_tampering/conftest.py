"""A fresh log, on each kind of database and on SQLite alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.test_audit.audit_world import World, a_world


@pytest.fixture
async def world(storage_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(storage_url, tmp_path / "vault") as made:
        yield made


@pytest.fixture
async def local(sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(sqlite_url, tmp_path / "vault") as made:
        yield made
