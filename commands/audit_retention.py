"""`lgsp audit retention`: values that are kept for longer than configured, and destroying them (thời hạn lưu giữ)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.audit_options import reading
from commands.common import AsJson, Config, fail, public_text, show, table

if TYPE_CHECKING:
    from config.settings import Settings
    from security.audit.entries import Evidence
    from security.audit.retention import Kept


def retention(
    apply: Annotated[
        bool, typer.Option("--apply", help="Make unopenable what is beyond; it cannot be undone.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="With --apply: why; it stands in the log for everybody.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show by record class how many entries open for longer than `[audit.retention]` says; with --apply redact those.

    Without --apply nothing is changed. The log keeps every entry and stays provable; personal values end. What was
    interrupted is gone on with when the command is run again.
    """
    if apply != (reason is not None):
        fail("--apply and --reason belong together: without both nothing is destroyed", 2)
    if reason is not None:
        public_text(reason, "--reason")

    from datetime import UTC, datetime

    from commands.desk import Desk, evidence
    from security.audit.assembly import open_sealer
    from security.audit.retention import Term, applied

    async def work(at: Desk) -> tuple[list[Kept], list[str], list[int]]:
        rule, sealer = at.settings.audit.retention, open_sealer(at.keys, at.settings.keys.vault)
        term = Term(rule, datetime.now(UTC), sealer)
        kept = await at.storage.read(term.kept)
        strange = await at.storage.read(term.unknown_holds)
        if unknown := sorted(rule.days.keys() - _classes(at.settings) - {each.name for each in kept if each.open}):
            fail(f"[audit.retention.days] names what is no record class: {', '.join(unknown)}", 2)
        if reason is None:
            return kept, strange, []
        if strange:
            fail(
                f"nothing was destroyed: no entry is about the dossier {strange[0]} that is on hold; "
                "mend its code in [audit.retention] hold, or take it out",
                2,
            )
        acts: list[int] = []

        def act(name: str) -> Evidence:
            return evidence("redaction", "audit-retention", at.by, {"class": name, "days": rule.of(name)})

        async for done in applied(at.storage, at.log, sealer, term, reason, act):
            acts += done.values()
        return await at.storage.read(term.kept), strange, acts

    kept, strange, acts = reading(work, config)
    if as_json:
        show({"classes": [_shown(each) for each in kept], "unknown_holds": strange, "redacted": len(acts)})
        return
    head = ("class", "days", "open", "oldest", "since", "beyond", "held")
    rows = [list({**_shown(each), "days": each.days or "forever"}.values()) for each in kept]
    table(rows, head)
    for code in strange:
        typer.echo(f"on hold, but no entry is about it: {code}")
    if acts:
        typer.echo(f"{len(acts)} entries open no more; recorded as entries {acts[0]} to {acts[-1]}")
    elif apply:
        typer.echo("nothing to do")
    elif due := sum(each.due for each in kept):
        typer.echo(f"nothing was changed; --apply --reason TEXT makes {due} entries unopenable for good")


def _shown(kept: Kept) -> dict[str, Any]:
    from schemas.periods import VIETNAM

    since = None if kept.since is None else kept.since.astimezone(VIETNAM).date().isoformat()
    counts = {"open": kept.open, "oldest": kept.oldest, "since": since, "beyond": kept.beyond, "held": kept.held}
    return {"class": kept.name, "days": kept.days, **counts}


def _classes(settings: Settings) -> set[str]:
    """Every record class that this deployment may have entries of."""
    from adapters import DATABASES, destinations
    from security.audit.retention import OTHER, READINGS

    return {"dossiers", READINGS, OTHER} | {each.name for each in (*DATABASES, *destinations(settings.endpoints))}
