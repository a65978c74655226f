"""`lgsp openapi` and `lgsp wsdl`: the published contracts of the two faces."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from commands.common import Config, sentences, show


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(openapi)
    app.command()(wsdl)


def openapi(config: Config = None) -> None:
    """Print the OpenAPI 3.1 document, as `GET /openapi.json` serves it."""
    from adapters import DATABASES
    from config.settings import load
    from routes.frame import public_url
    from routes.openapi import document

    with sentences():
        settings = load(config)
    show(document(DATABASES, public_url(settings.server)))


def wsdl(
    database: Annotated[str, typer.Argument(help="which contract, for example population; me: what a caller may ask")],
    soap: Annotated[str, typer.Option(help="one port only: 1.1 (X-Road reads no other) or 1.2")] = "",
    config: Config = None,
) -> None:
    """Print the WSDL of a database, as `GET /soap/{database}?wsdl` serves it."""
    from adapters import DATABASES
    from config.settings import load
    from routes.frame import public_url
    from routes.soap.me import SERVICE, me_wsdl
    from routes.soap.wsdl import VERSIONS, database_wsdl

    contracts = {each.name: partial(database_wsdl, each) for each in DATABASES} | {SERVICE: me_wsdl}
    if database not in contracts:
        raise typer.BadParameter(f"there is no database {database}; known are {', '.join(contracts)}")
    versions = tuple(version for version in VERSIONS if soap in ("", version))
    if not versions:
        raise typer.BadParameter("--soap is 1.1 or 1.2")
    with sentences():
        settings = load(config)
    typer.echo(contracts[database](public_url(settings.server), versions), nl=False)
