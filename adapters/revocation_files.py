"""Fetched revocation lists and OCSP answers as files: shared by the processes of a machine, there after a restart.

What lies there is signed by whom it comes from and is verified again by each process that reads it. Files and not the
database: lists may have many megabytes, and the lock under which evidence is written is not for them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from security.trust_status import Source, Subject

RETRY = 30.0
"""Seconds after which an address is asked again that had nothing good."""
_SHORTEST = 5.0
_LOOK_AGAIN = 0.05
_KINDS = (".crl", ".ocsp")


class Kept(NamedTuple):
    """One file; `fetched_at` is POSIX seconds."""

    name: str
    body: bytes
    fetched_at: float


def name_of(source: Source, subject: Subject | None) -> str:
    """Return the file name for what a source says: a list about many certificates, an answer about one."""
    if source.kind == "crl" or subject is None:
        return f"{sha256(source.url.encode()).hexdigest()[:40]}.crl"
    key, serial = subject.mark
    return f"{sha256(b'%b %d' % (key, serial)).hexdigest()[:40]}.ocsp"


class KeptFiles:
    """The directory; every method but `alone` reads or writes files, so it is not for the event loop.

    Raises OSError where the directory cannot be made or used.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[str, tuple[int, int]] = {}

    def make(self) -> None:
        """Make the directory where it is missing."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, name: str, body: bytes) -> None:
        """Put a file in the place of an older one, at once for all readers."""
        with NamedTemporaryFile(dir=self._directory, prefix=".new-", delete=False) as file:
            file.write(body)
        try:
            Path(file.name).replace(self._directory / name)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise

    def changed(self) -> list[Kept]:
        """Return the files that are new since the last call, all of them at the first."""
        found = []
        for entry in os.scandir(self._directory):
            if not entry.name.endswith(_KINDS):
                continue
            with suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                mark = (facts.st_ino, facts.st_mtime_ns)
                if self._seen.get(entry.name) != mark:
                    self._seen[entry.name] = mark
                    found.append(Kept(entry.name, Path(entry.path).read_bytes(), facts.st_mtime))
        return found

    def forget(self) -> None:
        """Let all files be new at the next call of `changed`."""
        self._seen.clear()

    def remove(self, name: str) -> None:
        """Delete a file that is of no use any more."""
        (self._directory / name).unlink(missing_ok=True)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Hold what belongs to a file against the other processes, as long as the block runs or the process lives."""
        lock = os.open(self._directory / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    flock(lock, LOCK_EX | LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(_LOOK_AGAIN)
            yield
        finally:
            os.close(lock)


class Freshness:
    """When each file has to be fetched again: at half of what it lasts, at the latest after `refresh` seconds."""

    def __init__(self, refresh: float, clock: Callable[[], datetime]) -> None:
        self._refresh = refresh
        self._clock = clock
        self._held: dict[str, tuple[float, datetime]] = {}
        self._retry_at: dict[str, float] = {}

    def note(self, file: str, fetched_at: float, until: datetime) -> None:
        """Take note that a file was fetched (POSIX seconds) and until when its content is current (UTC)."""
        self._held[file] = fetched_at, until

    def failed(self, file: str) -> bool:
        """Take note that it could not be fetched, and tell whether that is news."""
        news = file not in self._retry_at
        self._retry_at[file] = time.monotonic() + RETRY
        return news

    def succeeded(self, file: str) -> None:
        """Forget that it could not be fetched."""
        self._retry_at.pop(file, None)

    def due(self, file: str) -> bool:
        """Tell whether it is time to fetch a file."""
        if self._retry_at.get(file, 0.0) > time.monotonic():
            return False
        if file not in self._held:
            return True
        fetched_at, until = self._held[file]
        lasts = until.timestamp() - fetched_at
        return time.time() >= fetched_at + min(self._refresh, max(lasts / 2, _SHORTEST))

    def current(self, file: str) -> bool:
        """Tell whether what a file says still counts."""
        return file in self._held and self._held[file][1] > self._clock()
