"""A folder with one file of each kind of evidence."""

import asyncio
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.test_audit.audit_world import a_world
from tests.test_verify_audit.made import fill, keys


@cache
def evidence() -> Mapping[str, bytes]:
    """The files by name. Once in a process, since `make mutants` runs a session of tests for every change."""

    async def make(folder: Path) -> None:
        async with a_world(f"sqlite:///{folder}/gateway.db", folder / "vault") as world:
            await fill(world, folder)

    with TemporaryDirectory() as folder:
        asyncio.run(make(Path(folder)))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    for name, content in evidence().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of the keys of the log and of the witness."""
    (tmp_path / "keys.txt").write_text(keys())
    return tmp_path / "keys.txt"
