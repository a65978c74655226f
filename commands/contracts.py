"""`lgsp openapi`: the published contract of the REST face."""

from __future__ import annotations

import typer

from commands.common import Config, sentences, show


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(openapi)


def openapi(config: Config = None) -> None:
    """Print the OpenAPI 3.1 document, as `GET /openapi.json` serves it."""
    from adapters import DATABASES
    from config.settings import load
    from routes.frame import public_url
    from routes.openapi import document

    with sentences():
        settings = load(config)
    show(document(DATABASES, public_url(settings.server)))
