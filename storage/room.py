"""Whether a file system takes more bytes: asked by taking some, since what it says of its free space need not be so.

What is kept for root, quotas and limits of a process are not in the number of free bytes.
"""

import os
from pathlib import Path
from tempfile import TemporaryFile

ROOM = 1 << 20
"""Bytes that must be to be had where evidence is written: much more than one commit, so that not every other fails."""


def take_room(directory: Path) -> None:
    """Take `ROOM` bytes in a file without a name and give them back; raises OSError (ENOSPC, EROFS, EDQUOT...)."""
    with TemporaryFile(dir=directory, buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, ROOM)
