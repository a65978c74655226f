"""SQLite: one writer connection in its own thread, a few reader connections in theirs.

Writers of all processes queue on an flock beside the database file before they begin: the kernel wakes the next one at
once, where SQLite's own busy handler sleeps and polls. Journal mode WAL with synchronous=FULL: a commit that returned
is on the disk.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from storage.bulk import driver_of, run_plain
from storage.engine import Run, Storage, Work, lock_state, outside_failures
from storage.errors import StorageUnavailable
from storage.metadata import STATE

T = TypeVar("T")

READERS = 4
BUSY_TIMEOUT_MS = 10_000

# The upper pages of every index stay in memory (16 MiB). The journal is carried over to the database beside the commits
# (`_carry_over`); only one that has outgrown that (64 MiB) is carried over by a commit, which everybody then waits for.
_WRITER_PRAGMAS = ("cache_size=-16384", "wal_autocheckpoint=16384")
_CARRY_OVER_AFTER = 32


class SqliteStorage(Storage):
    """A database file; the write lock is `<file>.lock`."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.path = Path(url.database or "")
        self._pid = os.getpid()
        self._turn = asyncio.Lock()
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="storage-writer")
        self._reader_threads = ThreadPoolExecutor(READERS, thread_name_prefix="storage-reader")
        self._writer: Connection | None = None
        self._lock_fd: int | None = None
        self._closed = False
        self._commits = 0
        self._write_engine = _engine(url, _WRITER_PRAGMAS, poolclass=NullPool)
        self._read_engine = _engine(url, poolclass=QueuePool, pool_size=READERS, max_overflow=0)
        event.listen(self._read_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    async def read(self, work: Work[T]) -> T:
        return await self._in(self._reader_threads, lambda: self._read_now(work))

    async def write(self, work: Work[T], *, prepare: Callable[[], None] | None = None) -> T:
        async with self._turn:
            try:
                return await self._in(self._writer_thread, lambda: self._write_now(work, prepare))
            except StorageUnavailable:
                self.doubtful = True
                raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Run]:
        connection = await self._in(self._reader_threads, self._read_engine.connect)

        async def run(work: Work[T], /) -> T:
            return await self._in(self._reader_threads, lambda: work(connection))

        try:
            yield run
        finally:
            await self._in(self._reader_threads, connection.close)

    @asynccontextmanager
    async def writing(self, *, checked: bool = True) -> AsyncIterator[Run]:
        async def run(work: Work[T], /) -> T:
            return await self._in(self._writer_thread, lambda: work(self._connection()))

        async with self._turn:
            try:
                await self._in(self._writer_thread, lambda: self._begin(checked=checked))
                yield run
                await self._in(self._writer_thread, self._commit)
            except BaseException:
                await self._in(self._writer_thread, self._drop_writer)
                raise

    def _probing(self, connection: Connection) -> None:
        # There and back: its page is then written to the journal. SQLite writes none where a value is put as it is.
        for _ in range(2):
            connection.execute(update(STATE).values(version=-STATE.c.version))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._in(self._writer_thread, self._drop_writer)
        self._writer_thread.shutdown()
        self._reader_threads.shutdown()
        self._read_engine.dispose()
        self._write_engine.dispose()

    async def _in(self, threads: ThreadPoolExecutor, step: Callable[[], T]) -> T:
        if os.getpid() != self._pid:
            raise StorageUnavailable("a storage must be opened after fork, in the process that uses it")
        with outside_failures():
            return await asyncio.get_running_loop().run_in_executor(threads, step)

    def _read_now(self, work: Work[T]) -> T:
        with self._read_engine.connect() as connection:
            return work(connection)

    def _write_now(self, work: Work[T], prepare: Callable[[], None] | None) -> T:
        if prepare is not None:
            prepare()
        try:
            self._begin(checked=True)
            result = work(self._connection())
            self._commit()
        except BaseException:
            self._drop_writer()
            raise
        return result

    def _begin(self, *, checked: bool) -> None:
        fcntl.flock(self._lock(), fcntl.LOCK_EX)
        connection = self._connection()
        # Not by `Connection.begin`: a unit of work that uses the driver alone then costs nothing of SQLAlchemy, and one
        # that does not is joined to this transaction by its autobegin, which says nothing to the database.
        run_plain(driver_of(connection), "BEGIN IMMEDIATE")
        if checked:
            lock_state(connection)

    def _commit(self) -> None:
        connection = self._connection()
        if connection.in_transaction():
            connection.commit()
        else:
            run_plain(driver_of(connection), "COMMIT")
        fcntl.flock(self._lock(), fcntl.LOCK_UN)
        self._commits += 1
        if self._commits >= _CARRY_OVER_AFTER:
            self._commits = 0
            self._reader_threads.submit(self._carry_over)

    def _carry_over(self) -> None:
        """Copy what is committed from the journal to the database, without holding up anybody who writes meanwhile.

        What fails here is tried again after the next commits; a disk that takes nothing is for them to report.
        """
        with suppress(sqlite3.Error, SQLAlchemyError), self._read_engine.connect() as connection:
            driver_of(connection).execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    def _lock(self) -> int:
        if self._lock_fd is None:
            self._lock_fd = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._lock_fd

    def _connection(self) -> Connection:
        if self._writer is None:
            # SQLite would create it readable for everybody; the journal files inherit its mode. An existing file must
            # not be opened here: closing it again would drop the POSIX locks of this process's other connections.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._writer = self._write_engine.connect()
        return self._writer

    def _drop_writer(self) -> None:
        """Give up connection and lock: after a failure, closing is the one rollback that cannot fail half-way."""
        writer, self._writer = self._writer, None
        lock, self._lock_fd = self._lock_fd, None
        try:
            if writer is not None:
                writer.invalidate()
                writer.close()
        finally:
            if lock is not None:
                os.close(lock)


def _engine(url: URL, pragmas: Sequence[str] = (), **options: Any) -> Engine:
    arguments = {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
    # Values of rows must not reach the log with an error's text.
    engine = create_engine(url, hide_parameters=True, connect_args=arguments, **options)

    @event.listens_for(engine, "connect")
    def prepare(raw: sqlite3.Connection, _record: object) -> None:
        # The driver must not begin or commit on its own account: transactions here are explicit.
        raw.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", *pragmas):
            try:
                raw.execute(f"PRAGMA {pragma}").close()
            except UnicodeDecodeError as failure:
                # The driver stumbles over what SQLite says of a schema whose bytes were changed.
                raise sqlite3.DatabaseError("the schema is damaged") from failure

    return engine


@contextmanager
def plain(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database file with the driver alone (backup interface, checks of a file that is no storage yet)."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
