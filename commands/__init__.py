"""The command line: every command of `lgsp`, one module a group, each command a few lines that call its room.

Nothing heavy is imported before a command runs: modules here import typer and each other, everything else stands inside
the functions. That keeps `lgsp --help` quick.
"""

import typer

from commands import (
    audit,
    callbacks,
    clients,
    contracts,
    diagnosis,
    dossiers,
    keys,
    pki,
    sandboxing,
    serving,
    signature,
    storage,
    witness,
)

app = typer.Typer(
    name="lgsp",
    help="Data-sharing gateway between Vietnamese ministry and provincial systems (LGSP).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
sandboxing.add_to(app)
serving.add_to(app)
diagnosis.add_to(app)
app.add_typer(clients.app)
callbacks.add_to(dossiers.app)
app.add_typer(dossiers.app)
app.add_typer(keys.app)
app.add_typer(pki.app)
app.add_typer(storage.app)
app.add_typer(audit.app)
witness.add_to(app)
app.add_typer(signature.app)
contracts.add_to(app)
