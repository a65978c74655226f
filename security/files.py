"""Files that are whole or absent, whatever crashes, and files of others that are read without waiting for them."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from storage.files import draft_of, sync_names


class NotRegular(OSError):
    """A pipe, a device or a directory where a file should be."""


def open_regular(path: str | Path) -> BufferedReader:
    """Open a regular file for reading; raises NotRegular for anything else, OSError.

    A pipe or a device could keep us waiting, or never end.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    raise NotRegular(errno.EINVAL, "it is no regular file", str(path))


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Write a file in one step and make it durable; one that stood there is replaced. Raises OSError."""
    draft = draft_of(path)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_names(path.parent)
