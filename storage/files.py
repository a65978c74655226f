"""Files that get their name when they are whole (tệp chỉ có tên khi đã đủ): a crash leaves a draft beside it."""

import errno
import os
import secrets
from pathlib import Path
from typing import Final

# Of file systems without links, as on most sticks.
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def draft_of(path: Path) -> Path:
    """Return a name beside `path` that nobody uses, `.NAME.` and eight hexadecimal digits."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def named(draft: Path, path: Path) -> None:
    """Give a finished draft its name, durably; it may keep its own, too. Raises FileExistsError and other OSErrors.

    Nothing is overwritten: a link fails where somebody took the name, and so does the empty file that stands in for it.
    """
    try:
        os.link(draft, path)
    except OSError as failure:
        if failure.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        draft.replace(path)
    sync_names(path.parent)


def made(directory: Path) -> None:
    """Make a directory that is closed to others, and those above it that are missing, durably. Raises OSError."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_names(each.parent)


def sync_names(directory: Path) -> None:
    """Make durable which names a directory holds: a new one lies there and not in the file. Raises OSError."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
