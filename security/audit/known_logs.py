"""The keys of logs as a witness knows them, read anew where what they stand in was changed (khóa của nhật ký)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import structlog

from security.audit.assembly import log_verifiers
from security.audit.checkpoint import VerifierKey
from security.keys import KeyRing, KeysUnusable

log = structlog.get_logger()


class Source(NamedTuple):
    """Where keys stand and how they are read: a file, a directory; no path where they were given themselves."""

    path: Path | None
    read: Callable[[], Iterable[VerifierKey]]


def given(text: str) -> Source:
    """Return what a vkey says, or the file of vkeys of this name: one a line, those with # are skipped."""
    path = Path(text)
    if path.is_file():
        return Source(path, lambda: _decoded(str(path), path.read_text(encoding="utf-8").splitlines()))
    return Source(None, lambda: _decoded(text, [text]))


def of_gateway(directory: Path, origin: str) -> Source:
    """Return every generation of the log key in the key directory of a gateway."""
    return Source(directory, lambda: log_verifiers(KeyRing(directory), origin))


class KnownLogs:
    """The keys of several sources, in the order of those, as they are now: each iteration looks whether one changed.

    What cannot be read anew is logged, and what was known stays. Any thread may iterate. Raises ValueError where a
    source holds no key, OSError, KeysUnusable: at the beginning only.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._lock = Lock()
        self._marks = self._look()
        self._keys = self._read()

    def __iter__(self) -> Iterator[VerifierKey]:
        with self._lock:
            marks = self._look()
            if marks != self._marks:
                self._take(marks)
            return iter(self._keys)

    def reload(self) -> None:
        """Read everything anew, whether it looks changed or not."""
        with self._lock:
            self._take(self._look())

    def _take(self, marks: list[tuple[int, int, int] | None]) -> None:
        # Once for each change, whether it could be read or not.
        self._marks = marks
        try:
            self._keys = self._read()
        except (KeysUnusable, ValueError, OSError) as failure:
            log.error("log-keys-not-read", hint=str(failure))
        else:
            log.info("log-keys-read", keys=[f"{key.name}+{key.key_id.hex()}" for key in self._keys])

    def _read(self) -> list[VerifierKey]:
        found: dict[VerifierKey, None] = {}
        for source in self._sources:
            keys = list(source.read())
            if not keys:
                raise ValueError(f"{source.path}: it holds no key of a log")
            found |= dict.fromkeys(keys)
        return list(found)

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [None if each.path is None else _mark(each.path) for each in self._sources]


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What differs once a file has another content, or others may read it, or a directory has another file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_ctime_ns, facts.st_size


def _decoded(where: str, lines: Iterable[str]) -> list[VerifierKey]:
    try:
        return [VerifierKey.decode(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    except ValueError as failure:
        raise ValueError(f"{where}: {failure}; it must be the key of a log, as `lgsp keys export` prints it") from None
