"""The routes of the developers' material, which is made when it is first asked for (công bố tài liệu lập trình)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final

from aiohttp import web

from routes.developers.dossiers import dossiers_page
from routes.developers.example import Example, examples_of
from routes.developers.html import HEADERS
from routes.developers.importable import postman, soapui
from routes.developers.pages import READING, database_page, index_page
from routes.developers.signing import SIGNING
from routes.openapi import sandbox_examples
from schemas.exchange import Database

_CACHED: Final = {"Cache-Control": "public, max-age=300"}
_ROUTES: Final = Path(str(resources.files("routes")))
# The wheel holds a copy of `docs/clients` beside the other files that are served.
_FOLDERS: Final = (_ROUTES / "static", _ROUTES.parent / "docs")


def add_developers(router: web.UrlDispatcher, databases: Iterable[Database], base: str) -> None:
    """Add pages, importable files, and the plug-in that signs; `base` is the gateway's public address."""
    databases = tuple(databases)
    _add(router, "/docs/soap", partial(index_page, databases, base), HEADERS)
    for client in (SIGNING, READING):
        _add(
            router,
            f"/docs/{client}",
            partial(_file, client),
            {"Content-Type": "text/x-python; charset=utf-8", **_CACHED},
        )
    _add(router, "/docs/soap/dossiers", partial(dossiers_page, base), HEADERS)
    for database in databases:
        examples = _examples(database, base)
        for path, make, headers in (
            (f"soap/{database.name}", database_page, HEADERS),
            (f"postman/{database.name}.json", postman, {"Content-Type": "application/json", **_CACHED}),
            (f"soapui/{database.name}.xml", soapui, {"Content-Type": "text/xml; charset=utf-8", **_CACHED}),
        ):
            _add(router, f"/docs/{path}", _over(make, examples), headers)


def _over(
    make: Callable[[tuple[Example, ...]], bytes], examples: Callable[[], tuple[Example, ...]]
) -> Callable[[], bytes]:
    return lambda: make(examples())


def _examples(database: Database, base: str) -> Callable[[], tuple[Example, ...]]:
    return lambda: examples_of(database, base, sandbox_examples())


def _file(name: str) -> bytes:
    return next(folder / name for folder in _FOLDERS if (folder / name).exists()).read_bytes()


def _add(router: web.UrlDispatcher, path: str, make: Callable[[], bytes], headers: Mapping[str, str]) -> None:
    made: list[bytes] = []

    async def show(_request: web.Request) -> web.Response:
        if not made:
            made.append(await asyncio.to_thread(make))
        return web.Response(body=made[0], headers=headers)

    router.add_get(path, show)
