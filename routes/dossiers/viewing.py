"""`GET /v1/dossiers/{code}`, `GET /v1/deliveries`: what the owner's agency sees; nobody else sees anything."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from routes.context import REQUEST_ID
from routes.direct import Whole
from routes.dossiers.asking import asked, dossier_code, limit_of, pusher, wants_full
from routes.dossiers.views import delivery, full
from routes.exchanges import Prove
from routes.flaws import flaws_of
from schemas.dossiers.models import DossierBody
from schemas.dossiers.repairs import RepairFilter
from schemas.errors import EvidenceUnavailable, Flaw, Invalid, NotFound, Text
from schemas.exchange import Caller
from schemas.fields import Finder, Found, shape_of, subjects
from schemas.ids import new_id
from security.audit.canonical import canonical
from security.audit.entries import Evidence, Outcome
from security.audit.log import AuditLog
from security.audit.receipt import Receipt
from security.audit.trail import named
from storage.engine import Storage, Work
from storage.errors import StorageError
from sync.intake import T
from sync.opening import Opener
from sync.reading import STATES, attempts, deliveries, whole
from sync.repair import Filter

_JSON = {"Content-Type": "application/json"}
_STATE = Text(f"phải là một trong: {', '.join(STATES)}", f"must be one of: {', '.join(STATES)}")
CURSOR = Text("không phải con trỏ của danh sách này", "is no cursor of this list")
_FILTERS = ("code", "client", "reason", "fingerprint", "status")
_SEEN = Outcome("ok", 200)


@dataclass(frozen=True, slots=True)
class Looks:
    """What looking works with."""

    storage: Storage
    log: AuditLog
    opener: Opener
    prove: Prove


def get_dossier(looks: Looks) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the route that shows a dossier to its owner's agency; to others it is not there."""

    async def get(request: web.Request) -> web.Response:
        caller, code, whole_receipt = pusher(request), dossier_code(request), wants_full(request)
        asked(request, ())
        told, receipt = await dossier_shown(looks, caller, code, request[REQUEST_ID])
        proof = await looks.prove(receipt) if whole_receipt else None
        return _answer({**told, "receipt": receipt.as_json(proof)})

    return get


async def dossier_shown(looks: Looks, caller: Caller, code: str, request_id: str) -> tuple[dict[str, Any], Receipt]:
    """Return a dossier as its owner's agency sees it, and the receipt of that look; raises NotFound for all others."""
    found = await _read(looks, lambda connection: whole(connection, code, caller.agency))
    if found is None:
        raise NotFound
    bodies = await looks.opener.bodies([*found.versions, *found.events])
    told = full(found, bodies, datetime.now(UTC))
    return told, await looks.log.record(_evidence(caller, code, request_id, told))


def get_deliveries(looks: Looks) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the route that lists the deliveries of the caller's agency."""

    async def get(request: web.Request) -> web.Response:
        caller = pusher(request)
        query = asked(request, ("state", "limit", "after", *_FILTERS))
        limit, after = limit_of(query), _after(query)
        return _answer(await deliveries_page(looks, _wanted(caller, query), limit, after))

    return get


def _wanted(caller: Caller, query: Mapping[str, str]) -> Filter:
    state = query.get("state")
    if state is not None and state not in STATES:
        raise Invalid(flaws=[Flaw("", _STATE, parameter="state")])
    try:
        said = RepairFilter.model_validate({name: query[name] for name in _FILTERS if name in query})
    except ValidationError as error:
        # What was sent is not repeated.
        flaws = [Flaw("", flaw.detail, parameter=flaw.pointer.removeprefix("/")) for flaw in flaws_of(error)]
        raise Invalid(flaws=flaws) from None
    return Filter(caller.agency, state, **said.model_dump(exclude_none=True))


async def deliveries_page(looks: Looks, wanted: Filter, limit: int, after: int) -> dict[str, Any]:
    """Return up to `limit` deliveries that a filter means behind a position, and the cursor of the next page."""

    def look(connection: Any) -> tuple[list[Any], dict[int, Any]]:
        listed = deliveries(connection, wanted, after, limit)
        return listed, attempts(connection, [event.position for event in listed])

    listed, tried = await _read(looks, look)
    items = [delivery(event, tried.get(event.position, ())) for event in listed]
    return {"items": items, "next": cursor_of(listed[-1].position) if len(listed) == limit else None}


def cursor_of(position: int) -> str:
    """The cursor behind what stands at a position."""
    return f"d{position:x}"


def position_of(cursor: str | None) -> int:
    """Return the position that a cursor of the list stands for; raises ValueError for any but one given out."""
    if cursor is None:
        return -1
    try:
        position = int(cursor.removeprefix("d"), 16)
    except ValueError:
        position = -1
    if not 0 <= position < 1 << 62 or cursor != cursor_of(position):
        raise ValueError(CURSOR.en)
    return position


def _after(query: dict[str, str]) -> int:
    try:
        return position_of(query.get("after"))
    except ValueError:
        raise Invalid(flaws=[Flaw("", CURSOR, parameter="after")]) from None


async def _read(looks: Looks, work: Work[T]) -> T:
    try:
        return await looks.storage.read(work)
    except StorageError as failure:
        raise EvidenceUnavailable(retry_after=2) from failure


def _evidence(caller: Caller, code: str, request_id: str, told: dict[str, Any]) -> Evidence:
    found: list[Found] = []
    for version in told["versions"]:
        if version["dossier"] is not None:
            _finder()(version["dossier"], found)
    return Evidence(
        id=new_id(),
        kind="reading",
        at=datetime.now(UTC),
        caller=named(caller),
        database="dossiers",
        operation="dossier",
        dossier=code,
        request_id=request_id,
        outcome=_SEEN,
        data=canonical(told),
        subjects=list(dict.fromkeys(found)),
    )


@cache
def _finder() -> Finder:
    return subjects(shape_of(DossierBody), "disclosed")


def _answer(told: dict[str, Any]) -> web.Response:
    return Whole(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode(), _JSON)
