"""`GET /v1/public/dossiers/{code}`: how far a dossier has come, for whoever has its code (mức độ hoàn thành).

No authentication, and nothing more than the code and the degree. A code that nobody registered is answered alike, by
the same one look at the same index, so that neither form nor time tells which codes exist otherwise than the degree
itself does; one address may ask so often a minute, whatever it asks.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from routes.context import ANSWER_HEADERS, PEER
from routes.direct import Whole
from routes.dossiers.asking import asked, dossier_code
from routes.language import Language, preferred
from schemas.dossiers.statuses import NATIONAL
from schemas.errors import EvidenceUnavailable, GatewayError, TooManyRequests
from security.limits import Limiter, Verdict, rate_limit
from storage.engine import Storage
from storage.errors import StorageError
from sync.reading import dossier

_MINUTE = 60.0

Count = Callable[[GatewayError, str], None]
"""Counts a request of nobody known, under its error and address, for entries in bulk."""


def get_public(
    storage: Storage, limiter: Limiter, count: Count, a_minute: int
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the route; an address may ask `a_minute` times a minute."""
    rate, burst = a_minute / _MINUTE, a_minute - 1

    async def get(request: web.Request) -> web.Response:
        address = request[PEER].address
        verdict = limiter.take(f"public-dossiers\0{address}", rate, burst)
        if not isinstance(verdict, Verdict):
            verdict = await verdict
        request[ANSWER_HEADERS].update(rate_limit("public/dossiers", rate, burst, verdict))
        if not verdict.admitted:
            error = TooManyRequests(retry_after=verdict.retry_after)
            count(error, address)
            raise error
        code = dossier_code(request)
        asked(request, ())
        try:
            found = await storage.read(lambda connection: dossier(connection, code))
        except StorageError as failure:
            raise EvidenceUnavailable(retry_after=2) from failure
        status = found.status if found is not None and found.registered else None
        language = preferred(request.headers.get("Accept-Language"))
        return Whole(_shown(code, status, language), {"Content-Type": "application/json", "Content-Language": language})

    return get


def _shown(code: str, status: str | None, language: Language) -> bytes:
    degree = NATIONAL[status].degree if status is not None else None
    completion = {
        "degree": degree.slug if degree is not None else "unknown",
        "title": getattr(degree.title, language) if degree is not None else _UNKNOWN[language],
    }
    return json.dumps({"code": code, "completion": completion}, ensure_ascii=False, separators=(",", ":")).encode()


_UNKNOWN: dict[Language, str] = {"vi": "Không có thông tin", "en": "Nothing is known"}
