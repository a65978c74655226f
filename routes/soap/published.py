"""`GET /soap/{database}?wsdl`: the contracts, for whoever asks (công bố hợp đồng dịch vụ)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from aiohttp import web

from routes.soap.names import check_names
from routes.soap.wsdl import VERSIONS, Version, database_wsdl
from schemas.errors import Flaw, Invalid, NotFound, Text
from schemas.exchange import Database

_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Cache-Control": "public, max-age=300"}
_ASK = Text(
    "Hợp đồng WSDL ở địa chỉ này với ?wsdl; lời gọi SOAP được gửi bằng POST",
    "The WSDL is at this address with ?wsdl; SOAP messages are sent with POST",
)
_BAD_VERSION = Text("chỉ nhận 1.1 hoặc 1.2", "must be 1.1 or 1.2")

Make = Callable[[tuple[Version, ...]], bytes]
"""Makes a contract with a port for each of these versions."""


def add_contracts(router: web.UrlDispatcher, databases: Iterable[Database], public_url: str) -> None:
    """Add the contract of each database; raises ConfigurationError for declarations that no contract can show."""
    databases = tuple(databases)
    check_names(databases)
    for database in databases:
        add_contract(router, database.name, partial(database_wsdl, database, public_url))


def add_contract(router: web.UrlDispatcher, service: str, make: Make) -> None:
    """Add the contract of one service; it is made when it is first asked for."""
    router.add_get(f"/soap/{service}", _route(make))


def _route(make: Make) -> Callable[[web.Request], Awaitable[web.Response]]:
    made: dict[tuple[Version, ...], bytes] = {}

    async def show(request: web.Request) -> web.Response:
        asked = {name.lower(): value for name, value in request.query.items()}
        if "wsdl" not in asked:
            raise NotFound(_ASK)
        versions = _versions(asked.get("soap"))
        if versions not in made:
            made[versions] = await asyncio.to_thread(make, versions)
        return web.Response(body=made[versions], headers=_HEADERS)

    return show


def _versions(asked: str | None) -> tuple[Version, ...]:
    if asked is None:
        return VERSIONS
    found = tuple(version for version in VERSIONS if version == asked)
    if not found:
        raise Invalid(flaws=[Flaw("", _BAD_VERSION, parameter="soap")])
    return found
