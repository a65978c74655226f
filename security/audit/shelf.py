"""Archived entries out of the files that they lie in (bản ghi trong tệp lưu trữ), each held to its leaf hash.

A file is opened once and gone through once as long as the numbers asked for rise: a whole archive costs what reading it
costs, a single entry what lies before it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import structlog
from sqlalchemy import Connection, select

from security.audit.archived import InArchive, Part, parts
from security.audit.export_reading import ExportDamaged, bodies
from security.audit.merkle import leaf_hash
from security.audit.tables import ENTRIES

log = structlog.get_logger()


class Row(NamedTuple):
    """An entry as its row has it; of one that lies in the archive `part` the body is empty."""

    idx: int
    leaf: bytes
    body: bytes
    part: Part | None


def rows_between(connection: Connection, first: int, last: int) -> list[Row]:
    """The rows of the entries [first, last) that are there, in order."""
    query = select(ENTRIES.c.idx, ENTRIES.c.leaf, ENTRIES.c.body).where(ENTRIES.c.idx >= first, ENTRIES.c.idx < last)
    found = connection.execute(query.order_by(ENTRIES.c.idx)).all()
    held = parts(connection) if any(not row.body for row in found) else []
    return [Row(row.idx, row.leaf, row.body, None if row.body else part_of(held, row.idx)) for row in found]


def part_of(held: Sequence[Part], index: int) -> Part | None:
    """The archive among these that an entry lies in."""
    return next((each for each in held if each.first <= index < each.last), None)


class Shelf:
    """The archives in a directory, None where none are at hand; used in a `with`, by one thread at a time."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._file = ""
        self._next = 0
        self._lines: Generator[bytes] | None = None
        self._absent = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def find(self, part: Part, index: int, leaf: bytes) -> bytes | Part:
        """The entry; without it the archive, where its file is not at hand or `damaged`.

        Damaged is a file that cannot be read, and one that has there what does not hash to the leaf.
        """
        if self._directory is None:
            return part
        if self._lines is None or part.file != self._file or index < self._next:
            self._close()
            self._lines, self._file, self._next = bodies(self._directory / part.file), part.file, part.first
            self._absent = False
        skipped, self._next = index - self._next, index + 1
        try:
            body = next(islice(self._lines, skipped, None), None)
        except FileNotFoundError:
            self._absent, body = True, None
        except (OSError, ExportDamaged):
            body = None
        if body is not None and leaf_hash(body) == leaf:
            return body
        if self._absent:
            return part
        _warn(self._directory / part.file)
        return replace(part, damaged=True)

    def whole(self, rows: Sequence[Row]) -> list[bytes]:
        """The canonical bytes of each entry; raises InArchive, which names the file, for one that cannot be had."""
        found = []
        for index, leaf, body, part in rows:
            if part is not None:
                taken = self.find(part, index, leaf)
                if isinstance(taken, Part):
                    raise InArchive(index, taken)
                body = taken
            found.append(body)
        return found

    def _close(self) -> None:
        if self._lines is not None:
            self._lines.close()
            self._lines = None


@cache
def _warn(file: Path) -> None:
    """Say that an archive is damaged, once in the life of a process: whoever lists entries asks for many of them."""
    log.warning("audit-archive-damaged", file=file.name, hint="put another copy there")
