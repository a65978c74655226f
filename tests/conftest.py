"""Fixtures for every room: real databases and a real Redis, each test with a fresh one."""

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import structlog
import typer.testing
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.distribution import BySuite, longest_first
from tests.services import Postgres, Redis, SoftHsm

# How long an example takes says how busy the machine is.
settings.register_profile("lgsp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For `make mutants`, which runs the same tests a thousand times: few examples, and those of the run before.
settings.register_profile("mutants", settings.get_profile("lgsp"), max_examples=25, derandomize=True, database=None)
settings.load_profile("lgsp")
# Left to itself, structlog draws and colours all variables of all frames: a second of computing for each logged error.
_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])
# The runner of the tests builds the tree of all commands anew for each command that is given; it does not change.
typer.testing._get_command = cache(typer.testing._get_command)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySuite:
    return BySuite(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command that runs in this process says how its process logs; the next test is not of that process."""
    before, level = structlog.get_config(), logging.getLogger().level
    yield
    structlog.configure(**before)
    logging.getLogger().setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this test process; a test that stops it starts it again."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The address of an empty PostgreSQL database."""
    return postgres.fresh()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """The Redis server of this test process."""
    server = Redis()
    yield server
    server.close()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The address of an empty Redis."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture(scope="session")
def softhsm() -> Iterator[SoftHsm]:
    """The tokens of this test process."""
    tokens = SoftHsm()
    yield tokens
    tokens.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database of each kind: what holds for one must hold for the other."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(name)
    return url
