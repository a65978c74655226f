"""`lgsp serve`, `lgsp worker`, `lgsp reload`: the gateway's processes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

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
    from commands.desk import operator
    from config.logging import configure
    from config.settings import Settings, load
    from routes import delivering, runs
    from routes.application import make_app
    from routes.context import RELOAD
    from routes.housekeeping import beside
    from routes.instances import announced
    from routes.loopback import listens_on_loopback_only, sandbox_material
    from routes.server import serve as serve_until_told

    async def make(settings: Settings, index: int) -> web.Application:
        app = await make_app(settings, DATABASES)
        if index == 0:
            app[RELOAD] = runs.reloading(app[delivering.GATEWAY], life)
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
        configure(settings.log.level)
        with announced(settings):
            life = runs.a_run("serve", settings.server.listen, operator())
            about = {"workers": settings.server.workers, "worker_inside": worker}
            # Once for all workers, before the first answer and after the last.
            code = _apart(lambda: runs.begun(settings, life, about))
            if code == 0:
                code = 1
                try:
                    code = serve_until_told(settings, make)
                finally:
                    _apart(lambda: runs.ended(settings, life, failed=code != 0))
    raise typer.Exit(code)


def _apart(work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Do something in a process of its own, return its exit code: who forks workers has no loop, thread or metric."""
    import asyncio
    import os

    import structlog

    from config import metrics

    log = structlog.get_logger()
    pid = os.fork()
    if pid != 0:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        metrics.alone()
        with sentences():
            asyncio.run(work())
        code = 0
    except typer.Exit as told:
        code = told.exit_code
    except BaseException as error:
        log.error("run-not-recorded", exc_info=error)
    finally:
        # What is to be cleaned up is the parent's.
        os._exit(code)


def worker(config: Config = None) -> None:
    """Do what no request waits for, until SIGTERM: deliver dossiers, warn of what expires, forget what is over."""
    from adapters import DATABASES
    from commands.desk import operator
    from config.settings import load
    from routes.delivering import delivering_alone
    from routes.housekeeping import until_told
    from routes.runs import a_run, recorded

    with sentences():
        settings = load(config)

    async def work() -> None:
        async with recorded(settings, a_run("worker", "", operator())):
            await until_told(settings, delivering_alone(settings, DATABASES))

    run(work, settings.log.level)


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
