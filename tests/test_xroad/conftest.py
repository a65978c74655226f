"""One live demo for each test process, and the doors to it: its security server's, a client's own, anybody's."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from tests.test_gateway.live import Caller, Live
from tests.test_xroad.gateway import PEOPLE, SEED, Behind


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    demo = Live(tmp_path_factory.mktemp("demo") / "state", seed=SEED, people=PEOPLE)
    yield demo
    assert demo.stop() == 0


@pytest.fixture
async def caller(live: Live) -> AsyncIterator[Caller]:
    async with ClientSession(cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=90)) as session:
        yield Caller(live, session)


@pytest.fixture(scope="session")
def behind(live: Live) -> Behind:
    """What the demo's security server has in hand."""
    return Behind(live)


@pytest.fixture(scope="session")
def clients_own(live: Live) -> ssl.SSLContext:
    """The TLS context of a registered client that is no security server."""
    context = ssl.create_default_context(cafile=live.described["trust"]["gateway"])
    papers = live.described["clients"]["province"]
    context.load_cert_chain(Path(papers["certificate"]), Path(papers["key"]))
    return context
