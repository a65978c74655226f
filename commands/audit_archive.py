"""`lgsp audit archive`: move old entries out of the database into files that verify by themselves (lưu trữ nhật ký)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.audit_options import instant_of, reading
from commands.common import AsJson, Config, fail, show


def archive(
    before: Annotated[
        str, typer.Option("--before", metavar="DAY", help="Entries of earlier days in Vietnam, or before a time.")
    ],
    out: Annotated[
        Path, typer.Option("--out", exists=True, file_okay=False, metavar="DIR", help="Where the archives are kept.")
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Move entries into exports that follow each other; proofs, searches and redactions go on without them.

    Keep the files as long as the law wants the records: the database has the entries no more.
    """
    from datetime import UTC, datetime, timedelta

    from commands.desk import Desk, evidence
    from security.audit.archive import ArchiveRefused, due
    from security.audit.archive import archive as archived
    from security.audit.archived import Part
    from security.audit.assembly import log_verifiers

    end = instant_of(before, "--before")

    async def work(at: Desk) -> list[Part]:
        newest = datetime.now(UTC) - timedelta(days=at.settings.audit.keep_days)
        if end is None or end > newest:
            fail(
                f"--before is later than {newest:%Y-%m-%d}: audit.keep_days keeps entries in the database "
                f"for {at.settings.audit.keep_days} days",
                2,
            )
        keys, done = log_verifiers(at.keys, at.settings.keys.origin), []
        while (span := await due(at.storage, end)) is not None:
            about = evidence("admin", "audit-archive", at.by, {"before": before})
            done.append(await archived(at.storage, at.log, keys, out, span, about))
        return done

    try:
        done = reading(work, config)
    except ArchiveRefused as refused:
        fail(str(refused))
    if as_json:
        show(
            [
                {
                    "file": str(out / part.file),
                    "sha256": part.sha256,
                    "first": part.first,
                    "last": part.last - 1,
                    "recorded_as": part.act,
                }
                for part in done
            ]
        )
        return
    for part in done:
        typer.echo(f"{out / part.file}: entries {part.first} to {part.last - 1}; recorded as entry {part.act}")
        typer.echo(f"  SHA-256 {part.sha256}")
    if not done:
        typer.echo("nothing to move: no checkpoint covers further entries of that time")
