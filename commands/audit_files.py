"""`lgsp audit export / bundle`: evidence in files that verify without the gateway (xuất chứng cứ ra tệp)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.audit_options import LAST, As, Index, SubjectFile, instant_of, reading, subjects_in
from commands.common import AsJson, Config, fail, new_file, pairs, public_text, show

if TYPE_CHECKING:
    from security.audit.gathering import Answer

Out = Annotated[Path, typer.Option("--out", dir_okay=False, metavar="ZIP", help="Where to; nothing is overwritten.")]


def export(
    out: Out,
    since: Annotated[str | None, typer.Option("--from", help="First entry, by its number or a day in Vietnam.")] = None,
    before: Annotated[str | None, typer.Option("--to", help="Last entry, likewise; included.")] = None,
    full: Annotated[bool, typer.Option("--full", help="With every checkpoint of the range.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write a part of the log, or all of it, as a ZIP that `verify_audit.py` checks.

    It goes on to the first checkpoint behind its last entry: what no checkpoint covers proves nothing.
    """
    from commands.desk import Desk
    from security.audit.assembly import log_verifiers
    from security.audit.checkpoint import opened
    from security.audit.export import Exported, write_export
    from security.audit.reading import AuditReader, NoEntry

    async def place(reader: AuditReader, text: str | None, option: str, *, end: bool) -> int | None:
        if text is not None and text.isascii() and text.isdigit() and len(text) <= len(str(LAST)):
            return int(text) + end
        at = instant_of(text, option, end=end)
        if at is None:
            return None
        return await (reader.last_before(at) if end else reader.first_since(at))

    async def work(at: Desk) -> Exported:
        reader = AuditReader(at.storage)
        size = await reader.size()
        first = await place(reader, since, "--from", end=False) or 0
        last = await place(reader, before, "--to", end=True)
        last = size if last is None else min(last, size)
        if not first < last:
            raise NoEntry(f"the log has no entries there; it has {size}, numbered from 0")
        keys = log_verifiers(at.keys, at.settings.keys.origin)
        # On record is what will be shown, and that goes on to a checkpoint.
        last = opened(await reader.checkpoint_over(last), keys).size
        await at.record("reading", "audit-export", {"first": first, "last": last - 1})
        with new_file(out) as file:
            return await write_export(
                at.storage, keys, file, first=first, last=last, full=full, archives=at.settings.audit.archives
            )

    made = reading(work, config)
    shown = {
        "file": str(out),
        "origin": made.origin,
        "first": made.first,
        "last": made.last - 1,
        "size": made.last,
        "root": made.root.hex(),
    }
    if as_json:
        show(shown)
    else:
        pairs(shown)


def bundle(
    index: Index,
    out: Out,
    subject_file: SubjectFile = None,
    as_kind: As = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", exists=True, dir_okay=False, help="The answer, from who has it: it is opened too."),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option("--field", metavar="POINTER", help="Only this of it: /name, /children/0/name, …")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Open nothing.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why, where anything is opened; it stands in the log for everybody.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write the evidence of one exchange as a ZIP that `verify_audit.py` checks.

    All that is still known of its persons and values is opened, unless --subject-file, --data or --field say what is;
    only what --data opens by its own receipt needs no --reason.
    """
    pointers = field or []
    if closed and (subject_file is not None or data is not None or pointers):
        fail("--closed opens nothing: leave --subject-file, --data and --field away", 2)
    if reason is not None:
        public_text(reason, "--reason")
    asked = [] if subject_file is None else subjects_in(subject_file, as_kind)
    answer = None if data is None else _answer_in(data)

    from commands.desk import Desk
    from security.audit.assembly import log_verifiers
    from security.audit.bundle import NotCommitted
    from security.audit.gathering import Bundled, Wanted, gathered

    everything = not (closed or asked or answer or pointers)
    wanted = Wanted(everything, asked, answer, pointers)
    if reason is None and not (wanted.nothing or wanted.held):
        fail("say with --reason why values are opened, or open nothing with --closed", 2)

    async def work(at: Desk) -> Bundled:
        reader = at.reader()
        recorded = await reader.show(index)
        details: dict[str, Any] = {"entries": [index], "opened": []} | ({} if reason is None else {"reason": reason})
        try:
            made = await gathered(at.storage, reader, recorded, wanted)
        except NotCommitted:
            # That a guess was wrong tells something, too.
            await at.record("reading", "audit-bundle", details, asked)
            raise
        await at.record("reading", "audit-bundle", details | {"opened": made.opened}, made.about)
        keys = log_verifiers(at.keys, at.settings.keys.origin)
        with new_file(out) as file:
            made.write(file, keys)
        return made

    try:
        made = reading(work, config)
    except NotCommitted as wrong:
        fail(str(wrong))
    shown = {"file": str(out), "index": index, "opened": made.opened, "absent": made.absent}
    if as_json:
        show(shown)
    else:
        lines = {"opened": ", ".join(made.opened) or None}
        lines |= {f"without {name}": why for name, why in made.absent.items()}
        pairs({"file": str(out), "entry": index, **lines})


def _answer_in(file: Path) -> Answer:
    from security.audit.gathering import received

    try:
        return received(json.loads(file.read_bytes()))
    except (OSError, ValueError, RecursionError):
        fail(f"{file}: give the answer as JSON, as it was received, or its member `data`", 2)
