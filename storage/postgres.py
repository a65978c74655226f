"""PostgreSQL through asyncpg: writers of all nodes queue on the `storage_state` row FOR UPDATE."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, ExceptionContext, Select, event, func, literal_column, update
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from storage.engine import LOCKED_STATE, Run, Storage, Work, lock_state, outside_failures
from storage.errors import CommitUnknown, StorageUnavailable
from storage.metadata import STATE
from storage.room import ROOM

T = TypeVar("T")

CONNECTIONS = 8
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 60.0
LOCK_TIMEOUT_MS = 10_000
# Who is frozen or lost while it holds the write lock (SIGSTOP, a paused machine, a proxy that keeps half a connection)
# would hold up every node for ever: the server ends its session. A unit of work computes for some milliseconds between
# two of its statements; others wait for this long, which is less than they wait for a lock.
IDLE_MS = 5_000
# `storage copy` and `storage restore` count and hash the other database meanwhile, with the gateways stopped.
STEPS_IDLE_MS = 600_000
# A machine that is gone says nothing. The server would find out after two hours, with its connections taken.
_KEEPALIVE = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
# Not every server knows these; named while connecting, an unknown one would be refused.
_IF_KNOWN = {"tcp_user_timeout": "60000"}
# Short enough to be stored as it is, neither compressed nor elsewhere.
_ROW = 1024
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
                "command_timeout": STATEMENT_TIMEOUT_S,
                # A receipt promises durability, whatever default the server was given.
                "server_settings": {
                    "application_name": "lgsp",
                    "synchronous_commit": "on",
                    "lock_timeout": str(LOCK_TIMEOUT_MS),
                    # A plan that was kept from when a table was small would look at all of it for ever.
                    "plan_cache_mode": "force_custom_plan",
                    **_KEEPALIVE,
                },
            },
        )
        event.listen(self._engine.sync_engine, "connect", _prepare)
        event.listen(self._engine.sync_engine, "handle_error", _given_up)
        self._readers = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def read(self, work: Work[T]) -> T:
        async with self.reading() as run:
            return await run(work)

    async def write(self, work: Work[T], *, prepare: Callable[[], None] | None = None) -> T:
        try:
            if prepare is not None:
                with outside_failures():
                    await asyncio.to_thread(prepare)
            async with self._writing(lambda connection: lock_state(connection, _locked(IDLE_MS))) as run:
                return await run(work)
        except StorageUnavailable:
            self.doubtful = True
            raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Run]:
        with _server_failures():
            async with self._readers.connect() as connection:
                yield _runner(connection)

    @asynccontextmanager
    async def writing(self, *, checked: bool = True) -> AsyncIterator[Run]:
        async with self._writing(_lock_for_steps if checked else _lock_creation) as run:
            yield run

    @asynccontextmanager
    async def _writing(self, lock: Callable[[Connection], None]) -> AsyncIterator[Run]:
        with _server_failures():
            async with self._engine.connect() as connection:
                await connection.run_sync(lock)
                yield _runner(connection)
                try:
                    with outside_failures():
                        await connection.commit()
                except StorageUnavailable as failure:
                    raise CommitUnknown(str(failure)) from failure

    def _probing(self, connection: Connection) -> None:
        # A new file grows for certain; what stands in ours would find room in pages that are there.
        if connection.exec_driver_sql("SELECT has_database_privilege(current_database(), 'TEMPORARY')").scalar():
            connection.exec_driver_sql(
                "CREATE TEMPORARY TABLE lgsp_room ON COMMIT DROP AS"  # noqa: S608 - numbers of ours
                f" SELECT repeat(' ', {_ROW}) AS filler FROM generate_series(1, {ROOM // _ROW})"
            )
        connection.execute(update(STATE).values(version=STATE.c.version))

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


@cache
def _locked(idle_ms: int) -> Select[Any]:
    """Take the write lock, and with it the time that its holder may say nothing until the transaction ends.

    Readers hold nothing that others wait for: whoever exports to a slow reader is not ended.
    """
    name, value, local = "'idle_in_transaction_session_timeout'", f"'{idle_ms}'", "true"
    return LOCKED_STATE.add_columns(func.set_config(literal_column(name), literal_column(value), literal_column(local)))


def _lock_for_steps(connection: Connection) -> None:
    lock_state(connection, _locked(STEPS_IDLE_MS))


def _lock_creation(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {STEPS_IDLE_MS}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CREATION_LOCK})")


def _given_up(context: ExceptionContext) -> None:
    """Where a statement got no answer, expect none on connections that were made before, nor wait for each of them."""
    if isinstance(context.original_exception, TimeoutError):
        context.invalidate_pool_on_disconnect = True


def _prepare(connection: Any, _record: object) -> None:
    """Set what the server knows of `_IF_KNOWN`, outside any transaction."""
    query = (
        "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wanted (name, value)"
        " WHERE current_setting(name, true) IS NOT NULL"
    )

    async def ask(raw: asyncpg.Connection) -> None:
        await raw.fetch(query, [*_IF_KNOWN], [*_IF_KNOWN.values()])

    connection.run_async(ask)
