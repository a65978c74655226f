"""For how long the gateway has run, by clocks that nobody sets, and how long the log was then (thời gian vận hành).

What must be known for so many days is not forgotten because one of the machines has a wrong date: a day counts when
some process has run for it. Processes that run at the same time count it once, and time in which none runs is not
counted, so that things are known for longer rather than for less long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import BIGINT, Column, Connection, Table, delete, func, insert, select

from security.audit.tables import HEAD
from storage.metadata import METADATA

LOG_MARKS = Table(
    "log_marks",
    METADATA,
    # Seconds that the gateway had run, and how many entries the log had by then.
    Column("running_s", BIGINT, primary_key=True, autoincrement=False),
    Column("size", BIGINT, nullable=False),
)
MARK_S: Final = 900
"""How far marks are apart: a process that starts begins to count at the newest, so that at most this much is lost."""
_DAY_S: Final = 86_400


class Running:
    """Counts on from the newest mark, in one process; `steady` is a clock in seconds that is never set."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._began: tuple[int, float] | None = None

    def so_far(self, connection: Connection) -> int:
        """Tell for how many seconds the gateway has run."""
        newest = _newest(connection) or 0
        if self._began is None:
            self._began = newest, self._steady()
        counted, began = self._began
        return max(newest, counted + int(self._steady() - began))

    def wants_mark(self, connection: Connection) -> bool:
        """Tell whether `mark` would write something."""
        newest = _newest(connection)
        return newest is None or self.so_far(connection) >= newest + MARK_S

    def mark(self, connection: Connection, days: int) -> None:
        """Keep how long the log is now, where the newest mark is old; marks older than `days` are needed no more."""
        if not self.wants_mark(connection):
            return
        size = connection.execute(select(HEAD.c.size)).scalar() or 0
        connection.execute(insert(LOG_MARKS).values(running_s=self.so_far(connection), size=size))
        oldest = select(func.max(LOG_MARKS.c.running_s)).where(LOG_MARKS.c.running_s <= self._before(connection, days))
        connection.execute(delete(LOG_MARKS).where(LOG_MARKS.c.running_s < oldest.scalar_subquery()))

    def entries_before(self, connection: Connection, days: int) -> int:
        """Tell how many entries of the log are older than so many days of running."""
        longest = select(func.max(LOG_MARKS.c.size)).where(LOG_MARKS.c.running_s <= self._before(connection, days))
        return connection.execute(longest).scalar() or 0

    def _before(self, connection: Connection, days: int) -> int:
        return self.so_far(connection) - days * _DAY_S


def _newest(connection: Connection) -> int | None:
    newest: int | None = connection.execute(select(func.max(LOG_MARKS.c.running_s))).scalar()
    return newest
