"""`lgsp dossiers reconcile`: have the dossiers of a day compared with the portal, as the operator (đối soát).

The same as `POST /v1/reconciliations`, for one agency or for each that had an event on that day. The work is done by
the processes that deliver. Exit code 0: begun, or with `--wait` nothing differs; 1: something differs, or it could not
be compared; 2: wrong use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.common import AsJson, Config, fail, run, show, table

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from commands.desk import Desk
    from sync.reconciliations import Reconciliation

_PATIENCE_S = 60.0
"""How long nobody may be at work before the command stops waiting."""
_LOOK_S = 0.2

Day = Annotated[str, typer.Option("--day", metavar="YYYY-MM-DD", help="A day in Vietnam.")]
Agency = Annotated[str | None, typer.Option("--agency", help="Its dossiers; without it, those of every agency.")]
Repair = Annotated[bool, typer.Option("--repair", help="Send again what the portal lost, where that is allowed.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end and say what was found.")]


def reconcile(
    day: Day,
    agency: Agency = None,
    repair: Repair = False,
    wait: Wait = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Have the dossiers of a day compared with the portal; what differs is listed by the API and with --wait."""
    _do(day, agency, config, repair=repair, wait=wait, as_json=as_json)


def _do(day: str, agency: str | None, config: Path | None, *, repair: bool, wait: bool, as_json: bool) -> None:
    from datetime import date, datetime

    from commands.desk import desk
    from sync.figures import VIETNAM

    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        wanted = date.max
    if wanted > datetime.now(VIETNAM).date() or wanted.isoformat() != day:
        fail("--day is a day that has come, written YYYY-MM-DD", 2)

    async def work() -> tuple[list[dict[str, Any]], bool]:
        async with desk(config) as at:
            begun = [await _begun(at, name, wanted, repair=repair) for name in await _agencies(at, agency, wanted)]
            over = await _over(at, begun) if wait else True
            return [await _shown(at, one, findings=wait) for one in begun], over

    told, over = run(work)
    if as_json:
        show({"reconciliations": told})
    else:
        names = ("id", "agency", "day", "state")
        counts = ("dossiers", "checked", "findings", "queued_again", "not_repairable")
        table(
            ([one[name] for name in names] + [one["counts"][name] for name in counts] for one in told), names + counts
        )
        listed = [each for one in told for each in one.get("items", ())]
        if listed:
            columns = ("kind", "code", "delivery", "expected", "found", "repair")
            table(([each[name] for name in columns] for each in listed), columns)
    if not over:
        fail("nobody is at work on it: does `lgsp serve` or `lgsp worker` run with a portal configured?")
    if wait and any(one["state"] != "done" or one["counts"]["findings"] for one in told):
        raise typer.Exit(1)


async def _agencies(at: Desk, agency: str | None, day: date) -> list[str]:
    from sync.reconciled_days import agencies_of

    return [agency] if agency is not None else await at.storage.read(lambda connection: agencies_of(connection, day))


async def _begun(at: Desk, agency: str, day: date, *, repair: bool) -> Reconciliation:
    import time

    from schemas.ids import new_id
    from sync import reconciliations as rows
    from sync.reconciliation_acts import begin

    now = time.time_ns() // 1_000_000
    new = rows.new(new_id(), agency, day.isoformat(), now, repair=repair, asked_by=at.by)
    try:
        return await begin(at.log, new)
    except rows.Running as running:
        if bool(running.reconciliation.repair) != repair:
            fail(f"{running} for {agency} with the other choice of --repair")
        return running.reconciliation


async def _over(at: Desk, begun: list[Reconciliation]) -> bool:
    """Wait until all are over; False where nobody has been at work for too long."""
    import asyncio
    import time

    from sync import reconciliations as rows

    def look(connection: Connection) -> list[Reconciliation | None]:
        return [rows.find(connection, one.id, None) for one in begun]

    seen: list[Reconciliation | None] = []
    moved = time.monotonic()
    while time.monotonic() - moved < _PATIENCE_S:
        before, seen = seen, await at.storage.read(look)
        if all(one is None or one.state != "running" for one in seen):
            return True
        if seen != before:
            moved = time.monotonic()
        await asyncio.sleep(_LOOK_S)
    return False


async def _shown(at: Desk, begun: Reconciliation, *, findings: bool) -> dict[str, Any]:
    from routes.dossiers.reconciling import finding, shown
    from sync import reconciliations as rows

    def look(connection: Connection) -> dict[str, Any]:
        one = rows.find(connection, begun.id, None) or begun
        told = shown(connection, one)
        if findings:
            found = rows.findings(connection, one.position, None, 0, max(one.findings, 1))
            told["items"] = [finding(each) for each in found]
        return told

    return await at.storage.read(look)
