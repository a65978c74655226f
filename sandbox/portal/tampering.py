"""How the portal comes to hold something else than it was told: what reconciliation is there to find (chênh lệch).

`DELETE /_dossiers/{code}` forgets a dossier, `DELETE /_dossiers/{code}/steps/{number}` one record of its progress
(counted from 1), `PUT /_dossiers/{code}` with {"status": "5"} changes its status without a record. The file keeps it.
"""

from __future__ import annotations

import json

from aiohttp import web

from sandbox.portal.ledger import Ledger
from schemas.dossiers.statuses import NATIONAL


def add_tampering(app: web.Application, ledger: Ledger) -> None:
    """Add these routes."""

    async def lose(request: web.Request) -> web.Response:
        number = request.match_info.get("number")
        try:
            ledger.lose(request.match_info["code"], None if number is None else int(number))
        except LookupError:
            raise web.HTTPNotFound from None
        await ledger.settled()
        return web.Response(status=204)

    async def restate(request: web.Request) -> web.Response:
        try:
            status = json.loads(await request.text())["status"]
        except (ValueError, TypeError, KeyError):
            status = None
        if status not in NATIONAL:
            raise web.HTTPBadRequest(text='{"status": "1" to "10"} is asked for')
        try:
            ledger.restate(request.match_info["code"], status)
        except LookupError:
            raise web.HTTPNotFound from None
        await ledger.settled()
        return web.Response(status=204)

    app.router.add_delete("/_dossiers/{code}", lose)
    app.router.add_put("/_dossiers/{code}", restate)
    app.router.add_delete(r"/_dossiers/{code}/steps/{number:\d{1,6}}", lose)
