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


def openapi(
    version: Annotated[str, typer.Option(help="3.1, or 3.0 for importers that read no newer one")] = "3.1",
    config: Config = None,
) -> None:
    """Print the OpenAPI document, as `GET /openapi.json` serves it."""
    from adapters import DATABASES
    from config.settings import load
    from routes.frame import public_url
    from routes.openapi import document
    from routes.openapi_older import older
    from routes.openapi_paths import OPENAPI_VERSIONS

    if version not in OPENAPI_VERSIONS:
        raise typer.BadParameter(f"--version is {' or '.join(OPENAPI_VERSIONS)}")
    with sentences():
        settings = load(config)
    whole = document(DATABASES, public_url(settings.server))
    show(whole if version == "3.1" else older(whole))


def wsdl(
    database: Annotated[
        str,
        typer.Argument(
            help="which contract, for example population; me: what a caller may ask; dossiers: what is pushed"
        ),
    ],
    soap: Annotated[str, typer.Option(help="one port only: 1.1 (X-Road reads no other) or 1.2")] = "",
    config: Config = None,
) -> None:
    """Print the WSDL of a database or of a service of the gateway's own, as `GET /soap/{database}?wsdl` serves it."""
    from adapters import DATABASES
    from config.settings import load
    from routes.frame import public_url
    from routes.soap import dossiers_contract, me
    from routes.soap.wsdl import VERSIONS, database_wsdl

    contracts = {each.name: partial(database_wsdl, each) for each in DATABASES} | {
        dossiers_contract.SERVICE: dossiers_contract.dossiers_wsdl,
        me.SERVICE: me.me_wsdl,
    }
    if database not in contracts:
        raise typer.BadParameter(f"there is no database {database}; known are {', '.join(contracts)}")
    versions = tuple(version for version in VERSIONS if soap in ("", version))
    if not versions:
        raise typer.BadParameter("--soap is 1.1 or 1.2")
    with sentences():
        settings = load(config)
    typer.echo(contracts[database](public_url(settings.server), versions), nl=False)
