"""`lgsp serve`, `lgsp worker`, `lgsp reload`: the gateway's processes."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.common import AsJson, Config, fail, run, sentences, show


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (serve, worker, reload):
        app.command()(command)


def serve(
    config: Config = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; default as configured.")] = None,
    worker: Annotated[bool, typer.Option(help="Do what `lgsp worker` does in here too.")] = True,
) -> None:
    """Run the gateway until SIGTERM; SIGHUP or `lgsp reload` takes new keys, clients and certificates."""
    from aiohttp import web

    from adapters import DATABASES, destinations
    from adapters.contract_check import hold_to_contracts
    from adapters.dispatch import served
    from config.settings import Settings, load
    from routes import delivering
    from routes.application import make_app
    from routes.housekeeping import beside
    from routes.instances import announced
    from routes.loopback import listens_on_loopback_only, sandbox_material
    from routes.server import serve as serve_until_told

    async def make(settings: Settings, index: int) -> web.Application:
        app = await make_app(settings, DATABASES)
        # One of the processes is enough.
        if worker and index == 0:
            app.cleanup_ctx.append(beside(settings))
            app.cleanup_ctx.append(delivering.beside)
        return app

    with sentences():
        settings = load(config)
        if workers is not None:
            server = settings.server.model_copy(update={"workers": workers})
            settings = settings.model_copy(update={"server": server})
        if not listens_on_loopback_only(settings) and (found := list(sandbox_material(settings))):
            fail("sandbox material is refused outside loopback:\n  " + "\n  ".join(found))
        hold_to_contracts(served(DATABASES, settings.endpoints, destinations(settings.endpoints)))
        with announced(settings):
            code = serve_until_told(settings, make)
    raise typer.Exit(code)


def worker(config: Config = None) -> None:
    """Do what no request waits for, until SIGTERM: deliver dossiers, warn of what expires, forget what is over."""
    from adapters import DATABASES
    from config.settings import load
    from routes.delivering import delivering_alone
    from routes.housekeeping import until_told

    with sentences():
        settings = load(config)
    run(lambda: until_told(settings, delivering_alone(settings, DATABASES)), settings.log.level)


def reload(config: Config = None, as_json: AsJson = False) -> None:
    """Tell the gateway of this configuration on this machine to take new keys, clients and certificates."""
    import os
    import signal

    from config.settings import load
    from routes.instances import present

    with sentences():
        told = list(present(load(config)))
        for pid in told:
            os.kill(pid, signal.SIGHUP)
    if as_json:
        show({"told": told})
    else:
        typer.echo(f"told {', '.join(map(str, told)) or 'nobody'}; its log says whether the new files could be used")
    if not told:
        fail("no gateway of this configuration runs on this machine: `lgsp serve` starts one")
