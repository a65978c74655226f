"""What the commands that read the audit trail share: whom to look for, which period, which entries, how they are shown.

A personal identifier is never an argument: shells keep those. It comes from a file or from standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from commands.common import fail, run

if TYPE_CHECKING:
    from datetime import datetime

    from commands.desk import Desk
    from security.audit.entries import Subject
    from security.audit.reading import AuditReader, Filter, Recorded

T = TypeVar("T")

SubjectFile = Annotated[
    str | None,
    typer.Option("--subject-file", metavar="FILE|-", help="A file, or standard input, with the identifier alone."),
]
As = Annotated[
    str | None, typer.Option("--as", metavar="KIND", help="What it is, for example personal-id; else all it may be.")
]
Since = Annotated[
    str | None, typer.Option("--from", metavar="DAY", help="YYYY-MM-DD in Vietnam, or a time (RFC 3339).")
]
Before = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day, included; a time is not.")]

# What JSON can name and every database can be asked for; no log is as long.
LAST = 2**53 - 1
Index = Annotated[int, typer.Argument(min=0, max=LAST, help="Number of an entry.")]

_LONGEST = 200


def subjects_in(source: str, kind: str | None) -> list[Subject]:
    """Read whom to look for, once for each kind that it may be; what cannot be read is wrong use and not repeated."""
    from schemas.audit import SUBJECT_KINDS, sought
    from security.audit.entries import Subject

    if kind is not None and kind not in SUBJECT_KINDS:
        fail(f"--as is one of {', '.join(SUBJECT_KINDS)}", 2)
    try:
        raw = sys.stdin.buffer.read(_LONGEST) if source == "-" else _beginning(Path(source))
        value = raw.decode().strip()
    except OSError as failure:
        fail(f"--subject-file cannot be read: {failure.strerror}; it names a file that holds the identifier", 2)
    except UnicodeDecodeError:
        value = ""
    if not value or len(raw) == _LONGEST or not value.isprintable():
        fail("--subject-file holds one identifier and nothing else, for example a personal number of 12 digits", 2)
    try:
        return [Subject("asked", each, spelled) for each, spelled in sought(value, kind)]
    except ValueError as wrong:
        fail(f"--subject-file: {wrong}", 2)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST)


def instant_of(text: str | None, option: str, *, end: bool = False) -> datetime | None:
    """Read where a period begins, or with `end` before which it ends; what is no day and no time is wrong use."""
    from schemas.periods import bound

    try:
        return None if text is None else bound(text, end=end)
    except ValueError as wrong:
        fail(f"{option}: {wrong}", 2)


async def all_of(
    reader: AuditReader, subjects: Sequence[Subject], chosen: Filter, most: int, *, after: int = -1
) -> list[Recorded]:
    """Read the entries that match, of one subject where there are `subjects`; at most `most` of them, in order."""
    from security.audit.reading import PAGE

    kinds, values = [each.kind for each in subjects], [each.value for each in subjects]
    found: list[Recorded] = []
    while len(found) < most:
        last, limit = found[-1].index if found else after, min(PAGE, most - len(found))
        if kinds:
            page = await reader.search(kinds, values, chosen, after=last, limit=limit)
        else:
            page = await reader.entries(chosen, after=last, limit=limit)
        if not page:
            break
        found += page
    return found


def told(entries: Iterable[dict[str, Any]]) -> None:
    """Print entries as text."""
    for entry in entries:
        typer.echo(f"entry {entry['index']}  leaf {entry['leaf']}{'  redacted' if entry['redacted'] else ''}")
        typer.echo(json.dumps(entry["entry"], ensure_ascii=False, indent=1))


def reading(work: Callable[[Desk], Coroutine[Any, Any, T]], config: Path | None) -> T:
    """Read the log at a desk; what is not there, or cannot be proven, is a finding."""
    from commands.desk import desk
    from security.audit.checkpoint import CheckpointRejected
    from security.audit.export import LogDamaged
    from security.audit.reading import NoEntry
    from security.audit.sealing import Unopenable

    async def at_desk() -> T:
        async with desk(config) as at:
            return await work(at)

    try:
        return run(at_desk)
    except NoEntry as none:
        fail(str(none))
    except (LogDamaged, CheckpointRejected, Unopenable) as failure:
        fail(f"{failure}: run `lgsp audit verify --values`, and keep the database as it is")
