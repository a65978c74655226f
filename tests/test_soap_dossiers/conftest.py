"""A whole gateway on real sockets, and its clients at both doors."""

from collections.abc import Iterator

import pytest

from tests.test_intake.source import Source
from tests.test_openapi.deployment import Deployment, InThread
from tests.test_soap_dossiers.door import Door


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    thread = InThread(tmp_path_factory.mktemp("deployment"))
    yield thread.deployment
    thread.close()


@pytest.fixture(params=["1.1", "1.2"])
def door(deployed: Deployment, request: pytest.FixtureRequest) -> Door:
    """The province of the demo, which may push, in each version of SOAP."""
    return Door(deployed, version=request.param)


@pytest.fixture
def soap11(deployed: Deployment) -> Door:
    """The province, in SOAP 1.1."""
    return Door(deployed)


@pytest.fixture
def rest(deployed: Deployment) -> Source:
    """The same client over REST."""
    return Source(deployed, deployed.token("province"))
