"""Which gateways of a configuration run on this machine: a locked file each, for `lgsp reload`.

The lock ends with the process, however that happens, so that no number of a process that is gone is ever signalled.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import Settings

_NAME = re.compile(r"serve\.(.+)\.(\d{1,10})\.lock")


@contextmanager
def announced(settings: Settings) -> Iterator[None]:
    """Be found by `present` while the block runs."""
    _directory(settings).mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _directory(settings) / f"serve.{socket.gethostname()}.{os.getpid()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def present(settings: Settings) -> Iterator[int]:
    """Yield the process ids of the gateways of this configuration on this machine; what others left is removed."""
    for path in sorted(_directory(settings).glob("serve.*.lock")):
        match = _NAME.fullmatch(path.name)
        # The directory may be shared between nodes.
        if match is None or match[1] != socket.gethostname():
            continue
        with path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield int(match[2])
            else:
                path.unlink(missing_ok=True)


def _directory(settings: Settings) -> Path:
    return settings.keys.vault.parent
