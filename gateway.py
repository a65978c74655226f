"""The command line of the gateway: every command of `lgsp`, each a few lines that call the room it is about.

Nothing heavy is imported before a command runs, so that `lgsp --help` is quick. What the gateway is built of, and the
order in which an exchange passes its stages, stands in `routes.application`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="lgsp",
    help="Data-sharing gateway between Vietnamese ministry and provincial systems (LGSP).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[Path | None, typer.Option("--config", help="Configuration file; none means defaults and LGSP_*.")]
Seed = Annotated[int, typer.Option(help="Which people there are.")]
People = Annotated[int, typer.Option(min=20, max=1_000_000, help="How many people there are.")]
Faults = Annotated[list[str] | None, typer.Option("--fault", metavar="DB:KIND", help="Start with a fault; repeatable.")]


def fail(text: str, code: int = 1) -> NoReturn:
    """End with a sentence on stderr: 1 for a finding, 2 for wrong use."""
    typer.echo(f"lgsp: {text}", err=True)
    raise typer.Exit(code)


@app.command()
def serve(
    config: Config = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; default as configured.")] = None,
) -> None:
    """Run the gateway until SIGTERM; SIGHUP reloads keys, clients and certificates."""
    from adapters import DATABASES
    from config.settings import ConfigurationError, load
    from routes.application import make_app
    from routes.loopback import listens_on_loopback_only, sandbox_material
    from routes.server import serve as run
    from security.keys import KeysUnusable

    try:
        settings = load(config)
        if workers is not None:
            server = settings.server.model_copy(update={"workers": workers})
            settings = settings.model_copy(update={"server": server})
        if not listens_on_loopback_only(settings) and (found := list(sandbox_material(settings))):
            fail("sandbox material is refused outside loopback:\n  " + "\n  ".join(found))
        code = run(settings, lambda settings, _worker: make_app(settings, DATABASES))
    except (ConfigurationError, KeysUnusable) as error:
        fail(str(error))
    raise typer.Exit(code)


@app.command()
def demo(
    state: Annotated[Path, typer.Option(help="Where everything of this demo is kept.")] = Path(".lgsp"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the gateway; 0 picks free ports.")] = 8080,
    seed: Seed = 1,
    people: People = 200,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes.")] = 1,
    check: Annotated[bool, typer.Option("--check", help="Tour every capability, then exit 0 or 1.")] = False,
    fault: Faults = None,
) -> None:
    """Run sandbox registries and a gateway in one go, without any service to start."""
    import asyncio

    from config.settings import ConfigurationError
    from sandbox.demo import DemoFailed, Options
    from sandbox.demo import demo as run
    from sandbox.registry import FaultRefused

    try:
        code = asyncio.run(run(Options(state, host, port, seed, people, workers, fault or [])))
    except FaultRefused as refused:
        fail(str(refused), 2)
    except (DemoFailed, ConfigurationError, OSError) as error:
        fail(str(error))
    raise typer.Exit(code)


def main() -> None:
    """Run the `lgsp` command line."""
    app(sys.argv[1:])


if __name__ == "__main__":
    main()
