"""`lgsp audit redact`: make entries unopenable for good (xóa phần mở của bản ghi); the log stays whole and provable."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from commands.audit_options import LAST, reading
from commands.common import AsJson, Config, fail, public_text, show


def redact(
    indexes: Annotated[list[int], typer.Argument(metavar="INDEX...", min=0, max=LAST, help="Numbers of entries.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the log for everybody.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Destroy what opens these entries, as the law or a court demands; it cannot be undone, not from backups either.

    Either all of them can be redacted, or nothing is done.
    """
    public_text(reason, "--reason")
    wanted = sorted(set(indexes))

    from commands.desk import Desk, evidence
    from security.audit.assembly import open_sealer
    from security.audit.redaction import redact as redacted
    from security.audit.redaction import unredactable

    async def work(at: Desk) -> list[dict[str, Any]]:
        sealer = open_sealer(at.keys, at.settings.keys.vault)
        if refused := await unredactable(at.storage, wanted):
            fail(f"nothing was redacted: {', '.join(map(str, refused))} have no opening, or were redacted before")
        done = []
        for index in wanted:
            about = evidence("redaction", "audit-redact", at.by, {})
            receipt = await redacted(at.storage, at.log, sealer, index, reason=reason, evidence=about)
            done.append({"index": index, "recorded_as": receipt.index})
        return done

    done = reading(work, config)
    if as_json:
        show(done)
        return
    for each in done:
        typer.echo(f"entry {each['index']}: opens no more; recorded as entry {each['recorded_as']}")
