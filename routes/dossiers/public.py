"""`GET /v1/public/dossiers/{code}`: how far a dossier has come, for whoever has its code (mức độ hoàn thành).

No authentication, and nothing more than the code and the degree. A code that nobody registered is answered alike, by
the same one look at the same index, so that neither form nor time tells which codes exist otherwise than the degree
itself does; one address may ask so often a minute, whatever it asks.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from routes.direct import Whole
from routes.dossiers.asking import asked, dossier_code
from routes.guests import Guests
from routes.language import Language, preferred
from schemas.dossiers.statuses import NATIONAL
from schemas.errors import EvidenceUnavailable
from storage.engine import Storage
from storage.errors import StorageError
from sync.reading import dossier


def get_public(storage: Storage, guests: Guests) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the route; `guests` says how often an address may ask."""

    async def get(request: web.Request) -> web.Response:
        await guests.admit(request)
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
