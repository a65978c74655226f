"""A table in a memory-mapped file that the processes of one machine share, each bucket under a lock of its own.

The kernel takes a lock back from a process that dies, however it dies, so that nothing has to be cleaned up. The locks
belong to processes: threads of one process must agree among themselves (fcntl(2), POSIX record locks).
"""

from __future__ import annotations

import mmap
import os
import time
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from pathlib import Path
from typing import Final

_TRY: Final = LOCK_EX | LOCK_NB
_PATIENCE: Final = 0.05
_LOCKLESS: Final = 1.0


class SharedTable:
    """`buckets` of `size` bytes each in the file at `path`, zero at first; what they mean is the user's business.

    The file never shrinks below others who have mapped it. Raises OSError when it cannot be made.
    """

    def __init__(self, path: Path, buckets: int, size: int) -> None:
        self._buckets = buckets
        self._size = size
        self._lockless_until = 0.0
        # `mmap.find` looks one byte behind its end (CPython 3.11): behind the last page that would end the process.
        length = buckets * size + 1
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A hole that finds no room on a full disk when it is first written to would end the process (SIGBUS).
            os.posix_fallocate(self._file, 0, length)
            self.memory = mmap.mmap(self._file, length)
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Give the file back."""
        self.memory.close()
        os.close(self._file)

    def bucket(self, digest: bytes) -> int:
        """Return where in `memory` the bucket of a digest starts."""
        return int.from_bytes(digest[:4], "big") % self._buckets * self._size

    def lock(self, start: int) -> bool:
        """Lock the bucket that starts there; give False where that did not succeed in time. Takes microseconds.

        A process that was stopped with the lock held must not stop the others: they wait for a moment once, then go on
        without the lock for a while.
        """
        try:
            lockf(self._file, _TRY, self._size, start)
        except (BlockingIOError, PermissionError):
            return self._wait(start)
        return True

    def unlock(self, start: int) -> None:
        """Give the lock of a bucket back."""
        lockf(self._file, LOCK_UN, self._size, start)

    def _wait(self, start: int) -> bool:
        """Lock a bucket that another process holds."""
        give_up = 0.0
        while True:
            now = time.monotonic()
            if now < self._lockless_until:
                return False
            give_up = give_up or now + _PATIENCE
            if now >= give_up:
                self._lockless_until = now + _LOCKLESS
                return False
            os.sched_yield()
            try:
                lockf(self._file, _TRY, self._size, start)
            except (BlockingIOError, PermissionError):
                continue
            return True
