"""Signed requests of a deployment whose nodes share Redis, and what its loss means to callers."""

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession

from tests.services import Redis
from tests.test_gateway.live import Caller, Live, Reply
from tests.test_gateway.test_e2e_signed import Signing, rejected


@pytest.fixture
def shared() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.close()


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory, shared: Redis) -> Iterator[Live]:
    environment = {"LGSP_SERVER__WORKERS": "2", "LGSP_REDIS__URL": shared.url}
    demo = Live(tmp_path_factory.mktemp("node") / "state", seed=7, people=40, environment=environment)
    yield demo
    assert demo.stop() == 0


async def in_time(reply: Reply) -> None:
    """On a busy machine Redis may not answer in time; that is no loss, and the next try may be answered."""
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
    await asyncio.sleep(1)


async def test_what_redis_lost_is_no_reason_to_believe(node: Live, session: ClientSession, shared: Redis) -> None:
    ministry = Signing(Caller(node, session), "ministry")
    while True:
        sent = ministry.signed(await ministry.question())
        if (reply := await ministry.send(sent)).status == 200:
            break
        await in_time(reply)
    sessions = [ClientSession() for _ in range(8)]
    try:
        # Whichever process is asked.
        for one in sessions:
            while (reply := await ministry.send(sent, one)).status == 503:
                await in_time(reply)
            assert rejected(reply) == "replayed"
        shared.kill()
        shared.start()
        for one in sessions:
            problem = (reply := await ministry.send(sent, one)).problem
            assert (reply.status, problem["code"], problem["reason"]) == (503, "evidence-unavailable", "replay-memory")
            assert {"exchange", "receipt"} <= problem.keys()
            assert (await ministry.ask()).status == 503
        # Five minutes of age and three times the tolerance for clocks.
        assert 1 <= int(reply.headers["Retry-After"]) <= 480
        # Who does not sign is not concerned.
        assert (await ministry.caller.ask("population/person")).status == 200
    finally:
        for one in sessions:
            await one.close()
