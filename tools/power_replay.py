"""What a disk may hold after a power failure (mất điện), from the records of `power_recorder.c`.

What was written before a sync began that has ended is there. Of everything else each sector (512 bytes) or page (4,096)
of a file stands as it was after any number of the writes that touched it, each for itself and so in any order; a file
has any of the sizes that it had since, and what lies within that and was not written reads as zeros. Names that were
made, moved and taken away since the last sync of their directory may be so or not, each for itself; a sync of a file is
none of its name. That is more than ext4 and XFS allow themselves, and as much as POSIX does. Taken for granted is that
a sector is written wholly or not at all, that a rename within a directory is one step, and that the disk means what it
says when it has flushed.

Files that processes map and write to (SQLite's `-shm`, the memories of rates and replays) are not seen in writing: each
of their parts is as it was in the end, or zeros.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

_HEAD: Final = struct.Struct("<IBBHHQQQ")
_PARTS: Final = (512, 4096)


class Record(NamedTuple):
    """One change; `end` is the length of the records up to and with it, by which moments are named."""

    end: int
    what: str
    file: int
    offset: int
    length: int
    path: str
    other: str
    data: memoryview


def records(held: bytes) -> Iterator[Record]:
    """Yield the records of a recording; one that was cut short ends it."""
    at, whole = 0, memoryview(held)
    while at + _HEAD.size <= len(held):
        size, what, _, path, other, file, offset, length = _HEAD.unpack_from(held, at)
        begin = at + _HEAD.size
        at += size
        if at > len(held):
            return
        middle, data = begin + path, begin + path + other
        names = held[begin:middle].decode(), held[middle:data].decode()
        yield Record(at, chr(what), file, offset, length, *names, whole[data:at])


@dataclass(slots=True, eq=False)
class File:
    """A file: what is synced of it, what readers see, and the changes in between (offset, data, and length or -1)."""

    synced: bytearray = field(default_factory=bytearray)
    live: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, memoryview, int]] = field(default_factory=list)
    seen: int = 0
    mapped: bool = False

    def change(self, offset: int, data: memoryview, length: int) -> None:
        """Write `data` at `offset`, or cut (extend) to `length` where that is not -1."""
        self.pending.append((offset, data, length))
        self.seen += 1
        _apply(self.live, offset, data, length)

    def sync(self, seen: int) -> None:
        """Make the first `seen` changes durable."""
        number = max(0, seen - (self.seen - len(self.pending)))
        for change in self.pending[:number]:
            _apply(self.synced, *change)
        del self.pending[:number]

    def after(self, dice: Random) -> bytearray:
        """Return what may be there after a power failure now."""
        changes, content = self.pending, bytearray(self.synced)
        manner = dice.choice(("nothing", "all", "order", "parts", "parts", "parts"))
        if manner == "order":
            changes = changes[: dice.randint(0, len(changes))]
        if manner in ("all", "order"):
            for change in changes:
                _apply(content, *change)
        if manner != "parts" or not changes:
            return content
        part, share = dice.choice(_PARTS), dice.choice((0.1, 0.5, 0.9))
        touched: dict[int, int] = {}
        sizes, size = [len(content)], len(content)
        for offset, data, length in changes:
            for number in _touched(offset, data, length, size, part):
                touched[number] = touched.get(number, 0) + 1
            size = max(size, offset + len(data)) if length < 0 else length
            sizes.append(size)
        # Each part is as it was after so many of the changes that touched it.
        taken = {
            number: many if dice.random() < share else dice.choice((0, dice.randint(0, many)))
            for number, many in touched.items()
        }
        content.extend(bytes(max(sizes) - len(content)))
        size = sizes[0]
        for offset, data, length in changes:
            for number in _touched(offset, data, length, size, part):
                taken[number] -= 1
                if taken[number] >= 0:
                    _on_part(content, number * part, part, offset, data, length)
            size = max(size, offset + len(data)) if length < 0 else length
        del content[dice.choice((sizes[-1], sizes[-1], sizes[0], dice.choice(sizes))) :]
        return content


@dataclass(slots=True, eq=False)
class Folder:
    """A directory: the names that are synced, those that readers see, and the changes in between.

    A change gives `name` to a file, or takes it away (None), and may take `former` away in the same step.
    """

    synced: dict[str, File | Folder] = field(default_factory=dict)
    live: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[tuple[str, File | Folder | None, str]] = field(default_factory=list)
    seen: int = 0

    def change(self, name: str, node: File | Folder | None, former: str = "") -> None:
        self.pending.append((name, node, former))
        self.seen += 1
        _rename(self.live, name, node, former)

    def sync(self, seen: int) -> None:
        """Make the first `seen` changes durable."""
        number = max(0, seen - (self.seen - len(self.pending)))
        for change in self.pending[:number]:
            _rename(self.synced, *change)
        del self.pending[:number]

    def after(self, dice: Random) -> dict[str, File | Folder]:
        """Return which names may be there after a power failure now."""
        names, changes = dict(self.synced), self.pending
        manner = dice.choice(("nothing", "all", "order", "each", "each"))
        if manner == "nothing":
            return names
        if manner == "order":
            changes = changes[: dice.randint(0, len(changes))]
        for change in changes:
            if manner != "each" or dice.random() < 0.5:
                _rename(names, *change)
        return names


class Disk:
    """A directory and everything below it, as the records change it; `before` are directories made durable long ago."""

    def __init__(self, root: Path, before: Sequence[str] = ()) -> None:
        self.root = Folder()
        self._path = str(root)
        self._nodes: dict[int, File | Folder] = {root.stat().st_ino: self.root}
        self._syncs: dict[int, tuple[File | Folder, int]] = {}
        for name in before:
            made = self._nodes[(root / name).stat().st_ino] = Folder()
            self.root.synced[name] = self.root.live[name] = made

    def take(self, record: Record) -> None:
        """Do what one record says. Raises ValueError for one that does not fit what is known."""
        node = self._nodes.get(record.file)
        match record.what:
            case "c" | "d":
                made = self._nodes[record.file] = File() if record.what == "c" else Folder()
                self._name(record.path, made)
            case "w" if isinstance(node, File):
                node.change(record.offset, record.data, -1)
            case "t" if isinstance(node, File):
                node.change(0, memoryview(b""), record.length)
            case "f" if isinstance(node, File):
                node.change(0, memoryview(b""), max(len(node.live), record.offset + record.length))
            case "m" if isinstance(node, File):
                node.mapped = True
            case "s" if node is not None:
                self._syncs[record.offset] = (node, node.seen)
            case "S":
                synced, seen = self._syncs.pop(record.offset)
                synced.sync(seen)
            case "u":
                self._name(record.path, None)
            case "l" if node is not None:
                self._name(record.other, node)
            case "r" if node is not None:
                self._moved(record.path, record.other, node)
            case _:
                raise ValueError(f"{record}: of a file that was never made")

    def _moved(self, path: str, other: str, node: File | Folder) -> None:
        (folder, name), (target, new) = self._place(path), self._place(other)
        if folder is target:
            folder.change(new, node, name)
        else:
            target.change(new, node)
            folder.change(name, None)

    def _name(self, path: str, node: File | Folder | None) -> None:
        folder, name = self._place(path)
        folder.change(name, node)

    def _place(self, path: str) -> tuple[Folder, str]:
        folder, parts = self.root, [part for part in path[len(self._path) :].split("/") if part not in ("", ".")]
        for part in parts[:-1]:
            found = folder.live[part]
            if not isinstance(found, Folder):
                raise ValueError(f"{path}: {part} is no directory")
            folder = found
        return folder, parts[-1]

    def differences(self) -> list[str]:
        """Name what is not on the real disk as the records have it, but for what processes mapped."""
        return list(_differences(self.root, Path(self._path)))

    def fail(self, into: Path, dice: Random) -> None:
        """Put into an empty directory what there may be after a power failure now."""
        _put(self.root, into, Path(self._path), dice)


def _differences(folder: Folder, path: Path) -> Iterator[str]:
    there = {each.name for each in path.iterdir()}
    yield from (f"{path / name}: only here" for name in there - folder.live.keys())
    yield from (f"{path / name}: only in the records" for name in folder.live.keys() - there)
    for name in there & folder.live.keys():
        node = folder.live[name]
        if isinstance(node, Folder):
            yield from _differences(node, path / name)
        elif not node.mapped and (path / name).read_bytes() != node.live:
            yield f"{path / name}: other content"


def _put(folder: Folder, into: Path, real: Path, dice: Random) -> None:
    for name, node in sorted(folder.after(dice).items()):
        if isinstance(node, Folder):
            (into / name).mkdir(mode=0o700)
            _put(node, into / name, real / name, dice)
        else:
            content = _mixed(real / name, node, dice) if node.mapped else node.after(dice)
            with open(into / name, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                # Memories of many MB are almost empty.
                for at in range(0, len(content), 65536):
                    if any(piece := content[at : at + 65536]):
                        file.seek(at)
                        file.write(piece)
                file.truncate(len(content))


def _mixed(real: Path, file: File, dice: Random) -> bytearray:
    """Return parts of what a mapped file held in the end; SQLite's index of the journal is gone by then, so noise."""
    content = real.read_bytes() if real.exists() else dice.randbytes(len(file.live))
    part, share = dice.choice(_PARTS), dice.choice((0.0, 0.5, 1.0))
    mixed = bytearray(len(content))
    for at in range(0, len(content), part):
        if dice.random() < share:
            mixed[at : at + part] = content[at : at + part]
    return mixed


def _apply(content: bytearray, offset: int, data: memoryview, length: int) -> None:
    end = offset + len(data) if length < 0 else length
    if end > len(content):
        content.extend(bytes(end - len(content)))
    if length < 0:
        content[offset:end] = data
    else:
        del content[length:]


def _touched(offset: int, data: memoryview, length: int, size: int, part: int) -> range:
    if length < 0:
        return range(offset // part, (offset + len(data) + part - 1) // part)
    return range(length // part, (size + part - 1) // part)


def _on_part(content: bytearray, begin: int, part: int, offset: int, data: memoryview, length: int) -> None:
    if length < 0:
        first, last = max(begin, offset), min(begin + part, offset + len(data))
        content[first:last] = data[first - offset : last - offset]
    else:
        first, last = max(begin, length), min(begin + part, len(content))
        content[first:last] = bytes(max(0, last - first))


def _rename(names: dict[str, File | Folder], name: str, node: File | Folder | None, former: str) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node
        if former and names.get(former) is node:
            del names[former]
