"""`POST /v1/deliveries/{id}/retry`, `/v1/deliveries/retry`, `/v1/deliveries/discard`, `GET /v1/destinations`.

The owner's agency repairs what did not end well, by itself. A group is counted first: without `expect` nothing is done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import ValidationError
from sqlalchemy import Connection

from config.personal import could_name_a_person
from routes.bodies import read_json
from routes.direct import Whole
from routes.dossiers.asking import asked, pusher
from routes.dossiers.views import shown_time
from routes.flaws import flaws_of
from schemas.dossiers.repairs import Discard, RepairFilter, Retry
from schemas.errors import Conflict, EvidenceUnavailable, Flaw, Invalid, NotFound, Text
from schemas.exchange import Caller
from security.audit.trail import named
from storage.engine import Storage
from storage.errors import StorageError
from sync.destinations import Condition, condition
from sync.intake import T
from sync.repair import Act, Done, Filter
from sync.repairs import Miscounted, Repairs

_JSON = {"Content-Type": "application/json"}
_PERSONAL = Text("không được chứa số định danh", "must not hold a number that identifies a person")
_NOT_NOW = Text("Sự kiện không ở trạng thái có thể gửi lại", "The delivery is in no state to be sent again")
_OF_ANOTHER = Text("Hồ sơ do cơ quan khác đăng ký", "The dossier was registered by another agency")
Route = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Mending:
    """What these routes work with; `destinations` are the names of those that are configured."""

    repairs: Repairs
    storage: Storage
    destinations: Sequence[str]
    max_body: int


def post_retry_one(mending: Mending) -> Route:
    """Make the route that sends one delivery again, or lets it out of quarantine."""

    async def post(request: web.Request) -> web.Response:
        caller = pusher(request)
        asked(request, ())
        wanted = Filter(caller.agency, event_id=request.match_info["id"])
        try:
            done = await _done(mending, "retry", wanted, 1, caller, None)
        except Miscounted:
            raise await _why_not(mending, wanted) from None
        if done[0].state == "untouched" and done[0].reason == "other-agency":
            raise Conflict(_OF_ANOTHER, reason="other-agency")
        if done[0].state == "untouched":
            raise Conflict(_NOT_NOW, reason="still-not-understood")
        return _answer({"id": done[0].event_id, "code": done[0].code, "step": done[0].state})

    return post


def post_group(mending: Mending, act: Act) -> Route:
    """Make the route that does one act to all deliveries of the caller's agency that a filter means."""
    model = Retry if act == "retry" else Discard

    def make(value: Any) -> Retry | Discard:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None

    async def post(request: web.Request) -> web.Response:
        caller = pusher(request)
        asked(request, ())
        body = await read_json(request, mending.max_body, make)
        reason = body.reason
        if reason is not None and could_name_a_person(reason):
            raise Invalid(flaws=[Flaw("/reason", _PERSONAL)])
        wanted = _filter(caller, body.filter)
        if body.expect is None:
            found = await _guarded(mending.repairs.count(wanted, act))
            return _answer({"matched": found, "changed": 0, "deliveries": []})
        try:
            done = await _done(mending, act, wanted, body.expect, caller, reason)
        except Miscounted as error:
            found_text = Text(f"Bộ lọc khớp {error.found} sự kiện", f"The filter means {error.found} deliveries")
            raise Conflict(found_text, reason="other-count") from None
        changed = [one for one in done if one.state != "untouched"]
        shown = [{"id": one.event_id, "code": one.code, "step": one.state} for one in done]
        return _answer({"matched": body.expect, "changed": len(changed), "deliveries": shown})

    return post


def get_destinations(mending: Mending) -> Route:
    """Make the route that tells how destinations are, and what of the caller's agency waits for them."""

    async def get(request: web.Request) -> web.Response:
        caller = pusher(request)
        asked(request, ())
        now = time.time_ns() // 1_000_000

        def look(connection: Connection) -> list[Condition]:
            return [condition(connection, name, now, caller.agency) for name in mending.destinations]

        found = await _guarded(mending.storage.read(look))
        return _answer({"items": [_shown(one) for one in found]})

    return get


def _shown(one: Condition) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "since": shown_time(one.since),
        "reason": one.reason,
        "failures": one.failures,
        "next_try": shown_time(one.next_try),
        "waiting": one.waiting,
        "oldest": shown_time(one.oldest),
        "dead": one.dead,
        "quarantined": one.quarantined,
        "expected_drain_s": one.drain_s,
    }


def _filter(caller: Caller, said: RepairFilter) -> Filter:
    return Filter(caller.agency, **said.model_dump(exclude_none=True))


async def _why_not(mending: Mending, wanted: Filter) -> Exception:
    known = await _guarded(mending.repairs.known(wanted))
    return Conflict(_NOT_NOW, reason="not-now") if known else NotFound()


async def _done(
    mending: Mending, act: Act, wanted: Filter, expect: int, caller: Caller, reason: str | None
) -> list[Done]:
    return await _guarded(mending.repairs.do(act, wanted, expect, caller=named(caller), by=None, reason=reason))


async def _guarded(work: Awaitable[T]) -> T:
    try:
        return await work
    except StorageError as failure:
        raise EvidenceUnavailable(retry_after=2) from failure


def _answer(told: dict[str, Any]) -> web.Response:
    return Whole(json.dumps(told, ensure_ascii=False).encode(), _JSON, 200)
