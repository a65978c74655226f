"""`lgsp demo` and `lgsp sandbox`: simulated registries, with or without a gateway before them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from commands.common import AsJson, fail, pairs, show, table

Seed = Annotated[int, typer.Option(help="Which people there are.")]
People = Annotated[int, typer.Option(min=20, max=1_000_000, help="How many people there are.")]
Faults = Annotated[list[str] | None, typer.Option("--fault", metavar="DB:KIND", help="Start with a fault; repeatable.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]

group = typer.Typer(
    name="sandbox",
    help="The simulated registries and portal alone, until Ctrl-C.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(demo)
    app.add_typer(group)


def demo(
    state: Annotated[Path, typer.Option(help="Where everything of this demo is kept.")] = Path(".lgsp"),
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the gateway; 0 picks free ports.")] = 8080,
    seed: Seed = 1,
    people: People = 200,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes.")] = 1,
    check: Annotated[bool, typer.Option("--check", help="Tour every capability, then exit 0 or 1.")] = False,
    fault: Faults = None,
) -> None:
    """Run sandbox registries and a gateway in one go, without any service to start."""
    from sandbox.state import StateTaken, held

    # First of all, before anything slow: whoever waits for demo.json must not read what a killed demo left behind.
    try:
        with held(state):
            _demo(state, host, port, seed, people, workers, check, fault or [])
    except (StateTaken, OSError) as error:
        fail(str(error))


def _demo(
    state: Path, host: str, port: int, seed: int, people: int, workers: int, check: bool, faults: list[str]
) -> NoReturn:
    import asyncio

    from config.settings import ConfigurationError
    from sandbox.demo import Options
    from sandbox.demo import demo as run
    from sandbox.gateway_process import DemoFailed
    from sandbox.registry import FaultRefused
    from security.private_files import KeyRefused
    from storage.errors import StorageError

    try:
        code = asyncio.run(run(Options(state, host, port, seed, people, workers, faults), check=check))
    except FaultRefused as refused:
        fail(str(refused), 2)
    except (DemoFailed, ConfigurationError, KeyRefused, StorageError, OSError) as error:
        fail(str(error))
    raise typer.Exit(code)


@group.callback(invoke_without_command=True)
def sandbox(
    context: typer.Context,
    state: Annotated[Path, typer.Option(help="Where keys and accounts of the registries are kept.")] = Path(".lgsp"),
    host: Host = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=65_000, help="Port of the first registry, the others follow it; 0 picks free ones."),
    ] = 9100,
    seed: Seed = 1,
    people: People = 200,
    fault: Faults = None,
    as_json: AsJson = False,
) -> None:
    """Run the simulated registries and portal alone, until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from sandbox.alone import Alone, alone
    from sandbox.portal.ledger import LedgerTaken
    from sandbox.registry import FaultRefused
    from security.private_files import KeyRefused

    try:
        asyncio.run(alone(Alone(state, host, port, seed, people, fault or [], as_json)))
    except FaultRefused as refused:
        fail(str(refused), 2)
    except (LedgerTaken, KeyRefused) as refused:
        fail(str(refused))
    except OSError as error:
        fail(f"{error}; choose another --port, or 0 for free ones")


@group.command()
def certificates(
    state: Annotated[Path, typer.Option(help="Where the sandbox keeps its keys.")] = Path(".lgsp"),
    as_json: AsJson = False,
) -> None:
    """Make certificates of every kind, good ones and bad ones, with their keys; say why each is refused."""
    from sandbox.pki import Pki
    from sandbox.specimens import SPECIMENS, Specimens
    from security.private_files import KeyRefused

    try:
        specimens = Specimens(Pki(state.resolve() / "pki").store)
        trust = {"public": str(specimens.trust("public")), "government": str(specimens.trust("government"))}
        made = [(specimen, specimens.pair(specimen)) for specimen in SPECIMENS]
    except (KeyRefused, OSError) as error:
        fail(str(error))
    rows = [
        {
            "name": one.name,
            "reason": one.reason,
            "text": one.text,
            "certificate": str(pair.certificate),
            "key": str(pair.key),
        }
        for one, pair in made
    ]
    if as_json:
        show({"trust": trust, "certificates": rows})
        return
    table(
        [[row["name"], row["reason"], row["text"], row["certificate"]] for row in rows], ("NAME", "REFUSED", "", "FILE")
    )
    typer.echo("\nrefused where these are trusted, with the same subject as good-p256:")
    pairs(trust)


@group.command()
def dump(
    seed: Seed = 1,
    people: People = 200,
    database: Annotated[str | None, typer.Option(help="Only this one.")] = None,
) -> None:
    """Print the truth as JSON lines: database, operation, request, answer."""
    import os
    import sys

    from sandbox.run import REGISTRIES
    from sandbox.truth import dump as lines
    from sandbox.world.world import World

    chosen = [registry for registry in REGISTRIES if database in (None, registry.name)]
    if not chosen:
        fail(f"there is no database {database}; there are {', '.join(registry.name for registry in REGISTRIES)}", 2)
    try:
        for line in lines(World(seed, people), chosen):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter's own flush at the end must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
