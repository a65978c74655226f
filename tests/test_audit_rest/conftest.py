"""One deployment on each kind of database for all tests of this room."""

from collections.abc import Iterator

import pytest

from tests.services import Postgres
from tests.test_audit_rest.office import Office


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """On each kind of database."""
    url = None
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh("audit_rest")
    made = Office(tmp_path_factory.mktemp(request.param), url)
    yield made
    made.close()


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """On SQLite, for what is the same on both."""
    made = Office(tmp_path_factory.mktemp("local"))
    yield made
    made.close()
