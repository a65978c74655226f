"""PostgreSQL through asyncpg: writers of all nodes queue on the `storage_state` row FOR UPDATE."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from storage.engine import Run, Storage, Work, lock_state, outside_failures
from storage.errors import CommitUnknown, StorageUnavailable

T = TypeVar("T")

CONNECTIONS = 8
CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_MS = 10_000
CREATION_LOCK = 0x4C475350  # "LGSP": any constant that other users of the server are unlikely to take


class PostgresStorage(Storage):
    """A database on a server; connections are pooled and replaced when the server restarts."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine = create_async_engine(
            url,
            hide_parameters=True,
            # None of them is given up: making one costs more than what most are taken out for.
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=LOCK_TIMEOUT_MS / 1000,
            connect_args={
                "timeout": CONNECT_TIMEOUT_S,
                "command_timeout": 60,
                # A receipt promises durability, whatever default the server was given.
                "server_settings": {
                    "application_name": "lgsp",
                    "synchronous_commit": "on",
                    "lock_timeout": str(LOCK_TIMEOUT_MS),
                    # A plan that was kept from when a table was small would look at all of it for ever.
                    "plan_cache_mode": "force_custom_plan",
                },
            },
        )
        self._readers = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def read(self, work: Work[T]) -> T:
        async with self.reading() as run:
            return await run(work)

    async def write(self, work: Work[T], *, prepare: Callable[[], None] | None = None) -> T:
        if prepare is not None:
            with outside_failures():
                await asyncio.to_thread(prepare)
        async with self.writing() as run:
            return await run(work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Run]:
        with _server_failures():
            async with self._readers.connect() as connection:
                yield _runner(connection)

    @asynccontextmanager
    async def writing(self, *, checked: bool = True) -> AsyncIterator[Run]:
        with _server_failures():
            async with self._engine.connect() as connection:
                if checked:
                    await connection.run_sync(lock_state)
                else:
                    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CREATION_LOCK})")
                yield _runner(connection)
                try:
                    with outside_failures():
                        await connection.commit()
                except StorageUnavailable as failure:
                    raise CommitUnknown(str(failure)) from failure

    async def close(self) -> None:
        await self._engine.dispose()


@contextmanager
def _server_failures() -> Iterator[None]:
    """As `outside_failures`, and what the server says while a connection is made, which SQLAlchemy passes on bare."""
    with outside_failures():
        try:
            yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
            raise StorageUnavailable(f"{type(failure).__name__}: {failure}") from failure


def _runner(connection: AsyncConnection) -> Run:
    async def run(work: Work[T], /) -> T:
        return await connection.run_sync(work)

    return run
