"""The portal as one application: both generations over one ledger, faults, and what tests ask it about itself.

`GET /_ledger` gives the applied events as JSON lines in the order in which they were first applied: {"dossier",
"sequence", "status", "applied_at", "times_applied"}. Only progress counts (CapNhatTienDoHoSoMC, CapNhatTienTrinh);
registrations stand in `GET /_dossiers`: {"dossier", "status", "created_at", "updates"}. `POST /_filed` is how people
file dossiers here (`sandbox.portal.filed`), and `sandbox.portal.tampering` how it loses some. None of them needs a
session, and no fault touches them. Rules that a fault changes hold for both generations.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.portal.filed import add_filing
from sandbox.portal.generation1 import ALL_OR_NOTHING, ALREADY_THERE, FirstGeneration
from sandbox.portal.generation2 import SecondGeneration
from sandbox.portal.ledger import Ledger
from sandbox.portal.sessions import Sessions, throttle
from sandbox.portal.tampering import add_tampering
from sandbox.registry import Context, Faults, application

NAME: Final = "portal"
PORTAL_FAULTS: Final = (
    "session-expired=20",
    "session-expired=5s",
    "throttled=10/s",
    "drop-after-commit=0.1",
    "late-answer=1s",
    "session-expired",
    ALL_OR_NOTHING,
    *ALREADY_THERE,
)
"""What the portal can do besides the common faults; several at once, joined by commas.

`late-answer=1s` does the work and holds the answer back, where `latency` holds back the work.
"""
_MAX_BODY: Final = 33_554_432


def site(context: Context, ledger: Ledger) -> web.Application:
    """Return the application; `ledger` is closed by whoever opened it."""
    app = application(context, max_body=_MAX_BODY)
    app.middlewares.append(throttle(context.faults))
    app.middlewares.append(_late(context.faults))
    account = context.account(NAME)
    FirstGeneration(ledger, Sessions(account, context.faults), context.faults).add_to(app)
    SecondGeneration(ledger, Sessions(account, context.faults), context.faults).add_to(app)

    add_filing(app, context.world, ledger)
    add_tampering(app, ledger)

    async def applied(_: web.Request) -> web.Response:
        return await _lines(ledger, (asdict(entry) for entry in ledger.entries()))

    async def registered(_: web.Request) -> web.Response:
        held = ledger.dossiers.values()
        lines = (
            {"dossier": one.code, "status": one.status, "created_at": one.created_at, "updates": one.updates}
            for one in held
        )
        return await _lines(ledger, lines)

    app.router.add_get("/_ledger", applied)
    app.router.add_get("/_dossiers", registered)
    return app


def _late(faults: Faults) -> Middleware:
    """Return a middleware that holds answers back for as long as `late-answer` says."""

    @web.middleware
    async def held(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        late = faults.active("late-answer")
        if late is not None and not request.path.startswith("/_"):
            await asyncio.sleep(late.amount)
        return response

    return held


async def _lines(ledger: Ledger, values: Iterator[dict[str, Any]]) -> web.Response:
    text = "".join(json.dumps(value) + "\n" for value in values)
    await ledger.settled()
    return web.Response(text=text, content_type="application/x-ndjson")
