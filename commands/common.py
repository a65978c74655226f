"""What every command shares: options, one way to end, one way to print (text or JSON)."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn, TypeVar

import typer

T = TypeVar("T")

Config = Annotated[
    Path | None,
    typer.Option("--config", exists=True, dir_okay=False, help="Configuration file; none means defaults and LGSP_*."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_DURATION = re.compile(r"(\d{1,6})([smhdw]?)", re.ASCII)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def group(name: str, text: str) -> typer.Typer:
    """Return the group `lgsp NAME`, which shows its help when called without a command."""
    return typer.Typer(
        name=name, help=text, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
    )


def fail(text: str, code: int = 1) -> NoReturn:
    """End with a sentence on stderr: 1 for a finding, 2 for wrong use."""
    typer.echo(f"lgsp: {text}", err=True)
    raise typer.Exit(code)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn every error that an operator can do something about into its sentence and its exit code."""
    from config.settings import ConfigurationError
    from schemas.errors import EvidenceUnavailable
    from security.administration import ChangeRefused
    from security.client_store import Stale, Taken
    from security.keys import KeysUnusable
    from storage.errors import StorageError, StorageMoved, StorageUnavailable

    try:
        yield
    except ChangeRefused as refused:
        fail(str(refused), 2)
    except EvidenceUnavailable as failure:
        cause = f" ({failure.__cause__})" if isinstance(failure.__cause__, StorageError) else ""
        fail(
            f"nothing was done, because it could not be recorded in the audit log: {failure}{cause}; see `lgsp doctor`"
        )
    except OSError as failure:
        if failure.filename is None or failure.strerror is None:
            fail(str(failure))
        step = "; make room there, or name another place" if failure.errno in _FULL else ""
        if failure.errno == errno.EROFS:
            step = "; make its file system writable again (`dmesg` may say why it is not), or name another place"
        fail(f"{failure.filename}: {failure.strerror}{step}")
    except (ConfigurationError, KeysUnusable, StorageError, Stale, Taken) as failure:
        bare = isinstance(failure, StorageUnavailable) and not isinstance(failure, StorageMoved)
        fail(f"the database could not be used: {failure}; see `lgsp doctor`" if bare else str(failure))


@contextmanager
def output() -> Iterator[None]:
    """Turn a standard output that takes no more into a sentence and 1; goes around the whole command line."""
    try:
        yield
    except OSError as failure:
        if failure.filename is not None or failure.errno not in _FULL:
            raise
        # What its buffer still holds must not be written again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        typer.echo(f"lgsp: standard output: {failure.strerror}; write it to where there is room", err=True)
        raise SystemExit(1) from None


def public_text(text: str, option: str) -> str:
    """Return a text that will stand in the log for everybody; one that could identify a person is wrong use."""
    from config.personal import could_name_a_person

    if not text.strip() or could_name_a_person(text):
        fail(f"{option} stands in the log for good: say why in words, without a number that identifies a person", 2)
    return text


@contextmanager
def new_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Write a file that does not exist yet; it has its name once all of it is on disk, and before that nothing has it.

    `mode` is for whom it is, by default its owner only. Who is killed leaves a draft beside it.
    """
    from storage.files import draft_of, named

    taken, draft = f"{path} exists, and evidence is never overwritten: name another file", draft_of(path)
    if os.path.lexists(path):
        fail(taken, 2)
    try:
        file = open(draft, "x+b", opener=lambda name, flags: os.open(name, flags, mode))  # noqa: SIM115
    except OSError as failure:
        fail(f"{path}: {failure.strerror}; name a file in a directory that can be written", 2)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        named(draft, path)
    except FileExistsError:
        fail(taken, 2)
    except OSError as failure:
        # What fails to be written has no name; what else was opened meanwhile has.
        if failure.filename not in (None, str(draft), draft):
            raise
        fail(f"{path}: {failure.strerror}; nothing was left of it: make room, or name a file elsewhere")
    finally:
        draft.unlink(missing_ok=True)


def run(work: Callable[[], Coroutine[Any, Any, T]], log_level: str = "critical") -> T:
    """Run one coroutine in an event loop of its own, with `sentences` for what goes wrong.

    Logs go to stderr; what goes wrong in a command is told once, by its sentence.
    """
    import asyncio

    from config.logging import configure

    configure(log_level)
    with sentences():
        return asyncio.run(work())


def show(value: object) -> None:
    """Print a result as one JSON document."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def table(rows: Iterable[Sequence[object]], head: Sequence[str]) -> None:
    """Print rows under a head, columns as wide as they need to be."""
    lines = [tuple(head), *(tuple("-" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values below each other."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        typer.echo(f"{name.ljust(width)}  {'-' if value is None else value}")


def duration(text: str) -> timedelta:
    """Read `7d`, `12h`, `30m`, `90s`, `2w` or plain seconds; anything else is wrong use."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter("write a number and one of s m h d w, for example 7d or 12h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def operation_name(text: str) -> tuple[str, str]:
    """Read `DATABASE/OPERATION`; anything else is wrong use."""
    database, slash, operation = text.partition("/")
    if not slash or not database or not operation or "/" in operation:
        raise typer.BadParameter("write DATABASE/OPERATION, for example population/person")
    return database, operation
