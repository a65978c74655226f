"""`POST /v1/reconciliations`, `GET /v1/reconciliations`, `GET /v1/reconciliations/{id}`: comparing with the portal.

An owner's agency has the dossiers of a day compared, and looks at what differs; those of others are not there. The work
is done beside delivery: see `sync.reconciler`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError
from sqlalchemy import Connection, Row

from routes.bodies import read_json
from routes.context import REQUEST_ID
from routes.direct import Whole
from routes.dossiers.asking import asked, limit_of, pusher, wants_full
from routes.dossiers.viewing import CURSOR, Looks, cursor_of, position_of
from routes.dossiers.views import shown_time
from routes.flaws import flaws_of
from schemas.dossiers.reconciliation import Reconcile
from schemas.errors import Conflict, EvidenceUnavailable, Flaw, Invalid, NotFound, Text
from schemas.exchange import Caller
from schemas.ids import new_id
from security.audit.canonical import canonical
from security.audit.entries import Evidence, Outcome
from security.audit.trail import named
from storage.errors import StorageError
from sync import reconciliations as rows
from sync.comparison import KINDS
from sync.figures import VIETNAM
from sync.intake import T
from sync.reconciliation_acts import begin
from sync.reconciliations import Reconciliation

Route = Callable[[web.Request], Awaitable[web.Response]]
_JSON: Final = {"Content-Type": "application/json"}
_SEEN: Final = Outcome("ok", 200)
_FUTURE: Final = Text("ngày chưa tới", "that day has not come yet")
_KIND: Final = Text(f"phải là một trong: {', '.join(KINDS)}", f"must be one of: {', '.join(KINDS)}")
_NOWHERE: Final = Text("Chưa cấu hình Cổng quốc gia", "No national portal is configured: nothing can be compared")


@dataclass(frozen=True, slots=True)
class Comparing:
    """What these routes work with; `destinations` are the names of those that are configured."""

    looks: Looks
    destinations: Sequence[str]
    max_body: int


def post_reconciliation(comparing: Comparing) -> Route:
    """Make the route that begins one. Sent again while it is under way it is answered with that one."""

    def make(value: Any) -> Reconcile:
        try:
            body = Reconcile.model_validate(value)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None
        if date.fromisoformat(body.day) > datetime.now(VIETNAM).date():
            raise Invalid(flaws=[Flaw("/day", _FUTURE)])
        return body

    async def post(request: web.Request) -> web.Response:
        caller = pusher(request)
        asked(request, ())
        body = await read_json(request, comparing.max_body, make)
        if not comparing.destinations:
            raise Conflict(_NOWHERE, reason="no-destination")
        who = named(caller)
        new = rows.new(
            new_id(),
            caller.agency,
            body.day,
            time.time_ns() // 1_000_000,
            repair=body.repair,
            client_id=who.client,
            credential=who.credential,
        )
        try:
            one = await _guarded(begin(comparing.looks.log, new))
        except rows.Running as running:
            one = running.reconciliation
            if bool(one.repair) != body.repair:
                raise Conflict(_under_way(one), reason="under-way") from None
        told = await _guarded(comparing.looks.storage.read(lambda connection: shown(connection, one)))
        return _answer(told, 202, Location=f"/v1/reconciliations/{one.id}")

    return post


def get_reconciliations(comparing: Comparing) -> Route:
    """Make the route that lists those of the caller's agency."""

    async def get(request: web.Request) -> web.Response:
        caller = pusher(request)
        query = asked(request, ("limit", "after"))
        limit, after = limit_of(query), _after(query)

        def look(connection: Connection) -> tuple[list[Reconciliation], list[dict[str, Any]]]:
            listed = rows.listed(connection, caller.agency, after, limit)
            return listed, [shown(connection, one) for one in listed]

        listed, items = await _guarded(comparing.looks.storage.read(look))
        return _answer({"items": items, "next": cursor_of(listed[-1].position) if len(listed) == limit else None})

    return get


def get_reconciliation(comparing: Comparing) -> Route:
    """Make the route that shows how far one is and a page of what was found."""

    async def get(request: web.Request) -> web.Response:
        caller, full, name = pusher(request), wants_full(request), request.match_info["id"]
        query = asked(request, ("kind", "limit", "after"))
        kind, limit, after = query.get("kind"), limit_of(query), _after(query)
        if kind is not None and kind not in KINDS:
            raise Invalid(flaws=[Flaw("", _KIND, parameter="kind")])

        def look(connection: Connection) -> tuple[dict[str, Any], list[Row[Any]]] | None:
            one = rows.find(connection, name, caller.agency)
            if one is None:
                return None
            return shown(connection, one), rows.findings(connection, one.position, kind, after, limit)

        found = await _guarded(comparing.looks.storage.read(look))
        if found is None:
            raise NotFound
        told, listed = found
        told |= {
            "items": [finding(each) for each in listed],
            "next": cursor_of(listed[-1].number) if len(listed) == limit else None,
        }
        receipt = await comparing.looks.log.record(seen(caller, "reconciliation", request[REQUEST_ID], told))
        proof = await comparing.looks.prove(receipt) if full else None
        return _answer({**told, "receipt": receipt.as_json(proof)})

    return get


def shown(connection: Connection, one: Reconciliation) -> dict[str, Any]:
    """How far one is, as JSON."""
    kinds, repairs = rows.counts(connection, one.position)
    return {
        "id": one.id,
        "day": one.day,
        "agency": one.agency,
        "repair": bool(one.repair),
        "client": one.client_id,
        "state": one.state,
        "started_at": shown_time(one.started_at),
        "ended_at": shown_time(one.ended_at),
        "receipt_index": one.position,
        "counts": {
            "dossiers": one.dossiers,
            "checked": one.checked,
            "findings": sum(kinds.values()),
            "kinds": {kind: kinds.get(kind, 0) for kind in KINDS},
            "queued_again": repairs.get("queued", 0),
            "not_repairable": repairs.get("not-repairable", 0),
        },
    }


def finding(row: Row[Any]) -> dict[str, Any]:
    """One finding, as JSON."""
    return {
        "kind": row.kind,
        "code": row.code,
        "delivery": row.event_id,
        "expected": row.expected,
        "found": row.found,
        "repair": row.repair,
        "found_at": shown_time(row.found_at),
    }


def seen(caller: Caller, operation: str, request_id: str, told: dict[str, Any]) -> Evidence:
    """The entry of a look at what holds nothing about persons."""
    return Evidence(
        id=new_id(),
        kind="reading",
        at=datetime.now(UTC),
        caller=named(caller),
        database="dossiers",
        operation=operation,
        request_id=request_id,
        outcome=_SEEN,
        data=canonical(told),
    )


def _under_way(one: Reconciliation) -> Text:
    return Text(
        f"Đối soát {one.id} của ngày này đang chạy với lựa chọn khác",
        f"Reconciliation {one.id} of that day is under way with the other choice of repair",
    )


def _after(query: dict[str, str]) -> int:
    try:
        return position_of(query.get("after"))
    except ValueError:
        raise Invalid(flaws=[Flaw("", CURSOR, parameter="after")]) from None


async def _guarded(work: Awaitable[T]) -> T:
    try:
        return await work
    except StorageError as failure:
        raise EvidenceUnavailable(retry_after=2) from failure


def _answer(told: dict[str, Any], status: int = 200, **headers: str) -> web.Response:
    return Whole(json.dumps(told, ensure_ascii=False).encode(), {**_JSON, **headers}, status)
