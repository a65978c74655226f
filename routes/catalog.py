"""`/.well-known/api-catalog`: what this gateway offers, for machines that look for it (RFC 9727, danh mục dịch vụ)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from routes.soap.dossiers_contract import TITLE as DOSSIERS
from schemas.errors import Text
from schemas.exchange import Database

PATH: Final = "/.well-known/api-catalog"
_OWN: Final = (
    ("me", Text("Quyền của bên gọi", "What the caller may ask")),
    ("dossiers", DOSSIERS),
)
_KIND: Final = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'


def catalog(databases: Iterable[Database], public_url: str, *, health: bool) -> dict[str, Any]:
    """Return the linkset (RFC 9264): the catalogue's items, then for each where it is described.

    Each database is there twice, over REST and over SOAP, and so is each service of the gateway's own.
    """
    docs = f"{public_url}/docs"
    status = {"status": [{"href": f"{public_url}/readyz", "type": "application/json"}]} if health else {}
    rest = {"service-desc": [{"href": f"{public_url}/openapi.json", "type": "application/json"}], **_page(docs)}
    offered = [*((database.name, database.title) for database in databases), *_OWN]
    over_rest = [_item(f"{public_url}/v1/{name}", title) for name, title in offered]
    over_soap = [_item(f"{public_url}/soap/{name}", title, " (SOAP)") for name, title in offered]
    own = [{"anchor": item["href"], **rest, **status} for item in over_rest]
    for (name, _), item in zip(offered, over_soap, strict=True):
        # What a caller may ask stands on the page that leads to the others.
        pages = _page(f"{docs}/soap" if name == "me" else f"{docs}/soap/{name}")
        own.append({"anchor": item["href"], **_contract(item["href"]), **pages, **status})
    return {"linkset": [{"anchor": f"{public_url}{PATH}", "item": [*over_rest, *over_soap]}, *own]}


def _item(address: str, title: Text, suffix: str = "") -> dict[str, Any]:
    languages = [{"value": f"{text}{suffix}", "language": name} for name, text in (("vi", title.vi), ("en", title.en))]
    return {"href": address, "title": f"{title.en}{suffix}", "title*": languages}


def _page(address: str) -> dict[str, Any]:
    return {"service-doc": [{"href": address, "type": "text/html", "hreflang": ["vi", "en"]}]}


def _contract(address: str) -> dict[str, Any]:
    # WSDL 1.1 registered no media type of its own.
    return {"service-desc": [{"href": f"{address}?wsdl", "type": "text/xml"}]}


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
