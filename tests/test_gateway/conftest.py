"""One live demo for each test process; tests change its faults and put them back."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from tests.test_gateway.live import Caller, Live

# Of no meaning; the acceptance checks have others.
SEED, PEOPLE = 20_251, 60


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    demo = Live(tmp_path_factory.mktemp("demo") / "state", seed=SEED, people=PEOPLE)
    yield demo
    assert demo.stop() == 0


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=90)) as one:
        yield one


@pytest.fixture
async def caller(live: Live, session: ClientSession) -> Caller:
    return Caller(live, session)
