"""`/.well-known/api-catalog`: what this gateway offers, for machines that look for it (RFC 9727, danh mục dịch vụ)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from schemas.exchange import Database

PATH: Final = "/.well-known/api-catalog"
_KIND: Final = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'


def catalog(databases: Iterable[Database], public_url: str, *, health: bool) -> dict[str, Any]:
    """Return the linkset (RFC 9264): the catalogue's items, then for each database where it is described."""
    databases = tuple(databases)
    described: dict[str, Any] = {
        "service-desc": [{"href": f"{public_url}/openapi.json", "type": "application/json"}],
        "service-doc": [{"href": f"{public_url}/docs", "type": "text/html", "hreflang": ["vi", "en"]}],
    }
    if health:
        described["status"] = [{"href": f"{public_url}/readyz", "type": "application/json"}]
    items = [
        {
            "href": f"{public_url}/v1/{database.name}",
            "title": database.title.en,
            "title*": [{"value": database.title.vi, "language": "vi"}, {"value": database.title.en, "language": "en"}],
        }
        for database in databases
    ]
    own = [{"anchor": item["href"], **described} for item in items]
    return {"linkset": [{"anchor": f"{public_url}{PATH}", "item": items}, *own]}


def add_catalog(router: web.UrlDispatcher, databases: Iterable[Database], public_url: str, *, health: bool) -> None:
    """Add the catalogue; HEAD answers with the link that RFC 9727 asks for, as GET does."""
    body = json.dumps(catalog(databases, public_url, health=health), ensure_ascii=False).encode("utf-8")
    headers = {
        "Content-Type": _KIND,
        "Link": f'<{public_url}{PATH}>; rel="api-catalog"',
        "Cache-Control": "public, max-age=300",
    }

    async def show(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    router.add_get(PATH, show)
