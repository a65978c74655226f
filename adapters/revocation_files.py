"""Fetched revocation lists and OCSP answers as files: shared by the processes of a machine, there after a restart.

What lies there is signed by whom it comes from and is verified again by each process that reads it. Files and not the
database: lists may have many megabytes, and the lock under which evidence is written is not for them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from security.trust_status import Source, Subject

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

    def everything(self) -> list[Kept]:
        """Return all files."""
        self._seen.clear()
        return self.changed()

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
