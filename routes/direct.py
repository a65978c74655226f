"""Routes whose path is fixed, found with one look, and the answers that are complete when they are made.

Nearly every request is an ordinary one: a known path, a body that came with its head, nothing special asked of the
connection. For those the way through the library (search, one more task, preparing a response step by step) is most of
what a request costs; whatever else comes takes that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http_writer import _serialize_headers
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, istr

if TYPE_CHECKING:
    from aiohttp.http import RawRequestMessage


# What every answer says, unless its handler chose something else.
COMMON: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_COMMON: Final = CIMultiDict({"Server": "lgsp", **COMMON})
_REASONS: Final = {each.value: each.phrase for each in HTTPStatus}
# A plain text would be brought to its lower case at every use.
_CONTENT_LENGTH: Final = istr("Content-Length")
_DATE: Final = istr("Date")
_EXPECT: Final = istr("Expect")


class Whole(web.Response):
    """An answer that is complete when it is made, with the common headers: no cookies, no coding, no chunks."""

    def __init__(self, octets: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        # All that the library's own `__init__` sets, without its look for texts, charsets and payloads.
        self._state = {}
        self._headers = CIMultiDict(_COMMON)
        self._headers.update(headers)
        self._status = status
        self._reason = _REASONS.get(status, "")
        self._body: bytes = octets

    def on_the_wire(self) -> bytes:
        """Return the answer as it is sent where the connection goes on; raises ValueError for control characters."""
        headers, body = self._headers, self._body
        headers[_CONTENT_LENGTH] = str(len(body))
        headers[_DATE] = rfc822_formatted_time()
        return _serialize_headers(f"HTTP/1.1 {self._status} {self._reason}", headers) + body


class Match(web.UrlMappingMatchInfo):
    """What the library's search would say about a route without variables; `template` is its path."""

    def __init__(self, app: web.Application, route: web.AbstractRoute, template: str) -> None:
        super().__init__({}, route)
        self.template = template
        self.add_app(app)
        self.freeze()
        self.current_app = app


class Found(NamedTuple):
    """A route with every middleware of its application already around its handler."""

    match: Match
    handler: Handler


class Direct:
    """The routes of one application by method and path; to be made when nothing is added any more."""

    def __init__(self, app: web.Application) -> None:
        self._found: dict[tuple[str, str], Found] = {}
        for route in app.router.routes():
            if isinstance(route.resource, web.PlainResource):
                path = route.resource.canonical
                handler: Any = route.handler
                for middleware in reversed(app.middlewares):
                    handler = partial(middleware, handler=handler)
                self._found.setdefault((route.method, path), Found(Match(app, route, path), handler))

    def find(self, message: RawRequestMessage) -> Found | None:
        """Return the route of an ordinary request; None leaves it to the library.

        The path has to stand there letter by letter: one written with escapes, or as a whole URL, is the library's.
        """
        if message.should_close or message.upgrade or message.version != HttpVersion11:
            return None
        method, path = message.method, message.path
        found = self._found.get((method, path)) or self._found.get((method, path.partition("?")[0]))
        return None if found is None or _EXPECT in message.headers else found


def template_of(request: web.Request) -> str:
    """Return the route's template, which unlike the path holds nothing that a caller chose."""
    match = request.match_info
    if type(match) is Match:
        return match.template
    resource = match.route.resource
    return resource.canonical if resource is not None else "unmatched"
