"""A fresh intake on each kind of database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import sync.database  # noqa: F401 - declares every table
from tests.test_intake.source import Source
from tests.test_intake.world import Desk, a_desk
from tests.test_openapi.deployment import Deployment, InThread


@pytest.fixture
async def desk(storage_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(storage_url, tmp_path / "vault") as made:
        yield made


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A whole gateway on real sockets, in a thread."""
    thread = InThread(tmp_path_factory.mktemp("deployment"))
    yield thread.deployment
    thread.close()


@pytest.fixture
def province(deployed: Deployment) -> Source:
    """The client of the demo that may push."""
    return Source(deployed, deployed.token("province"))


@pytest.fixture
def ministry(deployed: Deployment) -> Source:
    """A client that may not."""
    return Source(deployed, deployed.token("ministry"))
