"""Routes whose path is fixed, found with one look, and the answers that are complete when they are made.

Nearly every request is an ordinary one: a known path, a body that came with its head, nothing special asked of the
connection. For those the way through the library (search, one more task, preparing a response step by step) is most of
what a request costs; whatever else comes takes that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

if TYPE_CHECKING:
    from aiohttp.http import RawRequestMessage


class Whole(web.Response):
    """An answer that is complete when it is made: `octets` are its body; no cookies, no coding, no chunks."""

    def __init__(self, octets: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        super().__init__(body=octets, headers=headers, status=status)
        self.octets = octets


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
        found = self._found.get((message.method, message.path.partition("?")[0]))
        return None if found is None or "Expect" in message.headers else found


def template_of(request: web.Request) -> str:
    """Return the route's template, which unlike the path holds nothing that a caller chose."""
    match = request.match_info
    if type(match) is Match:
        return match.template
    resource = match.route.resource
    return resource.canonical if resource is not None else "unmatched"
