"""What `lgsp doctor` finds of the files that archived entries lie in (tệp lưu trữ của nhật ký)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Final

from routes.findings import Finding, ok, problem, warning
from security.audit.archived import Part
from security.files import open_regular

_SUBJECT: Final = "audit.archives"
_LARGEST: Final = 2 << 30
"""Bytes of which the SHA-256 is computed, newest archives first: a second or two; the others are only looked for."""
_STEP: Final = "put another copy there; `lgsp audit verify --archive {}` then looks into all of them"


def archives(directory: Path | None, parts: Sequence[Part]) -> Iterator[Finding]:
    """Look for the file of each archive in `[audit] archives`, and hold it to the SHA-256 that the log recorded."""
    if not parts:
        return
    if directory is None:
        text = f"entries before {parts[-1].last} lie in {len(parts)} archives, which are not read from here"
        yield ok(_SUBJECT, text, "archives-elsewhere")
        return
    left, compared, flawed = _LARGEST, 0, False
    for part in reversed(parts):
        left -= _size(directory / part.file)
        compared += left >= 0
        if (flaw := _flaw(directory, part, compare=left >= 0)) is not None:
            flawed = True
            yield flaw
    if not flawed:
        yield ok(_SUBJECT, f"{len(parts)} archives are there, {compared} of them compared", "archives-hold")


def _flaw(directory: Path, part: Part, *, compare: bool) -> Finding | None:
    path, step = directory / part.file, _STEP.format(directory)
    try:
        with open_regular(path) as file:
            if not compare or file_digest(file, "sha256").hexdigest() == part.sha256:
                return None
        text = f"{path} is not the file that entry {part.act} recorded"
    except FileNotFoundError:
        text = f"{path} is missing: entries {part.first} to {part.last - 1}"
        return warning(_SUBJECT, text, step, "archive-missing")
    except OSError as failure:
        text = f"{path} cannot be read ({failure.strerror})"
    return problem(_SUBJECT, text, step, "archive-damaged")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
