"""The replay memory that all processes of one machine share: which signatures of sources were accepted already.

It is a table in a memory-mapped file and not a row in the SQL storage, since a commit for each answer would cost more
than the answer (see docs/adr).
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from security.shared_table import SharedTable

# The first half of a digest and when it may be forgotten (POSIX seconds); half of a SHA-256 is as good as all of it.
_SLOT: Final = struct.Struct("=16sd")
_SLOTS: Final = 64
# How many signatures the bucket has taken since the file was made.
_TAKEN: Final = struct.Struct("=Q")
_BUCKET: Final = _TAKEN.size + _SLOTS * _SLOT.size

# At 600 answers a second, kept for seven minutes, a bucket is half full; one in ten million is full.
BUCKETS_OF_A_WORKER: Final = 8192


def remembered(path: Path) -> Iterator[tuple[bytes, float]]:
    """Yield the halves of the digests in the file of a memory, and when each may be forgotten (POSIX seconds)."""
    held = path.read_bytes()
    for bucket in range(0, len(held) - _BUCKET + 1, _BUCKET):
        for mark, ends in _SLOT.iter_unpack(held[bucket + _TAKEN.size : bucket + _BUCKET]):
            if ends:
                yield mark, ends


class Contended(Exception):
    """Another process holds what is needed and was stopped meanwhile; it may be had in a moment."""


class SharedSignatures:
    """Remembers signatures for all processes that open the same file with as many `buckets`; it outlives them.

    Each bucket is a ring of 64: the oldest makes room once it may be forgotten. A bucket full of signatures that are
    still fresh takes no new one rather than forget an old one. A process that dies in the middle leaves either nothing
    or a signature whose message nobody got. A `strict` one takes nothing while a neighbour that was stopped holds the
    bucket. Raises OSError when the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        buckets: int = BUCKETS_OF_A_WORKER,
        clock: Callable[[], float] = time.time,
        *,
        strict: bool = False,
    ) -> None:
        self._table = SharedTable(path, buckets, _BUCKET)
        self._clock = clock
        self._strict = strict
        self._threads = threading.Lock()

    def close(self) -> None:
        """Give the file back."""
        self._table.close()

    def remember(self, digest: bytes, until: datetime) -> bool:
        """True if `digest` (a SHA-256) is new and there was room; `until` is UTC. Takes microseconds.

        Raises Contended if it is strict and the bucket cannot be had.
        """
        table = self._table
        memory = table.memory
        start = table.bucket(digest)
        first, mark, ends = start + _TAKEN.size, digest[:16], until.timestamp()
        with self._threads:
            # Without the lock, which a neighbour may be stopped with, at worst two processes accept one message at the
            # same instant; it still answers only one question.
            held = table.lock(start)
            if self._strict and not held:
                raise Contended
            try:
                if memory.find(mark, first, start + _BUCKET) >= 0:
                    return False
                (taken,) = _TAKEN.unpack_from(memory, start)
                slot = first + taken % _SLOTS * _SLOT.size
                if _SLOT.unpack_from(memory, slot)[1] > self._clock():
                    return False
                # In this order a death in between leaves an old slot behind the others, not a fresh one before them.
                _TAKEN.pack_into(memory, start, taken + 1)
                _SLOT.pack_into(memory, slot, mark, ends)
            finally:
                if held:
                    table.unlock(start)
        return True
