"""The database as the other rooms see it: transactions that run plain functions over a `sqlalchemy.Connection`.

`read` and `write` take a whole unit of work instead of handing out a connection, for two reasons: on SQLite the unit
runs in one hop in the thread that owns the connection (a hop per statement costs more than the statement), and nobody
can hold the write lock while waiting for the network. `reading` and `writing` are for transactions of several steps.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Select, literal_column, make_url, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from storage.bulk import run_rendered
from storage.errors import StorageMoved, StorageUnavailable
from storage.metadata import STATE

T = TypeVar("T")
Work = Callable[[Connection], T]


class Run(Protocol):
    """Runs one step inside an open transaction."""

    async def __call__(self, work: Work[T], /) -> T: ...


class Storage(ABC):
    """One open database; belongs to one process and one event loop.

    Every method raises `StorageUnavailable` for what the outside did (disk, lock, connection); constraint violations
    and mistakes in a statement keep their SQLAlchemy class.
    """

    url: URL
    doubtful = False
    """Something could not be written since the last `probe`: a commit that changed nothing proves nothing then."""

    @abstractmethod
    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot; whatever it writes is discarded."""

    @abstractmethod
    async def write(self, work: Work[T], *, prepare: Callable[[], None] | None = None) -> T:
        """Run `work` as the only writer of all processes and nodes and commit it durably.

        `prepare` runs first, off the event loop and before the lock is taken: the place for blocking work (another
        file's fsync) that must be finished before the commit but needs no connection.
        """

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[Run]:
        """Open a snapshot for several steps."""

    @abstractmethod
    def writing(self, *, checked: bool = True) -> AbstractAsyncContextManager[Run]:
        """Hold the write lock for several steps; commits at the end, rolls back on an exception.

        `checked=False` skips the look at `storage_state`: for creating the schema.
        """

    async def probe(self) -> None:
        """Write and commit something that needs room, and end the doubt where that was possible."""
        await self.write(self._probing)
        self.doubtful = False

    @abstractmethod
    def _probing(self, connection: Connection) -> None:
        """Write what changes nothing that anybody reads."""

    @abstractmethod
    async def close(self) -> None:
        """Give back every connection, thread and file descriptor."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    @property
    def shown_url(self) -> str:
        """The address without its password, fit for output and for the log."""
        return self.url.render_as_string(hide_password=True)


def parsed(url: str) -> URL:
    """Bring the spellings of `storage.url` to one: `sqlite:///path` or `postgresql+asyncpg://...`."""
    given = make_url(url)
    backend = given.get_backend_name()
    if backend == "sqlite":
        if not given.database or given.database == ":memory:":
            raise ValueError("storage.url: a SQLite database needs a file, sqlite:///path/to/file")
        return given.set(drivername="sqlite")
    if backend == "postgresql":
        return given.set(drivername="postgresql+asyncpg")
    raise ValueError(f"storage.url: {backend} is not supported; use sqlite:///path or postgresql+asyncpg://...")


def directory_of(url: str) -> Path | None:
    """Return where the file of an SQLite database lies; None for PostgreSQL, whose disk is not ours to see."""
    address = parsed(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return None
    return Path(address.database).resolve().parent


def connected(url: str) -> Storage:
    """Make the storage for this address without looking at its schema."""
    address = parsed(url)
    if address.get_backend_name() == "sqlite":
        from storage.sqlite import SqliteStorage

        return SqliteStorage(address)
    from storage.postgres import PostgresStorage

    return PostgresStorage(address)


def lock_state(connection: Connection, locked: Select[Any] | None = None) -> None:
    """Take the state row (PostgreSQL: FOR UPDATE, the write lock) and refuse a database that was moved away.

    `locked` is `LOCKED_STATE` with further columns, for what a kind of database does in the same journey.
    """
    state = run_rendered(connection, LOCKED_STATE if locked is None else locked)
    if state is not None and state[0] is not None:
        raise StorageMoved(f"this database was copied to {state[0]}; set storage.url to that")


LOCKED_STATE = select(STATE.c.moved_to).where(STATE.c.id == literal_column("1")).with_for_update()


class outside_failures:  # noqa: N801 - reads as `suppress` does
    """Turn what the outside did into `StorageUnavailable`; let our own mistakes through as they are."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: object) -> None:
        if failure is None or isinstance(failure, (IntegrityError, ProgrammingError, DataError)):
            return
        if isinstance(failure, (DBAPIError, PoolTimeout, OSError, TimeoutError)):
            # The statement and its parameters stay out of the text: it reaches log lines.
            cause = failure.orig if isinstance(failure, DBAPIError) else failure
            raise StorageUnavailable(
                f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"
            ) from failure
