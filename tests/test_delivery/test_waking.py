"""What is handed in is delivered at once, whoever takes it; what only wakes may be lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.outbox import deploy
from config.settings import load
from routes.assembly import Gateway, assembled
from routes.delivering import delivering
from schemas.dossiers.models import DossierBody, StatusEvent
from sync.redis_waking import CHANNEL
from sync.waking import Bell
from tests.services import Redis
from tests.test_intake.world import CODE, PROVINCE, a_dossier, a_status
from tests.test_portal.visitor import Visitor

STATUSES = ("4", "5", "4", "9", "10")
SOON_S = 20.0
"""Much longer than anything here takes, much shorter than a worker that nobody wakes looks away."""


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A server that may be ended."""
    server = Redis()
    yield server
    server.close()


@asynccontextmanager
async def a_gateway(state: Path, portal: Visitor, *, poll: float = 60.0, redis: str = "") -> AsyncIterator[Gateway]:
    """Open what one process has; those of one state directory are one deployment."""
    if not state.exists():
        config = await deploy(state, portal.url, portal.secret)
        config.write_text(f'{config.read_text()}\n[sync]\npoll = {poll}\n\n[redis]\nurl = "{redis}"\n')
    async with assembled(load(state / "gateway.toml"), ()) as gateway:
        yield gateway


async def arrives(taking: Gateway, portal: Visitor) -> None:
    """Push some statuses, each when the portal has the one before: then the worker has gone to sleep."""
    intake = taking.dossiers.intake
    await intake.take(PROVINCE, "r", [intake.prepare(PROVINCE, CODE, "d", DossierBody.model_validate(a_dossier()))])
    for number, status in enumerate(STATUSES, start=1):
        event = StatusEvent.model_validate(a_status(status, sequence=number))
        await intake.take(PROVINCE, "r", [intake.prepare(PROVINCE, CODE, str(number), event)])
        async with asyncio.timeout(SOON_S):
            while len(await portal.ledger()) < number:
                await asyncio.sleep(0.02)
    assert await portal.ledger() == [(CODE, place, status, 1) for place, status in enumerate(STATUSES, start=1)]


async def test_what_the_own_process_takes_is_delivered_at_once(tmp_path: Path, portal: Visitor) -> None:
    async with a_gateway(tmp_path / "state", portal) as gateway, delivering(gateway):
        await arrives(gateway, portal)


async def test_what_another_process_takes_is_delivered_at_once(tmp_path: Path, portal: Visitor) -> None:
    state = tmp_path / "state"
    async with a_gateway(state, portal) as takes, a_gateway(state, portal) as delivers, delivering(delivers):
        await arrives(takes, portal)


async def test_without_redis_nothing_is_late_by_more_than_a_look(
    tmp_path: Path, portal: Visitor, own_redis: Redis
) -> None:
    own_redis.kill()
    async with a_gateway(tmp_path / "state", portal, poll=0.05, redis=own_redis.url) as gateway, delivering(gateway):
        await arrives(gateway, portal)
    own_redis.start()


async def test_a_worker_follows_the_configured_redis(tmp_path: Path, portal: Visitor, own_redis: Redis) -> None:
    async with a_gateway(tmp_path / "state", portal, redis=own_redis.url) as gateway, delivering(gateway):
        async with asyncio.timeout(SOON_S):
            while own_redis.ask("pubsub", "numsub", CHANNEL).splitlines()[-1] != "1":
                await asyncio.sleep(0.02)


class Ear:
    """Counts how often it was rung for."""

    def __init__(self) -> None:
        self.heard = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.heard += 1
        self._event.set()

    async def hears(self, after: Callable[[], None] = lambda: None) -> None:
        """Do something over and over until it was heard once more."""
        before = self.heard
        async with asyncio.timeout(SOON_S):
            while self.heard == before:
                after()
                self._event.clear()
                try:
                    async with asyncio.timeout(0.1):
                        await self._event.wait()
                except TimeoutError:
                    continue


@asynccontextmanager
async def bells(*states: Path, redis: str = "") -> AsyncIterator[list[Bell]]:
    made = [Bell.at(state, redis) for state in states]
    yield made
    for bell in made:
        await bell.close()


async def test_nodes_wake_each_other_whatever_happens_to_redis(tmp_path: Path, own_redis: Redis) -> None:
    ear = Ear()
    nodes = bells(tmp_path / "here", tmp_path / "there", redis=own_redis.url)
    async with nodes as (here, there), there.heard_by(ear):
        # A new connection counts as a ring: something may have been missed.
        await ear.hears()
        await ear.hears(here.ring)
        own_redis.flush()
        await ear.hears(here.ring)
        own_redis.kill()
        here.ring()
        own_redis.start()
        await ear.hears()
        await ear.hears(here.ring)


async def test_many_things_handed_in_together_ring_once(tmp_path: Path) -> None:
    own, other = Ear(), Ear()
    async with bells(tmp_path, tmp_path) as (here, there), here.heard_by(own), there.heard_by(other):
        for _ in range(100):
            here.ring()
        await other.hears()
        assert (own.heard, other.heard) == (1, 1)
    assert not list((tmp_path / "wakes").iterdir())


async def test_what_a_killed_worker_left_behind_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "wakes" / "killed.sock"
    left.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(left))
    ear = Ear()
    async with bells(tmp_path, tmp_path) as (here, there), there.heard_by(ear):
        await ear.hears(here.ring)
    assert not left.exists()


async def test_a_worker_whose_directory_cannot_be_used_looks_by_itself(tmp_path: Path) -> None:
    (tmp_path / "wakes").write_text("in the way", encoding="utf-8")
    ear = Ear()
    async with bells(tmp_path) as (bell,), bell.heard_by(ear):
        bell.ring()
        await ear.hears()
