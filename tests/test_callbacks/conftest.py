"""A database of each kind, and a system that is called back."""

from collections.abc import AsyncIterator

import pytest

from tests.test_callbacks.receiver import Receiver, listening
from tests.test_callbacks.world import Office, an_office


@pytest.fixture
async def office(storage_url: str) -> AsyncIterator[Office]:
    """On each kind of database."""
    async with an_office(storage_url) as made:
        yield made


@pytest.fixture
async def local(sqlite_url: str) -> AsyncIterator[Office]:
    """On SQLite."""
    async with an_office(sqlite_url) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as made:
        yield made
