"""Signed requests remembered in Redis: counted once by all nodes, and refused while it may have forgotten something.

Every way to lose a memory is done to a real server. Windows are short here, so that a test can wait for their end as a
caller does: by Retry-After.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from sandbox.ports import free_port
from security import redis_signatures
from security.assertions import USED, UsedAssertions
from security.freshness import fresh_until
from security.redis_signatures import KEY, RedisSignatures
from security.request_signatures import NotRemembered, longest_life
from security.signature import Rejected, SignaturePolicy
from storage.engine import Storage
from storage.errors import StorageUnavailable
from sync.database import open_storage, upgrade
from tests.services import Redis

WINDOW = timedelta(seconds=0.4)
LIFE = 600


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A server that may be ended."""
    server = Redis()
    yield server
    server.close()


@pytest.fixture
async def storage(sqlite_url: str) -> AsyncIterator[Storage]:
    await upgrade(sqlite_url)
    opened = await open_storage(sqlite_url)
    yield opened
    await opened.close()


Node = Callable[..., RedisSignatures]


@pytest.fixture
async def node(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """Makes nodes of one deployment."""
    # A busy machine is no lost server.
    monkeypatch.setattr(redis_signatures, "_WAIT_S", 30.0)
    made: list[RedisSignatures] = []

    def make(url: str, window: timedelta = WINDOW, storage: Storage = storage) -> RedisSignatures:
        made.append(RedisSignatures.at(url, storage, window))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def now() -> int:
    return int(time.time())


async def use(node: RedisSignatures, nonce: str) -> bool:
    return await node.first_use("signature:c", nonce, now() + LIFE, now())


async def refused(node: RedisSignatures, nonce: str) -> float:
    """How long a signed request has to wait."""
    with pytest.raises(NotRemembered) as caught:
        await use(node, nonce)
    assert caught.value.retry_after > 0
    return caught.value.retry_after


async def whole_again(node: RedisSignatures, nonce: str) -> bool:
    """Use a nonce once the memory says that it may be asked."""
    while True:
        try:
            return await use(node, nonce)
        except NotRemembered as lost:
            await asyncio.sleep(lost.retry_after)


async def test_nodes_and_workers_count_a_nonce_once(node: Node, redis_url: str) -> None:
    nodes = [node(redis_url, timedelta(hours=1)) for _ in range(3)]
    # From the first moment of a new deployment.
    assert await use(nodes[0], "n-1")
    assert [await use(each, "n-1") for each in nodes] == [False] * 3
    assert await use(nodes[1], "n-2")
    assert await nodes[2].first_use("signature:another", "n-1", now() + LIFE, now())


async def test_of_many_at_once_one_is_the_first(node: Node, redis_url: str) -> None:
    nodes = [node(redis_url, timedelta(hours=1)) for _ in range(3)]
    for each in nodes:
        await each.look(now())
    found = await asyncio.gather(*(use(each, f"n-{number}") for number in range(20) for each in nodes))
    assert found.count(True) == 20


async def test_nodes_that_start_together_find_one_whole_memory(node: Node, redis_url: str) -> None:
    # Each is asked at once, while the others are still beginning.
    nodes = [node(redis_url, timedelta(hours=1)) for _ in range(4)]
    found = await asyncio.gather(*(use(each, f"n-{turn}") for turn in range(5) for each in nodes))
    assert found.count(True) == 5


async def test_what_may_be_forgotten_is(node: Node, redis_url: str, redis_server: Redis) -> None:
    one = node(redis_url)
    assert await one.first_use("signature:c", "n-1", now(), now())
    assert await use(one, "n-2")
    # The beginning and the second.
    assert redis_server.ask("zcard", KEY) == "2"


def killed(server: Redis) -> None:
    server.kill()
    server.start()


def flushed(server: Redis) -> None:
    server.flush()


def deleted(server: Redis) -> None:
    server.ask("del", KEY)


def evicted(server: Redis) -> None:
    """Short of memory, a server may throw away anything."""
    server.ask("config", "set", "maxmemory-policy", "allkeys-random")
    server.ask("config", "set", "maxmemory", "1")
    assert server.ask("exists", KEY) == "0" or server.ask("set", "a", "b") is not None
    server.ask("config", "set", "maxmemory", "0")
    assert server.ask("exists", KEY) == "0"


def stopped_and_saved(server: Redis) -> None:
    """Even if it kept everything: that cannot be told from one that kept not quite everything."""
    server.ask("save")
    killed(server)
    assert server.ask("exists", KEY) == "1"


@pytest.mark.parametrize("lose", [killed, flushed, deleted, evicted, stopped_and_saved])
async def test_after_a_loss_nothing_passes_until_a_window_is_over(
    node: Node, own_redis: Redis, lose: Callable[[Redis], None]
) -> None:
    long = [node(own_redis.url, timedelta(hours=1)) for _ in range(2)]
    assert await use(long[0], "n-1")
    lose(own_redis)
    for each in (*long, node(own_redis.url, timedelta(hours=1))):
        # A node whose connection broke leaves Redis alone for a moment.
        wait = await refused(each, "n-1")
        while wait <= 1:
            await asyncio.sleep(wait)
            wait = await refused(each, "n-1")
        assert 3500 < wait <= 3600
        assert await refused(each, "n-2") > 3500
    # The memory is one for all windows: this node waits for the end of its own.
    short = node(own_redis.url)
    assert await whole_again(short, "n-2")
    assert not await use(short, "n-2")


async def test_an_older_state_that_was_saved_is_no_memory(node: Node, own_redis: Redis) -> None:
    one = node(own_redis.url, timedelta(hours=1))
    assert await use(one, "n-1")
    own_redis.ask("save")
    assert await use(one, "n-2")
    own_redis.kill()
    own_redis.start()
    # It knows the first nonce and not the second.
    assert own_redis.ask("zcard", KEY) == "2"
    fresh = node(own_redis.url, timedelta(hours=1))
    assert await refused(fresh, "n-2") > 3500


async def test_while_it_is_down_nothing_passes(node: Node, own_redis: Redis) -> None:
    one = node(own_redis.url)
    assert await use(one, "n-1")
    own_redis.kill()
    assert [await refused(one, f"n-{number}") for number in range(3)] == [1.0] * 3
    own_redis.start()
    assert await whole_again(one, "n-4")


async def test_one_that_never_was_lets_nothing_pass_and_is_new_when_it_comes(node: Node, own_redis: Redis) -> None:
    own_redis.kill()
    assert await refused(node(own_redis.url, timedelta(hours=1)), "n-1") == 1.0
    own_redis.start()
    # Nothing was remembered in Redis before: it has lost nothing.
    assert await use(node(own_redis.url, timedelta(hours=1)), "n-1")


async def test_one_that_hangs_holds_nobody_up_for_long(
    node: Node, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = node(own_redis.url, timedelta(hours=1))
    assert await use(patient, "n-1")
    monkeypatch.setattr(redis_signatures, "_WAIT_S", 0.5)
    one = node(own_redis.url, timedelta(hours=1))
    # It is connected, whatever became of what it asked.
    await whole_again(one, "n-0")
    own_redis.signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(*(refused(one, f"h-{number}") for number in range(20)))
    finally:
        own_redis.signal(signal.SIGCONT)
    # It was only slow: it has forgotten nothing, and what it was told while it hung counts as used.
    assert not await whole_again(one, "n-1")
    assert await whole_again(one, "n-2")


async def test_one_that_failed_over_is_another_memory(node: Node, own_redis: Redis, tmp_path: Path) -> None:
    # None that an outgoing connection of another test may be given meanwhile.
    copy, port = Redis(), str(free_port())
    link = own_redis.folder / "l"
    try:
        own_redis.ask("config", "set", "repl-diskless-sync-delay", "0", "port", port)
        link.symlink_to(own_redis.socket)
        one = node(f"unix://{link}", timedelta(hours=1))
        assert await use(one, "n-1")
        copy.ask("replicaof", "127.0.0.1", port)
        assert await asyncio.to_thread(own_redis.ask, "wait", "1", "60000") == "1"
        assert await use(one, "n-2")
        link.unlink()
        link.symlink_to(copy.socket)
        # A copy takes nothing.
        assert await refused(node(f"unix://{link}", timedelta(hours=1)), "n-3") == 1.0
        copy.ask("replicaof", "no", "one")
        assert await refused(node(f"unix://{link}", timedelta(hours=1)), "n-3") > 3500
    finally:
        copy.close()


async def test_where_sql_remembered_before_an_empty_redis_is_not_the_whole(
    node: Node, storage: Storage, redis_url: str
) -> None:
    assert await UsedAssertions(storage).first_use("signature:c", "n-1", now() + LIFE, now())
    assert await refused(node(redis_url, timedelta(hours=1)), "n-1") > 3500


async def test_what_sql_remembered_long_ago_does_not_matter(node: Node, storage: Storage, redis_url: str) -> None:
    await storage.write(lambda connection: connection.execute(insert(USED).values(digest=b"old", expires_at=now() - 1)))
    assert await use(node(redis_url, timedelta(hours=1)), "n-1")


async def test_a_deployment_begins_once(node: Node, redis_url: str, redis_server: Redis) -> None:
    assert await use(node(redis_url, timedelta(hours=1)), "n-1")
    redis_server.flush()
    # However often it is started.
    for _ in range(2):
        assert await refused(node(redis_url, timedelta(hours=1)), "n-2") > 3500


async def test_without_sql_nobody_can_say_that_it_is_the_first_time(
    node: Node, storage: Storage, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_work: object) -> None:
        raise StorageUnavailable("gone")

    for method in ("read", "write"):
        with monkeypatch.context() as patch:
            patch.setattr(storage, method, gone)
            with pytest.raises(StorageUnavailable):
                await use(node(redis_url, timedelta(hours=1)), "n-1")
    assert await use(node(redis_url, timedelta(hours=1)), "n-1")


async def test_a_loss_during_the_very_first_beginning_is_a_loss(
    node: Node, storage: Storage, redis_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (node(redis_url, timedelta(hours=1)) for _ in range(2))
    read = storage.read

    async def slow(work: object) -> object:
        found = await read(work)  # type: ignore[arg-type]
        # What the first was about to say is true no more: another began, used a nonce, and Redis forgot it.
        with monkeypatch.context() as patch:
            patch.setattr(storage, "read", read)
            assert await use(second, "n-1")
        redis_server.flush()
        return found

    monkeypatch.setattr(storage, "read", slow)
    assert await refused(first, "n-1") > 3500


async def test_the_window_begins_without_a_signed_request(node: Node, redis_url: str, redis_server: Redis) -> None:
    one = node(redis_url)
    assert await use(one, "n-1")
    redis_server.flush()
    following = asyncio.create_task(one.follow())
    while await asyncio.to_thread(redis_server.ask, "exists", KEY) == "0":
        pass
    following.cancel()
    await asyncio.wait([following])
    assert await whole_again(one, "n-2")


POLICY = SignaturePolicy()
SKEW = int(POLICY.skew.total_seconds())
seconds = st.floats(-500, 500)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(created=seconds, first=seconds, second=seconds, lead=st.floats(-SKEW, SKEW))
def test_nodes_with_other_clocks_do_not_take_what_may_be_forgotten(
    created: float, first: float, second: float, lead: float
) -> None:
    """`first` and `second` are real moments of a use, `lead` is how far the first node's clock is ahead."""
    base = datetime(2026, 11, 30, 12, tzinfo=UTC)

    def accepted(moment: float) -> datetime | None:
        try:
            return fresh_until(base + timedelta(seconds=created), None, POLICY, base + timedelta(seconds=moment))
        except Rejected:
            return None

    until, later = accepted(first + lead), accepted(second)
    if until is None or later is None or second < first:
        return
    # What RequestSignatures.verify tells to remember, in the life that Redis is told.
    forget_at = ceil((until + POLICY.skew).timestamp())
    life = forget_at - int((base + timedelta(seconds=first + lead)).timestamp())
    assert second - first < life
    # After a loss nothing passes for so long.
    assert second - first < longest_life(POLICY).total_seconds()
    assert life <= longest_life(POLICY).total_seconds() + 2
