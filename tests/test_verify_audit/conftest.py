"""A folder with one file of each kind of evidence."""

import asyncio
from pathlib import Path

import pytest

from tests.test_audit.audit_world import a_world
from tests.test_verify_audit.made import fill, keys


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")

    async def make() -> None:
        async with a_world(f"sqlite:///{folder}/gateway.db", folder / "vault") as world:
            await fill(world, folder)

    asyncio.run(make())
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of the keys of the log and of the witness."""
    (tmp_path / "keys.txt").write_text(keys())
    return tmp_path / "keys.txt"
