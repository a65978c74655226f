"""Files that only their owner may read or replace: private keys and PINs."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_MAX_FILE = 64 * 1024
_MAX_LINKS = 40


class KeyRefused(Exception):
    """A key, certificate or PIN that must not be used: `text` says which and why, `step` what to do."""

    def __init__(self, text: str, step: str) -> None:
        super().__init__(f"{text}: {step}")
        self.text = text
        self.step = step


def read_private(path: Path) -> bytes:
    """The first 64 KiB of a file that nobody but its owner can read, and nobody else can put another in place of.

    The owner is this process's user or root; so are those of every directory and link on the way, and no directory may
    be written by others (a sticky one may, by its own group or root's too). KeyRefused.
    """
    # The permissions are those of the file that is read, not of what stood there a moment ago.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        step = "put the file there or correct the path"
        raise KeyRefused(f"{path} cannot be read ({error.strerror})", step) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyRefused(f"{path} is not a regular file", "name the file itself")
        _check_owner(path, status)
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise KeyRefused(f"{path} is open to group or others (mode {mode:04o})", f"run chmod 600 {path}")
        check_way(path)
        return os.read(descriptor, _MAX_FILE)
    finally:
        os.close(descriptor)


def check_way(path: Path) -> None:
    """Refuse a path that another user could make lead elsewhere; KeyRefused."""
    for place in _way(path):
        try:
            status = place.lstat()
        except OSError as error:
            step = "put the file there or correct the path"
            raise KeyRefused(f"{place} cannot be read ({error.strerror})", step) from None
        _check_owner(place, status)
        if not stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_ISVTX:
            continue
        # Many systems give each user a group of its own and let it write.
        by_group = status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid())
        if by_group or status.st_mode & stat.S_IWOTH:
            raise KeyRefused(
                f"{path} could be replaced by others: they may write in {place}", f"run chmod go-w {place}"
            )


def _way(path: Path) -> Iterator[Path]:
    """Every directory and link that decides which file a path means, from the root on; then that file."""
    at, links = Path("/"), 0
    yield at
    ahead = list(reversed(path.absolute().parts[1:]))
    while ahead:
        part = ahead.pop()
        if part == "..":
            at = at.parent
            continue
        place = at / part
        yield place
        if not place.is_symlink():
            at = place
            continue
        links += 1
        if links > _MAX_LINKS:
            raise KeyRefused(f"{path} leads in a circle", "correct the links on the way")
        target = place.readlink()
        at = Path("/") if target.is_absolute() else at
        ahead.extend(reversed([one for one in target.parts if one != "/"]))


def _check_owner(path: Path, status: os.stat_result) -> None:
    ours = os.geteuid()
    if status.st_uid not in (0, ours):
        raise KeyRefused(
            f"{path} belongs to user {status.st_uid}, and this runs as user {ours}",
            f"run this as that user, or chown {ours} {path}",
        )
