"""Which keys of requests are being worked on at present, by all processes that share a file (yêu cầu đang xử lý).

A lock of the operating system on one byte for each key: it costs no write, and a process that dies lets go of all of
its own. Nodes that share no file do not know of each other here; there, as anywhere, the commit decides: whoever is
first counts, and the other is answered what the first was.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class UnderWay:
    """The keys of one process and those that it can see of others. A key is the first eight bytes of its digest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._own: set[int] = set()

    def begin(self, tag: bytes) -> bool:
        """Tell whether nobody else works on this key; then it is this process's until `end`."""
        place = _place(tag)
        # A process does not stand in its own way: locks of one process do not exclude each other.
        if place in self._own:
            return False
        try:
            fcntl.lockf(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            # A file system without locks, a full table: requests are taken all the same.
            pass
        self._own.add(place)
        return True

    def end(self, tag: bytes) -> None:
        """Let go of a key."""
        place = _place(tag)
        self._own.discard(place)
        with suppress(OSError):
            fcntl.lockf(self._opened(), fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        """Let go of everything."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file


def _place(tag: bytes) -> int:
    # Places are signed and have 63 bits.
    return int.from_bytes(tag[:8]) >> 2
