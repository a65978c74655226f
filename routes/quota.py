"""The middleware that tells callers their rate limit, on answers and on errors alike (giới hạn tần suất)."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from routes.context import ANSWER_HEADERS
from security.limits import watched


@web.middleware
async def quota(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put `RateLimit` and `RateLimit-Policy` on the answer of whatever exchange the handler starts."""
    with watched() as seen:
        try:
            return await handler(request)
        finally:
            request[ANSWER_HEADERS].update(seen.headers())
