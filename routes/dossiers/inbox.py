"""`GET /v1/inbox/dossiers`, `GET /v1/inbox/dossiers/{code}`, `POST .../{code}/ack`: dossiers filed at the portal.

Shown in the order in which they came until they are acknowledged, to the agency that is to handle them or one above it;
for others they are not there.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError
from sqlalchemy import Connection

from routes.bodies import check_json_type, read, read_body
from routes.context import REQUEST_ID
from routes.direct import Whole
from routes.dossiers.asking import asked, dossier_code, limit_of, pusher, wants_full
from routes.dossiers.viewing import CURSOR, Looks, cursor_of, position_of
from routes.dossiers.views import shown_time
from routes.flaws import flaws_of
from schemas.dossiers.models import DossierBody
from schemas.errors import EvidenceUnavailable, Flaw, Invalid, NotFound
from schemas.exchange import Caller
from schemas.fields import Finder, Found, shape_of, subjects
from schemas.ids import new_id
from schemas.inbox import Acknowledgement
from security.audit.canonical import canonical
from security.audit.entries import Evidence, Outcome
from security.audit.receipt import Receipt
from security.audit.trail import named
from storage.errors import StorageError
from sync import inbox
from sync.acknowledging import Acknowledging
from sync.inbox import Filed

_JSON: Final = {"Content-Type": "application/json"}
_SEEN: Final = Outcome("ok", 200)
Route = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Box:
    """What these routes work with."""

    looks: Looks
    acknowledging: Acknowledging
    max_body: int


def get_inbox(box: Box) -> Route:
    """Make the route that lists what is not acknowledged yet; a page that discloses nothing leaves no entry."""

    async def get(request: web.Request) -> web.Response:
        caller, full = pusher(request), wants_full(request)
        query = asked(request, ("limit", "after"))
        limit, after = limit_of(query), _after(query)
        found = await _look(box, lambda connection: inbox.waiting(connection, caller.agency, after, limit))
        told: dict[str, Any] = {
            "items": await _items(box, found),
            "next": cursor_of(found[-1].position) if len(found) == limit else None,
        }
        receipt = await _disclosed(box, caller, request[REQUEST_ID], found, told, None) if found else None
        return await _answer(box, told, receipt, full=full)

    return get


def get_filed(box: Box) -> Route:
    """Make the route that shows the newest version of one filed dossier, acknowledged or not."""

    async def get(request: web.Request) -> web.Response:
        caller, code, full = pusher(request), dossier_code(request), wants_full(request)
        asked(request, ())
        found = (await _look(box, lambda connection: inbox.versions(connection, code, caller.agency)))[:1]
        if not found:
            raise NotFound
        (told,) = await _items(box, found)
        receipt = await _disclosed(box, caller, request[REQUEST_ID], found, told, code)
        return await _answer(box, told, receipt, full=full)

    return get


def post_acknowledgement(box: Box) -> Route:
    """Make the route that acknowledges a filed dossier; the body may name the version."""

    def make(value: Any) -> Acknowledgement:
        try:
            return Acknowledgement.model_validate(value)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None

    async def post(request: web.Request) -> web.Response:
        caller, code, full = pusher(request), dossier_code(request), wants_full(request)
        asked(request, ())
        body = await read_body(request, box.max_body)
        if body:
            check_json_type(request)
        version = read(body, make).version if body else None
        done = await box.acknowledging.acknowledge(caller, request[REQUEST_ID], code, version)
        told = {
            "code": code,
            "version": done.filed.version,
            "newest_version": done.newest,
            "acknowledged_at": shown_time(done.filed.acknowledged_at),
            "acknowledged_by": done.filed.acknowledged_by,
            "adopted": done.adopted,
            "result": "duplicate" if done.again else "acknowledged",
        }
        return await _answer(box, told, done.receipt, full=full)

    return post


async def _items(box: Box, found: Sequence[Filed]) -> list[dict[str, Any]]:
    bodies = await box.looks.opener.bodies(found)
    return [_item(one, bodies.get(one.event_id) or {}) for one in found]


def _item(one: Filed, said: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": one.code,
        "version": one.version,
        "agency": one.agency,
        "portal": one.portal,
        "filed_at": shown_time(one.filed_at),
        "received_at": shown_time(one.received_at),
        "receipt_index": one.position,
        "acknowledged_at": shown_time(one.acknowledged_at),
        "acknowledged_by": one.acknowledged_by,
        "dossier": said.get("dossier"),
        "warnings": [
            {"code": doubt["code"], "pointer": f"/dossier{doubt['pointer']}", "detail": doubt["original"]}
            for doubt in said.get("doubts", ())
        ],
    }


async def _disclosed(
    box: Box, caller: Caller, request_id: str, found: Sequence[Filed], told: dict[str, Any], code: str | None
) -> Receipt:
    """Leave the entry of who saw what of whom, and keep in its commit that it was shown."""
    people: list[Found] = []
    for item in told.get("items", (told,)):
        if item["dossier"] is not None:
            _finder()(item["dossier"], people)
    entry = Evidence(
        id=new_id(),
        kind="reading",
        at=datetime.now(UTC),
        caller=named(caller),
        database="dossiers",
        operation="inbox",
        dossier=code,
        request_id=request_id,
        outcome=_SEEN,
        data=canonical(told),
        subjects=list(dict.fromkeys(people)),
    )
    positions = [one.position for one in found]

    def write(connection: Connection, _index: int) -> None:
        inbox.show(connection, positions)

    return await box.looks.log.record(entry, writes=(write,))


@cache
def _finder() -> Finder:
    return subjects(shape_of(DossierBody), "disclosed")


def _after(query: dict[str, str]) -> int:
    try:
        return position_of(query.get("after"))
    except ValueError:
        raise Invalid(flaws=[Flaw("", CURSOR, parameter="after")]) from None


async def _look(box: Box, work: Callable[[Connection], list[Filed]]) -> list[Filed]:
    try:
        return await box.looks.storage.read(work)
    except StorageError as failure:
        raise EvidenceUnavailable(retry_after=2) from failure


async def _answer(box: Box, told: dict[str, Any], receipt: Receipt | None, *, full: bool) -> web.Response:
    shown = None
    if receipt is not None:
        shown = receipt.as_json(await box.looks.prove(receipt) if full else None)
    return Whole(json.dumps({**told, "receipt": shown}, ensure_ascii=False, separators=(",", ":")).encode(), _JSON)
