"""`lgsp witness`: a witness for the logs of others (nhân chứng); it needs no gateway, no database, no service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import Config, fail, run, sentences


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(witness)


def witness(
    state: Annotated[Path, typer.Option(file_okay=False, help="Where its key and what it cosigned are kept.")],
    log: Annotated[
        list[str] | None,
        typer.Option(metavar="VKEY|FILE", help="Key of a log, or a file of keys; several of one log are generations."),
    ] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 picks a free one.")] = "127.0.0.1:8390",
    name: Annotated[
        str | None, typer.Option(help="Its name in cosignatures, for ever; default: that of this machine.")
    ] = None,
    config: Config = None,
) -> None:
    """Cosign checkpoints, each only if it continues the one before (C2SP tlog-witness), until SIGTERM.

    Files of keys, and the keys of --config, are read again when they change, and on SIGHUP.
    """
    import socket
    import sqlite3

    from config.settings import load
    from routes.listening import bind
    from routes.witness import serve
    from security.audit.known_logs import KnownLogs, given, of_gateway
    from security.audit.witness import open_witness
    from security.private_files import KeyRefused

    with sentences():
        sources = [given(text) for text in log or []]
        if config is not None:
            keys = load(config).keys
            sources.append(of_gateway(keys.directory, keys.origin))
        if not sources:
            fail("which log? name its key with --log, or --config on the machine of the gateway", 2)
        try:
            known = KnownLogs(sources)
            opened = open_witness(state, known, name, f"{socket.gethostname()}/witness")
        except (ValueError, KeyRefused) as refused:
            fail(str(refused), 2)
        except sqlite3.Error as failure:
            fail(f"{state}: what was cosigned cannot be read: {failure}")
        listening = bind(listen)
    host, port = listening.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    # Only for whoever starts it; the log goes on standard error.
    typer.echo(opened.key.encode())
    typer.echo(f"http://{host}:{port}")
    try:
        run(lambda: serve(opened, listening, known.reload), "info")
    finally:
        listening.close()
        opened.close()
