"""`lgsp storage`: the database's schema, copies, backups (cơ sở dữ liệu của trục)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import AsJson, Config, fail, group, pairs, run, show

app = group("storage", "The database: schema, copy, backup, restore.")


@app.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Say what the database is and whether `serve` would start with it; 1 where it would not."""
    from commands.moving import look

    found = run(lambda: look(config))
    shown = {
        "url": found.url,
        "reachable": found.reachable,
        "schema": found.state.version if found.state else None,
        "pending": list(found.state.pending) if found.state else [],
        "missing_tables": list(found.state.missing) if found.state else [],
        "moved_to": found.state.moved_to if found.state else None,
        "bytes": found.size,
        "refusal": found.refusal,
    }
    if as_json:
        show(shown)
    else:
        pairs({name: ", ".join(value) or None if isinstance(value, list) else value for name, value in shown.items()})
    if found.refusal is not None:
        raise typer.Exit(1)


@app.command()
def upgrade(
    new_log: Annotated[
        bool, typer.Option("--new-log", help="Begin another log where the database of the one before is lost.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create the database or bring it to the schema of this release; a lost one is not made anew unless told."""
    from commands.moving import upgraded

    taken = run(lambda: upgraded(config, new_log=new_log))
    if as_json:
        show({"steps": list(taken)})
    else:
        typer.echo("\n".join(taken) or "nothing to do")


@app.command()
def copy(
    to: Annotated[
        str, typer.Option(metavar="URL", help="An empty database; env:NAME or file:PATH hides a password from others.")
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Move everything into another database, prove equal counts and roots, retire this one."""
    from commands.moving import copied_to

    target = _url(to)
    copied = run(lambda: copied_to(config, target))
    if as_json:
        show({"rows": copied.rows, **_proven(copied.root)})
        return
    pairs({**copied.rows, **_proven(copied.root)})
    typer.echo("Entries and root of the log are the same on both sides.")
    typer.echo("Set storage.url to the new database: this one refuses to start. Keys and vault stay where they are.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write a consistent copy while the gateway runs; keys and vault are not in it."""
    from commands.moving import backed_up

    if file.exists():
        fail(f"{file} exists, and a backup never overwrites: name another file", 2)
    made = run(lambda: backed_up(config, file))
    shown = {"file": str(made.path), "bytes": made.size, **_proven(made.root)}
    if as_json:
        show(shown)
    else:
        pairs(shown)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `lgsp storage backup` wrote.")],
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="The newest checkpoint known elsewhere; repeatable.")
    ] = None,
    even_if_older: Annotated[
        bool, typer.Option("--even-if-older", help="Accept that what was recorded after the backup is lost.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Replace the database by a backup that holds everything known; a rollback is refused unless told."""
    from commands.restoring import restored

    if not file.exists():
        fail(f"{file}: no such file", 2)
    outcome = run(lambda: restored(config, file, checkpoint or [], even_if_older=even_if_older))
    if as_json:
        show({"rows": outcome.copied.rows, **_proven(outcome.root), "recorded_as": outcome.entry})
        return
    pairs({**outcome.copied.rows, **_proven(outcome.root), "recorded as": outcome.entry})
    typer.echo("Start every gateway on this database again: a running one remembers clients as they were.")


def _proven(root: bytes) -> dict[str, object]:
    """Split what `security.audit.continuity.root` gives: how many entries, and the root that `audit verify` shows."""
    return {"entries": int.from_bytes(root[:8], "big"), "root": root[8:].hex()}


def _url(text: str) -> str:
    """Read a database address, `env:` and `file:` as in the configuration; what is none is wrong use."""
    from pydantic import TypeAdapter, ValidationError
    from sqlalchemy.exc import ArgumentError

    from config.settings import Secret
    from storage.engine import parsed

    try:
        url: str = TypeAdapter(Secret).validate_python(text).get_secret_value()
        parsed(url)
    except ValidationError as wrong:
        fail(f"--to: {wrong.errors(include_input=False)[0]['msg']}", 2)
    except (ArgumentError, ValueError):
        fail("--to: write sqlite:///path/to/file or postgresql+asyncpg://user@host/name", 2)
    return url
