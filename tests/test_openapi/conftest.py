"""One deployment for all tests of this room that only look."""

from collections.abc import Iterator

import pytest

from tests.test_openapi.deployment import Deployment, InThread


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    thread = InThread(tmp_path_factory.mktemp("deployment"))
    yield thread.deployment
    thread.close()
