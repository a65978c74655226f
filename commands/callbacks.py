"""`lgsp dossiers inbox`, `lgsp dossiers callbacks`: what comes from the portal, who is told (hồ sơ nộp tại Cổng)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.common import AsJson, Config, fail, run, show, table
from commands.dossiers import at_desk

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from commands.desk import Desk
    from config.inbox import Webhook

_MOST = 100
_COLUMNS = ("client_id", "state", "since", "failures", "next_try", "delivered_at", "waiting", "oldest", "expired",
            "last_outcome")  # fmt: skip
_TIMES = ("since", "next_try", "delivered_at", "oldest")

Enable = Annotated[str | None, typer.Option("--enable", metavar="CLIENT", help="Call it back again, at once.")]
Disable = Annotated[
    str | None, typer.Option("--disable", metavar="CLIENT", help="Call it back no more, until enabled.")
]
Test = Annotated[str | None, typer.Option("--test", metavar="CLIENT", help="Send it a test now and say what it says.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group `lgsp dossiers`."""
    app.command()(inbox)
    app.command()(callbacks)


def inbox(config: Config = None, as_json: AsJson = False) -> None:
    """Count the dossiers filed at the portal by state, and list those that could not be read."""
    from routes.dossiers.views import shown_time
    from sync.inbox import counts, portals, unreadable

    def look(connection: Connection) -> dict[str, Any]:
        return {
            "portals": [
                {**one, "read_at": shown_time(one["read_at"]), "due_at": shown_time(one["due_at"])}
                for one in portals(connection)
            ],
            "counts": counts(connection),
            "unreadable": [
                {**one, "received_at": shown_time(one["received_at"])} for one in unreadable(connection, _MOST)
            ],
        }

    found = at_desk(lambda at: at.storage.read(look), config)
    if as_json:
        show(found)
        return
    names = ("name", "read_at", "due_at", "failures", "trouble")
    table(([one[name] for name in names] for one in found["portals"]), names)
    table(found["counts"].items(), ("state", "dossiers"))
    if found["unreadable"]:
        names = ("event_id", "portal", "code", "received_at", "reason")
        table(([one[name] for name in names] for one in found["unreadable"]), names)


def callbacks(
    enable: Enable = None,
    disable: Disable = None,
    test: Test = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show how each receiver of call-backs is; enable or disable one, or send it a test."""
    if sum(one is not None for one in (enable, disable, test)) > 1:
        fail("only one of --enable, --disable and --test at a time", 2)
    if test is not None:
        _test(test, config, as_json)
        return
    if enable is not None or disable is not None:
        _switch(enable or disable or "", config, on=enable is not None)
    _show(config, as_json)


def _show(config: Path | None, as_json: bool) -> None:
    import time
    from dataclasses import asdict

    from routes.dossiers.views import shown_time
    from sync.callbacks import receivers

    async def work(at: Desk) -> list[dict[str, Any]]:
        now = time.time_ns() // 1_000_000
        found = await at.storage.read(lambda connection: receivers(connection, now))
        return [asdict(one) for one in found]

    found = [one | {name: shown_time(one[name]) for name in _TIMES} for one in at_desk(work, config)]
    if as_json:
        show({"receivers": found})
    else:
        table(([one[name] for name in _COLUMNS] for one in found), _COLUMNS)


def _switch(client: str, config: Path | None, *, on: bool) -> None:
    import time

    from sync.callbacks import receivers, switch

    async def work(at: Desk) -> bool:
        now = time.time_ns() // 1_000_000
        known = {one.client_id for one in await at.storage.read(lambda connection: receivers(connection, now))}
        if client not in known:
            return False

        def write(connection: Connection, _index: int) -> None:
            switch(connection, client, now, on=on)

        await at.make_with(f"callbacks-{'enabled' if on else 'disabled'}", {"client": client}, write)
        return True

    if not at_desk(work, config):
        fail(f"nobody is called back as {client}: `lgsp dossiers callbacks` shows who is", 2)


def _test(client: str, config: Path | None, as_json: bool) -> None:
    from config.settings import load

    def webhook() -> Webhook:
        found = load(config).webhooks.get(client)
        if found is None:
            fail(f"there is no [webhooks.{client}] in the configuration", 2)
        return found

    async def work() -> str:
        from sync.callback_sender import tested

        return await tested(client, webhook())

    outcome = run(work)
    ok = outcome.startswith("2")
    if as_json:
        show({"client": client, "outcome": outcome, "taken": ok})
    else:
        typer.echo(f"{client}: {outcome}, {'taken' if ok else 'not taken'}")
    if not ok:
        raise typer.Exit(1)
