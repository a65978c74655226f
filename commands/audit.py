"""`lgsp audit`: what the operator sees of the trail (nhật ký chứng cứ)."""

from __future__ import annotations

from collections.abc import Coroutine
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from commands.audit_archive import archive as archive_entries
from commands.audit_files import bundle, export
from commands.audit_options import LAST, told
from commands.audit_reading import checkpoint, prove, search
from commands.audit_redaction import redact
from commands.audit_reporting import report
from commands.audit_retention import retention
from commands.common import AsJson, Config, fail, group, new_file, pairs, run, show

if TYPE_CHECKING:
    from commands.against import Beside, Silent
    from security.audit.findings import Findings

T = TypeVar("T")

_DAMAGED: Final = "the file of the database is damaged"

app = group("audit", "The audit trail: verify the log, read entries, hand out what proves them.")
for command in (search, prove, checkpoint, export, bundle, report, redact, retention):
    app.command()(command)
app.command("archive")(archive_entries)

_COMMANDS = Path(str(resources.files("commands")))
# The wheel holds a copy of the tool.
_TOOLS = (_COMMANDS / "static" / "verify_audit.py", _COMMANDS.parent / "tools" / "verify_audit.py")


@app.command()
def verify(
    values: Annotated[
        bool, typer.Option("--values", help="Open every entry too, and recompute each commitment to a known value.")
    ] = False,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="WITNESS", help="Compare with what it holds: name, address, directory, file of notes."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", exists=True, file_okay=False, metavar="DIR", help="Verify archived entries there."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Verify every entry, tile and checkpoint, and that nothing is missing; 1 names the first bad entry.

    A witness that does not answer is named, the others are compared, and it ends with 1 though the log holds.
    """
    from functools import partial

    from commands.against import Silent, compared, incomplete, read_holdings
    from commands.whose import is_of_others
    from config.settings import load
    from security.audit.archive_check import in_files
    from security.audit.assembly import log_verifiers, open_sealer
    from security.audit.verification import verify as verified
    from security.keys import KeyRing
    from sync.database import open_storage
    from sync.holdings import witness_keys

    witnesses = against or []

    async def work() -> tuple[Findings, list[Beside | Silent], str]:
        settings = load(config)
        keys = KeyRing(settings.keys.directory, ("log", "period") if values else ("log",))
        logs = log_verifiers(keys, settings.keys.origin)
        storage = await open_storage(settings.storage.url, vault=settings.keys.vault)
        try:
            held = await _unless_damaged(read_holdings(settings, storage, logs, witnesses))
            sealer = open_sealer(keys, settings.keys.vault) if values else None
            found = await verified(storage, [*logs, *witness_keys(settings)], sealer)
            if archive is not None:
                await _unless_damaged(in_files(storage, archive, logs, found, sealer), found)
            beside = held if held is None else await _unless_damaged(compared(storage, held, found), found)
            told: list[Beside | Silent] = [Silent(each, _DAMAGED) for each in witnesses] if beside is None else beside
            whose = ""
            if not found.valid and await _unless_damaged(storage.read(partial(is_of_others, keys=logs)), found):
                whose = f"no checkpoint is signed by a log key of {settings.keys.origin} in {keys.directory}"
            return found, told, whose
        finally:
            await storage.close()

    found, beside, foreign = run(work)
    _tell(found, beside, values=values, as_json=as_json, short=bool(foreign))
    if foreign:
        fail(
            f"{foreign}: this is another log, or keys.directory, keys.origin or storage.url is wrong; if they are "
            "right, keep it as it is, compare it with a backup"
        )
    if not found.valid:
        fail(f"the log does not hold from entry {found.first_bad} on; keep it as it is, compare it with a backup")
    if missing := incomplete(beside):
        fail(missing)


async def _unless_damaged(work: Coroutine[Any, Any, T], found: Findings | None = None) -> T | None:
    """Do what reads the database; None where its file is damaged, which verification finds, or has `found`, as well.

    It must not hide what else there is to tell.
    """
    from security.audit.stored_twice import is_damage
    from storage.errors import StorageUnavailable

    try:
        return await work
    except StorageUnavailable as failure:
        if not is_damage(failure) or (found is not None and found.valid):
            raise
        return None


def _tell(found: Findings, beside: list[Beside | Silent], *, values: bool, as_json: bool, short: bool) -> None:
    shown: dict[str, Any] = {
        "valid": found.valid,
        "entries": found.entries,
        "checkpoints": found.checkpoints,
        "root": found.root.hex(),
        "first_bad": found.first_bad,
    }
    if values:
        shown |= {"opened": found.opened, "openings": found.openings, "recomputed": found.recomputed}
    if found.archived:
        shown |= {"archived": found.archived, "verified_in_archives": found.in_files}
    if as_json:
        shown |= {"against": [each.shown() for each in beside]} if beside else {}
        findings = [{"first": item.first, "last": item.last, "what": item.what} for item in found.found]
        show({**shown, "findings": findings, "more": found.more})
        return
    pairs({**shown, "valid": "yes" if found.valid else "no"})
    for each in beside:
        told = each.shown()
        unusable = told.pop("unusable", ())
        pairs(told)
        for what in unusable:
            typer.echo(f"cannot be used: {what}")
    # Of a log of others each checkpoint says the same.
    listed = found.found[:1] if short else found.found
    for item in listed:
        where = str(item.first) if item.first == item.last else f"{item.first} to {item.last}"
        typer.echo(f"entry {where}: {item.what}")
    if more := found.more + len(found.found) - len(listed):
        typer.echo(f"and {more} more")
    if found.openings > found.opened:
        typer.echo(
            f"{found.openings - found.opened} of {found.openings} openings were not opened: of archived entries "
            "--archive DIR opens them, of periods whose key was destroyed nothing does"
        )
    if found.archived > found.in_files:
        typer.echo("of archived entries hashes were verified; --archive DIR verifies the entries in their files")


@app.command("show")
def show_entries(
    index: Annotated[int | None, typer.Argument(min=0, max=LAST, help="Number of an entry.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Entries of this request.")] = None,
    last: Annotated[int | None, typer.Option(min=1, max=500, help="So many entries from the end.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show entries as they were recorded; that they were read is recorded too."""
    from commands.desk import desk
    from security.audit.reading import Filter, NoEntry, Recorded

    if sum(choice is not None for choice in (index, request_id, last)) != 1:
        fail("name one of INDEX, --request-id or --last", 2)

    async def work() -> list[Recorded]:
        async with desk(config) as at:
            reader = at.reader()
            if index is not None:
                found = [await reader.show(index)]
            elif last is not None:
                found = await reader.entries(Filter(), after=await reader.size() - last - 1, limit=last)
            else:
                found = await reader.entries(Filter(request_id=request_id), limit=500)
            if found:
                # Before anything is shown: a reading that could not be recorded did not take place.
                await at.record("reading", "audit-show", {"entries": [item.index for item in found]})
            return found

    try:
        found = run(work)
    except NoEntry as none:
        fail(str(none))
    if not found:
        fail("no entry of this request is in the log")
    shown = [item.shown() for item in found]
    if as_json:
        show(shown)
    else:
        told(shown)


@app.command()
def verifier(
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Where to; a file there is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write out `verify_audit.py`, with which outsiders verify evidence: one file, Python's standard library alone."""
    content = next(tool for tool in _TOOLS if tool.exists()).read_bytes()
    if out is None:
        typer.echo(content, nl=False)
        return
    with new_file(out, mode=0o666) as file:
        file.write(content)
    digest = sha256(content).hexdigest()
    if as_json:
        show({"file": str(out), "sha256": digest})
    else:
        typer.echo(f"{out}: SHA-256 {digest}")
