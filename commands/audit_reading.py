"""`lgsp audit search / prove / checkpoint`: what the log holds about whom, and what proves that (tra cứu nhật ký)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from commands.audit_options import (
    LAST,
    As,
    Before,
    Index,
    Since,
    SubjectFile,
    all_of,
    instant_of,
    reading,
    subjects_in,
    told,
)
from commands.common import AsJson, Config, fail, run, show

_MOST = 10_000


def search(
    subject_file: SubjectFile = None,
    as_kind: As = None,
    since: Since = None,
    before: Before = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Entries of this kind: exchange, refusal, …")] = None,
    client: Annotated[str | None, typer.Option("--client", help="Of this caller.")] = None,
    database: Annotated[str | None, typer.Option("--database", help="About this database.")] = None,
    operation: Annotated[str | None, typer.Option("--operation", help="Of this operation.")] = None,
    purpose: Annotated[str | None, typer.Option("--purpose", help="For this purpose.")] = None,
    dossier: Annotated[str | None, typer.Option("--dossier", help="For this dossier.")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="That ended so: ok, no-record, refused, …")] = None,
    request_id: Annotated[str | None, typer.Option("--request-id", help="Of this request.")] = None,
    after: Annotated[
        int, typer.Option("--after", min=-1, max=LAST, help="Only behind this entry: the last of a page.")
    ] = -1,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="At most so many.")] = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Find entries, also by whom they asked about or told of; that they were searched for is recorded first.

    Nothing is found in redacted entries and destroyed periods.
    """
    filters = {
        "kind": kind,
        "client": client,
        "database": database,
        "operation": operation,
        "purpose": purpose,
        "dossier": dossier,
        "outcome": outcome,
        "request_id": request_id,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    from config.personal import could_name_a_person

    if any(could_name_a_person(given[name]) for name in given if name not in ("dossier", "request_id")):
        fail("a filter holds a number that could identify a person: give that in --subject-file", 2)
    from routes.audit.listing import wrong_with

    for name, value in given.items():
        if (wrong := wrong_with(name, value)) is not None:
            fail(f"--{name.replace('_', '-')}: {wrong.en}", 2)
    begin, end = instant_of(since, "--from"), instant_of(before, "--to", end=True)
    asked = [] if subject_file is None else subjects_in(subject_file, as_kind)
    if not asked and as_kind is not None:
        fail("--as says what --subject-file holds: give both", 2)

    from commands.desk import Desk
    from security.audit.entries import instant
    from security.audit.reading import Filter, Recorded

    chosen = Filter(since=begin, before=end, **given)

    async def work(at: Desk) -> list[Recorded]:
        reader = at.reader()
        found = await all_of(reader, asked, chosen, limit, after=after)
        period = {name: instant(at) for name, at in (("since", begin), ("before", end)) if at is not None}
        details: dict[str, Any] = {"entries": [item.index for item in found], "filters": {**given, **period}}
        await at.record("reading", "audit-search", details, asked)
        return found

    shown = [item.shown() for item in reading(work, config)]
    if as_json:
        show(shown)
    elif shown:
        told(shown)
        if len(shown) == limit:
            typer.echo(f"there may be more: add --after {shown[-1]['index']}")
    else:
        typer.echo("no entry")


def prove(
    index: Index,
    size: Annotated[
        int | None, typer.Option("--size", min=1, max=LAST, help="Towards the checkpoint of so many entries.")
    ] = None,
    receipt: Annotated[
        bool, typer.Option("--receipt", help="As a full receipt, with the entry, and the salt of its data if kept.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print the proof that an entry stands in the log; `verify_audit.py` checks it."""
    from commands.desk import Desk
    from security.audit.bundle import proof_json
    from security.audit.reading import NoEntry
    from security.audit.receipt import Receipt

    async def work(at: Desk) -> dict[str, Any]:
        reader = at.reader()
        proof, salt = await reader.prove(index, size), None
        if receipt:
            body = (await reader.show(index)).body
            try:
                salt = (await reader.open(index)).salts.get("data")
            except NoEntry:
                salt = None
        await at.record("reading", "audit-prove", {"entries": [index], "receipt": receipt})
        if not receipt:
            return proof_json(proof)
        whole = Receipt(at.log.origin, index, proof.leaf, salt, proof.checkpoint, proof.size, body)
        return whole.as_json(proof.path)

    show(reading(work, config))


def checkpoint(
    size: Annotated[
        int | None, typer.Option("--size", min=1, max=LAST, help="The first of at least so many entries.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print the newest signed checkpoint. It is public: keep it where nobody here can change it."""
    from config.settings import load
    from security.audit.assembly import log_verifiers
    from security.audit.checkpoint import opened
    from security.audit.reading import AuditReader, NoEntry
    from security.keys import KeyRing
    from sync.database import open_storage

    async def work() -> tuple[str, tuple[Any, ...]]:
        settings = load(config)
        storage = await open_storage(settings.storage.url, vault=settings.keys.vault)
        try:
            reader = AuditReader(storage)
            note = await reader.checkpoint() if size is None else await reader.checkpoint_over(size)
            if note is None:
                raise NoEntry("the log has no entries yet, and so no checkpoint")
            return note, log_verifiers(KeyRing(settings.keys.directory), settings.keys.origin)
        finally:
            await storage.close()

    try:
        note, keys = run(work)
        held = opened(note, keys)
    except (NoEntry, ValueError) as failure:
        fail(f"{failure}; see `lgsp audit verify`")
    if as_json:
        show({"origin": held.origin, "size": held.size, "root": held.root.hex(), "checkpoint": note})
    else:
        typer.echo(note, nl=False)
