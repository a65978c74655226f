"""Several workers and a restart, sharing their breakers through the storage."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from prometheus_client import REGISTRY

from adapters.breaker import Record
from adapters.breakers import REFRESH, Breakers, SqlBreakerStore
from config.settings import Breaker as Limits
from config.settings import Endpoint
from schemas.errors import CircuitOpen
from storage.engine import Storage
from storage.errors import StorageUnavailable
from storage.schema import open_storage, upgrade

PAUSE = 10.0
ENDPOINTS = {
    name: Endpoint(url="http://127.0.0.1:9", breaker=Limits(failures=2, window=30, open_for=PAUSE))
    for name in ("population", "tax")
}


class Clock:
    """Seconds that pass only when told."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def storage(storage_url: str) -> AsyncIterator[Storage]:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    yield opened
    await opened.close()


@pytest.fixture
def store(storage: Storage) -> SqlBreakerStore:
    return SqlBreakerStore(storage)


class Worker:
    """The breakers of one process, with its own clocks."""

    def __init__(self, store: SqlBreakerStore, *, wall: float = 1_800_000_000.0) -> None:
        self.clock, self.wall = Clock(50.0), Clock(wall)
        self.breakers = Breakers(ENDPOINTS, store, clock=self.clock, wall=self.wall)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.wall.now += seconds

    async def call(self, result: str, endpoint: str = "population") -> None:
        permit = await self.breakers.admit(endpoint)
        self.breakers.record(endpoint, permit, result)  # type: ignore[arg-type]
        await self.breakers.close()

    async def break_down(self) -> None:
        for _ in range(2):
            await self.call("failure")

    async def learn(self) -> None:
        """Let a call pass whose side effect is the reading of the shared state."""
        self.pass_time(REFRESH)
        await self.call("unknown", "tax")

    def state(self, endpoint: str = "population") -> str:
        return {shown.endpoint: shown.state for shown in self.breakers.snapshots()}[endpoint]


async def test_other_workers_learn_within_a_second_and_only_about_that_endpoint(store: SqlBreakerStore) -> None:
    one, two = Worker(store), Worker(store)
    await two.learn()
    await one.break_down()
    assert two.state() == "closed"
    await two.learn()
    assert two.state() == "open"
    with pytest.raises(CircuitOpen):
        await two.breakers.admit("population")
    assert two.state("tax") == "closed"
    await one.breakers.close()


async def test_gauge_shows_every_state(store: SqlBreakerStore) -> None:
    def gauge() -> float | None:
        return REGISTRY.get_sample_value("lgsp_breaker_state", {"endpoint": "population"})

    worker = Worker(store)
    assert gauge() == 0
    await worker.break_down()
    assert gauge() == 2
    worker.pass_time(PAUSE)
    probe = await worker.breakers.admit("population")
    assert gauge() == 1
    worker.breakers.record("population", probe, "success")
    await worker.breakers.close()
    assert gauge() == 0


async def test_reads_at_most_once_a_second(store: SqlBreakerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    load = SqlBreakerStore.load

    async def counted(self: SqlBreakerStore) -> Mapping[str, Record]:
        nonlocal reads
        reads += 1
        return await load(self)

    monkeypatch.setattr(SqlBreakerStore, "load", counted)
    worker = Worker(store)
    for _ in range(50):
        await worker.call("success")
    worker.pass_time(REFRESH)
    for _ in range(50):
        await worker.call("success")
    assert reads == 2


async def test_open_survives_a_restart_for_the_rest_of_its_pause(store: SqlBreakerStore) -> None:
    before = Worker(store)
    await before.break_down()
    after = Worker(store, wall=before.wall.now + 4)
    await after.breakers.refresh()
    with pytest.raises(CircuitOpen) as refused:
        await after.breakers.admit("population")
    assert refused.value.retry_after == pytest.approx(6)
    after.pass_time(6)
    await after.call("success")
    assert after.state() == "closed"
    again = Worker(store, wall=after.wall.now)
    await again.breakers.refresh()
    assert again.state() == "closed"


async def test_first_calls_after_a_restart_wait_for_what_was_known(store: SqlBreakerStore) -> None:
    before = Worker(store)
    await before.break_down()
    after = Worker(store, wall=before.wall.now)
    results = await asyncio.gather(*(after.breakers.admit("population") for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [CircuitOpen] * 3


async def test_restart_with_a_clock_set_back_waits_one_pause(store: SqlBreakerStore) -> None:
    before = Worker(store)
    await before.break_down()
    after = Worker(store, wall=before.wall.now - 86_400)
    await after.breakers.refresh()
    after.pass_time(PAUSE)
    await after.call("success")
    assert after.state() == "closed"


async def test_one_probe_over_all_workers(store: SqlBreakerStore) -> None:
    workers = [Worker(store) for _ in range(4)]
    await workers[0].break_down()
    for worker in workers[1:]:
        await worker.learn()
    for worker in workers:
        worker.pass_time(PAUSE + REFRESH)
    results = await asyncio.gather(
        *(worker.breakers.admit("population") for worker in workers for _ in range(3)), return_exceptions=True
    )
    permits = [result for result in results if not isinstance(result, BaseException)]
    refusals = [result for result in results if isinstance(result, CircuitOpen)]
    assert len(permits) == 1
    assert permits[0].probe
    assert len(refusals) == 11
    assert all(refused.retry_after for refused in refusals)
    for worker in workers:
        await worker.breakers.close()


async def test_probe_of_a_worker_that_died_is_taken_over(store: SqlBreakerStore) -> None:
    dead, heir = Worker(store), Worker(store)
    await dead.break_down()
    dead.pass_time(PAUSE)
    assert (await dead.breakers.admit("population")).probe
    heir.wall.now = dead.wall.now
    await heir.breakers.refresh()
    assert heir.state() == "half-open"
    with pytest.raises(CircuitOpen):
        await heir.breakers.admit("population")
    heir.pass_time(PAUSE)
    await heir.call("success")
    assert heir.state() == "closed"
    await dead.breakers.close()


async def test_probe_cancelled_while_it_asks_for_leave_is_given_back(
    store: SqlBreakerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(store)
    await worker.break_down()
    worker.pass_time(PAUSE)
    reached = asyncio.Event()
    save = SqlBreakerStore.save

    async def stuck(self: SqlBreakerStore, endpoint: str, record: Record) -> bool:
        reached.set()
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(SqlBreakerStore, "save", stuck)
    probe = asyncio.create_task(worker.breakers.admit("population"))
    await reached.wait()
    monkeypatch.setattr(SqlBreakerStore, "save", save)
    probe.cancel()
    await asyncio.wait([probe])
    await worker.breakers.close()
    await worker.call("success")
    assert worker.state() == "closed"


async def test_steering_reaches_the_other_workers(store: SqlBreakerStore) -> None:
    one, two = Worker(store), Worker(store)
    await one.breakers.force("population", "open")
    await two.breakers.refresh()
    two.pass_time(PAUSE * 10)
    with pytest.raises(CircuitOpen):
        await two.breakers.admit("population")
    await two.breakers.force("population", "closed")
    await one.breakers.refresh()
    await one.break_down()
    assert one.state() == "closed"
    await one.breakers.force("population", None)
    await one.break_down()
    assert one.state() == "open"
    await two.breakers.close()


async def test_storage_that_is_down_leaves_each_worker_its_own_view(sqlite_url: str) -> None:
    await upgrade(sqlite_url)
    storage = await open_storage(sqlite_url)
    store = SqlBreakerStore(storage)
    worker = Worker(store)
    await storage.write(lambda connection: connection.exec_driver_sql("DROP TABLE breakers") and None)
    with pytest.raises(StorageUnavailable):
        await store.load()
    await worker.break_down()
    assert worker.state() == "open"
    worker.pass_time(PAUSE)
    await worker.call("success")
    assert worker.state() == "closed"
    await worker.breakers.force("tax", "open")
    assert worker.state("tax") == "open"
    await storage.close()


@pytest.mark.parametrize("lost", [True, False], ids=["rows-lost", "older-rows"])
async def test_storage_restored_from_a_backup_does_not_keep_the_breaker_open(
    storage: Storage, store: SqlBreakerStore, lost: bool
) -> None:
    worker = Worker(store)
    await worker.break_down()
    backup = await store.load()
    for result in ("failure", "failure"):
        worker.pass_time(PAUSE)
        await worker.call(result)
    await storage.write(lambda connection: connection.exec_driver_sql("DELETE FROM breakers") and None)
    if not lost:
        record = backup["population"]
        assert await store.save("population", Record(record.state, record.since, 1))
    worker.pass_time(PAUSE)
    await worker.call("success")
    assert worker.state() == "closed"
    assert (await store.load())["population"].state == "closed"


async def test_records_of_endpoints_no_longer_configured_are_left_alone(store: SqlBreakerStore) -> None:
    assert await store.save("retired", Record("open", 0.0, 1))
    worker = Worker(store)
    await worker.breakers.refresh()
    assert [shown.endpoint for shown in worker.breakers.snapshots()] == ["population", "tax"]


async def test_compare_and_swap(store: SqlBreakerStore) -> None:
    assert await store.save("tax", Record("open", 1.5, 1, "open"))
    assert not await store.save("tax", Record("closed", 2.0, 1))
    assert not await store.save("tax", Record("closed", 2.0, 3))
    assert await store.save("tax", Record("half-open", 2.5, 2))
    assert await store.load() == {"tax": Record("half-open", 2.5, 2, None)}
