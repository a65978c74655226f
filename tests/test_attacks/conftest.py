"""One demo whose signing registries are behind a forger, for all tests of this room that need one."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from tests.test_attacks.forger import Forger
from tests.test_gateway.live import Caller, Live


@pytest.fixture(scope="session")
def forger() -> Iterator[Forger]:
    one = Forger()
    yield one
    one.close()


@pytest.fixture(scope="session")
def deceived(forger: Forger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The demo; its gateway is the one that somebody tries to deceive."""
    state = tmp_path_factory.mktemp("deceived") / "state"
    demo = Live(state, seed=9, people=40, environment=forger.environment(state))
    forger.follow(demo.state)
    yield demo
    assert demo.stop() == 0


@pytest.fixture
async def caller(deceived: Live, forger: Forger) -> AsyncIterator[Caller]:
    """A caller of that gateway; afterwards the registries answer for themselves again."""
    async with ClientSession(cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=90)) as session:
        yield Caller(deceived, session)
    forger.forge = None
