"""The vault: small secrets in fixed slots of files outside the SQL storage, so that destroying one is certain.

A SQL database leaves copies of a row in its journal, its free pages and its backups; a slot of a file is overwritten
where it stands. What lies here (wrapped keys) is therefore excluded from `lgsp storage backup`. Every process and node
of a deployment sees the same directory; another store (KMS, HSM) only has to offer `put`, `read`, `slots`, `destroy`.

A slot is 96 bytes: one state byte, one length byte, the record, zeros, CRC-32 of what stands before it. A power failure
leaves each sector of a slot as it was before a write or as it is after it: zeros where a record was to be, the mark
where one was to be destroyed. That is told from damage by its bytes.
"""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from storage.files import made, sync_names

SLOT = 96
CAPACITY = SLOT - 6
_USED, _DESTROYED = 1, 2
_SECTOR = 512
_FILE_NAME = re.compile(r"[a-z0-9-]{1,40}")


class VaultDamaged(OSError):
    """A slot that should hold a record holds something else."""


class Destroyed(LookupError):
    """The record was destroyed on purpose."""


class Vault:
    """A directory of slot files; safe for any number of processes (flock per file)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # Files of which this process knows that their names are durable.
        self._named: set[str] = set()
        made(directory)
        if directory.stat().st_mode & 0o077:
            raise PermissionError(f"{directory}: the vault must be closed to others (chmod 700)")

    def put(self, name: str, records: Sequence[bytes]) -> int:
        """Append the records to file `name` durably; return the slot of the first, the others follow it.

        Raises OSError when the disk does not take them; slots of an interrupted call are never handed out twice.
        """
        packed = b"".join(map(_packed, records))
        with self._opened(name, os.O_RDWR | os.O_CREAT) as fd:
            # A torn slot at the end belongs to a call that failed: begin behind whole slots and overwrite it.
            first = os.fstat(fd).st_size // SLOT
            _write(fd, packed, first * SLOT)
            os.fdatasync(fd)
            # Whoever made the file may have been killed before it came to that.
            if name not in self._named:
                sync_names(self.directory)
                self._named.add(name)
        return first

    def read(self, name: str, slot: int) -> bytes:
        """Return the record; raises `Destroyed`, or `VaultDamaged` when the slot is missing or unreadable."""
        # Whoever verifies values reads a slot for each entry: what `_opened` does beside opening costs more than that.
        try:
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise VaultDamaged(f"vault: no file {name}") from None
        try:
            return _unpacked(os.pread(fd, SLOT, slot * SLOT), name, slot)
        finally:
            os.close(fd)

    def slots(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yield every record of the file that was not destroyed, with its slot; nothing when there is no file.

        What a power failure left of a call that had not returned is none. Raises `VaultDamaged` for any other slot that
        cannot be read.
        """
        try:
            with self._opened(name, os.O_RDONLY, lock=False) as fd:
                for slot in range(os.fstat(fd).st_size // SLOT):
                    raw = os.pread(fd, SLOT, slot * SLOT)
                    try:
                        yield slot, _unpacked(raw, name, slot)
                    except Destroyed:
                        continue
                    except VaultDamaged:
                        if not _unfinished(raw, slot):
                            raise
        except FileNotFoundError:
            return

    def destroy(self, name: str, *slots: int) -> None:
        """Overwrite records where they stand, durably; destroying one twice is no error.

        In one step, since what stands there in between would look like damage after a crash.
        """
        with self._opened(name, os.O_RDWR) as fd:
            end = os.fstat(fd).st_size // SLOT
            if strange := [slot for slot in slots if not 0 <= slot < end]:
                raise VaultDamaged(f"vault: no slot {strange[0]} in {name}")
            for slot in slots:
                _write(fd, _MARK, slot * SLOT)
            os.fdatasync(fd)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the lock of a name over several calls for other names (read, decide, put)."""
        with self._opened(f"{name}-lock", os.O_RDWR | os.O_CREAT):
            yield

    def _path(self, name: str) -> str:
        if not _FILE_NAME.fullmatch(name):
            raise ValueError(f"vault: {name!r} is no file name of ours")
        return f"{self.directory}/{name}.slots"

    @contextmanager
    def _opened(self, name: str, flags: int, *, lock: bool = True) -> Iterator[int]:
        fd = os.open(self._path(name), flags | os.O_CLOEXEC, 0o600)
        try:
            if lock:
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)


def _packed(record: bytes, state: int = _USED) -> bytes:
    if len(record) > CAPACITY:
        raise ValueError(f"vault: a record has at most {CAPACITY} bytes")
    head = bytes((state, len(record))) + record.ljust(CAPACITY, b"\0")
    return head + crc32(head).to_bytes(4, "big")


_MARK = _packed(b"", _DESTROYED)


def _unfinished(raw: bytes, slot: int) -> bool:
    """Tell whether a slot that cannot be read may be what a power failure left of writing or destroying a record."""
    cut = -slot * SLOT % _SECTOR
    return any(
        part in (bytes(len(part)), mark) for part, mark in ((raw[:cut], _MARK[:cut]), (raw[cut:], _MARK[cut:])) if part
    )


def _unpacked(raw: bytes, name: str, slot: int) -> bytes:
    if len(raw) != SLOT or crc32(raw[:-4]) != int.from_bytes(raw[-4:], "big"):
        raise VaultDamaged(f"vault: slot {slot} of {name} is damaged")
    if raw[0] == _DESTROYED:
        raise Destroyed(f"slot {slot} of {name}")
    return raw[2 : 2 + raw[1]]


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written
