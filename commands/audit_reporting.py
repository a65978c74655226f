"""`lgsp audit report`: the inspector's file about one person and one period (báo cáo cho thanh tra)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.audit_files import Out
from commands.audit_options import As, instant_of, reading, subjects_in
from commands.common import AsJson, Config, fail, new_file, pairs, public_text, show

if TYPE_CHECKING:
    from security.audit.report import Reported


def report(
    out: Out,
    subject_file: Annotated[
        str,
        typer.Option("--subject-file", metavar="FILE|-", help="A file, or standard input, with the identifier alone."),
    ],
    since: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, in Vietnam.")],
    before: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, included.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the log for everybody.")],
    as_kind: As = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write who asked about a person and what they got, what proves it, and what is not proven, into a ZIP.

    The page in it is in Vietnamese; `verify_audit.py` checks the ZIP. It holds personal data: pass it on as such.
    """
    public_text(reason, "--reason")
    begin, end = instant_of(since, "--from"), instant_of(before, "--to", end=True)
    if begin is None or end is None or not begin < end:
        fail("--to is a day before --from", 2)
    subjects = subjects_in(subject_file, as_kind)

    from datetime import UTC, datetime

    from adapters import DATABASES
    from commands.desk import Desk
    from security.audit.assembly import log_verifiers
    from security.audit.entries import instant
    from security.audit.report import report_of, write_report
    from security.audit.report_page import page

    titles = {database.name: database.title.vi for database in DATABASES}

    async def work(at: Desk) -> tuple[Reported, int]:
        reader, keys = at.reader(), log_verifiers(at.keys, at.settings.keys.origin)
        reported = await report_of(at.storage, reader, keys, subjects, begin, end)
        details: dict[str, Any] = {
            "entries": [each.index for each in reported.entries],
            "filters": {"since": instant(begin), "before": instant(end)},
            "reason": reason,
        }
        entry = await at.record("reading", "audit-report", details, subjects)
        words = page(reported, by=at.by, reason=reason, made_at=datetime.now(UTC), entry=entry, databases=titles)
        with new_file(out) as file:
            await write_report(file, at.storage, reader, keys, reported, words)
        return reported, entry

    reported, entry = reading(work, config)
    shown = {
        "file": str(out),
        "entries": [each.index for each in reported.entries],
        "from": None if reported.begin is None else reported.begin.size,
        "to": reported.end.size,
        "redacted": reported.period.redacted,
        "recorded_as": entry,
    }
    if as_json:
        show(shown)
    else:
        pairs(shown | {"entries": len(reported.entries)})
