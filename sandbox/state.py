"""The state directory of a demo belongs to one demo at a time; nothing heavy is imported to find that out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StateTaken(Exception):
    """Another demo works in this state directory; the text says which and what to do."""


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Keep a state directory for this process, without the `demo.json` that a killed demo may have left in it.

    Raises StateTaken, OSError. The lock goes with the process, however that ends.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = lock.read().strip() or "?"
            raise StateTaken(
                f"a demo is running on {state} (process {pid}): end it, or name another directory with --state"
            ) from None
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        (state / "demo.json").unlink(missing_ok=True)
        yield
