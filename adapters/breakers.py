"""All breakers of a process, kept in step with the other workers and with the storage, which outlives them.

The storage is read at most once a second and not waited for on the way of a call, except by the first call of a process
and by a probe: of all workers one may try a source that is coming back, and a compare-and-swap on the revision decides
which. A storage that is down leaves each worker with its own view; the breaker protects sources, it decides nothing
about data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol

import structlog
from sqlalchemy import Column, Connection, Double, Integer, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.breaker import Breaker, Forced, Outcome, Permit, Record, Snapshot, State
from config.metrics import metrics
from config.settings import Endpoint
from storage.engine import Storage
from storage.errors import StorageError
from storage.metadata import METADATA

REFRESH = 1.0

_SHOWN: Mapping[State, int] = {"closed": 0, "half-open": 1, "open": 2}

_log = structlog.get_logger(__name__)

BREAKERS = Table(
    "breakers",
    METADATA,
    Column("endpoint", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", Double, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("forced", String(16), nullable=True),
)


class BreakerStore(Protocol):
    """Where the states live between processes; both methods raise StorageError when it cannot be reached."""

    async def load(self) -> Mapping[str, Record]:
        """Return the record of every endpoint that ever changed state."""
        ...

    async def save(self, endpoint: str, record: Record) -> bool:
        """Store `record` if the stored revision is the one before it; return whether that was so."""
        ...


class SqlBreakerStore:
    """The states in the table `breakers` of the shared storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def load(self) -> Mapping[str, Record]:
        """Return the record of every endpoint that ever changed state."""

        def work(connection: Connection) -> dict[str, Record]:
            rows = connection.execute(select(BREAKERS))
            return {row.endpoint: Record(row.state, row.since, row.revision, row.forced) for row in rows}

        return await self._storage.read(work)

    async def save(self, endpoint: str, record: Record) -> bool:
        """Store `record` if the stored revision is the one before it; return whether that was so."""
        values = {
            "state": record.state,
            "since": record.since,
            "revision": record.revision,
            "forced": record.forced,
        }

        def work(connection: Connection) -> bool:
            if record.revision == 1:
                connection.execute(insert(BREAKERS).values(endpoint=endpoint, **values))
                return True
            expected = (BREAKERS.c.endpoint == endpoint) & (BREAKERS.c.revision == record.revision - 1)
            return connection.execute(update(BREAKERS).where(expected).values(**values)).rowcount == 1

        try:
            return await self._storage.write(work)
        except IntegrityError:
            return False


class Breakers:
    """One breaker for each endpoint of the configuration.

    Every change of state that this process makes or learns goes to the gauge. `clock` is monotonic, `wall` is the time
    of day, both in seconds.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        store: BreakerStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._breakers = {name: Breaker(name, endpoint.breaker, clock=clock) for name, endpoint in endpoints.items()}
        self._store = store
        self._gauge = metrics().breaker_state
        self._clock = clock
        self._wall = wall
        self._read_at = float("-inf")
        self._sharing = asyncio.Lock()
        self._first_reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        for name in self._breakers:
            self._tell(name)

    def admit_at_once(self, endpoint: str) -> Permit | None:
        """Give leave for one call to `endpoint` where that is plain; None: `admit` has to see to it."""
        if self._clock() - self._read_at >= REFRESH or self._first_reading is not None:
            return None
        return self._breakers[endpoint].standing

    async def admit(self, endpoint: str) -> Permit:
        """Give leave for one call to `endpoint`; raises CircuitOpen with `retry_after`."""
        if self._clock() - self._read_at >= REFRESH:
            started = self._read_at == float("-inf")
            self._read_at = self._clock()
            reading = self._spawn(self.refresh())
            if started:
                self._first_reading = reading
        if self._first_reading is not None:
            if not self._first_reading.done():
                # What was known before a restart counts for the very first call; later readings hold up nobody.
                await asyncio.shield(self._first_reading)
            self._first_reading = None
        breaker = self._breakers[endpoint]
        permit = breaker.admit()
        while permit.probe:
            try:
                if await self._share(breaker):
                    break
            except BaseException:
                self.record(endpoint, permit, "unknown")
                raise
            permit = breaker.admit()
        return permit

    def record(self, endpoint: str, permit: Permit, result: Outcome) -> None:
        """Count the end of a permitted call; a change of state is stored in the background."""
        breaker = self._breakers[endpoint]
        if breaker.record(permit, result):
            self._spawn(self._publish(breaker))

    def refuses(self, endpoint: str) -> bool:
        """Tell whether a call to `endpoint` would be refused now."""
        breaker = self._breakers[endpoint]
        return breaker.snapshot().state != "closed" and breaker.wait() > 0

    async def force(self, endpoint: str, forced: Forced | None) -> None:
        """Hold the circuit of `endpoint` open or closed on all workers; None gives it back to itself."""
        breaker = self._breakers[endpoint]
        await self.refresh()
        breaker.force(forced)
        await self._share(breaker)

    def snapshots(self) -> Iterable[Snapshot]:
        """Return every breaker's state, in the order of the configuration."""
        return [breaker.snapshot() for breaker in self._breakers.values()]

    async def refresh(self) -> None:
        """Take over what other workers, or this one before a restart, recorded."""
        try:
            records = await self._store.load()
        except StorageError as error:
            _log.warning("breaker_states_unread", reason=type(error).__name__)
            return
        for name, record in records.items():
            breaker = self._breakers.get(name)
            if breaker is not None and breaker.adopt(record, wall=self._wall()):
                self._tell(name)

    async def close(self) -> None:
        """Wait until every change made so far is stored."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _publish(self, breaker: Breaker) -> None:
        await self._share(breaker)

    async def _share(self, breaker: Breaker) -> bool:
        """Store the breaker's state; where another worker was faster, take over its state and return False."""
        self._tell(breaker.endpoint)
        async with self._sharing:
            while True:
                record = breaker.shared(wall=self._wall())
                # Raised before it is stored, lest a reading in between takes our own record for news.
                breaker.revision = record.revision
                try:
                    if await self._store.save(breaker.endpoint, record):
                        return True
                    stored = (await self._store.load()).get(breaker.endpoint)
                except StorageError as error:
                    breaker.revision = record.revision - 1
                    _log.warning("breaker_state_unsaved", endpoint=breaker.endpoint, reason=type(error).__name__)
                    return True
                if stored is not None:
                    break
                # Nobody was faster: the row is gone, so ours is the first.
                breaker.revision = 0
            breaker.overrule(stored, wall=self._wall())
        self._tell(breaker.endpoint)
        return False

    def _tell(self, endpoint: str) -> None:
        self._gauge.labels(endpoint).set(_SHOWN[self._breakers[endpoint].snapshot().state])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
