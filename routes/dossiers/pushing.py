"""`PUT /v1/dossiers/{code}`, `POST /v1/dossiers/{code}/statuses`: one dossier, one status (gửi hồ sơ, trạng thái)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from routes.bodies import read_json
from routes.context import REQUEST_ID
from routes.direct import Whole
from routes.dossiers.asking import dossier_code, pusher, wants_full
from routes.dossiers.counting import Door, count, counted_refusals
from routes.exchanges import Prove
from routes.flaws import flaws_of
from routes.signed import SIGNATURE, SIGNATURE_INPUT, Signatures, read_signed_json
from schemas.dossiers.idempotency import HEADER, KeyMissing, KeyUnreadable, key_from_header
from schemas.dossiers.models import DossierBody, StatusEvent
from schemas.errors import Flaw, IdempotencyKeyRequired, Invalid, Malformed, Text
from schemas.exchange import Caller
from schemas.fields import Question
from security.request_signatures import CountOnce
from sync.intake import Intake, Taken

B = TypeVar("B", bound=Question)

REPLAYED = "Idempotency-Replayed"

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Means:
    """What pushing works with; `once` lets a signature of a caller count once."""

    intake: Intake
    prove: Prove
    signatures: Signatures
    once: CountOnce
    max_body: int


def put_dossier(means: Means) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the route that registers or amends a dossier; the same body again is no new version."""

    async def put(request: web.Request) -> web.Response:
        caller, code, full = pusher(request), dossier_code(request), wants_full(request)
        key = _key(request) if HEADER in request.headers else None
        with counted_refusals("rest"):
            async with means.intake.working_on(caller, key):
                body = await _body(request, means, DossierBody)
                about, taken = await registered(means.intake, caller, request[REQUEST_ID], code, key, body, door="rest")
        return await _answer(means, about, taken, full=full)

    return put


def post_status(means: Means) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the route that takes one status; it answers when all of it is durable."""

    async def post(request: web.Request) -> web.Response:
        caller, code, full = pusher(request), dossier_code(request), wants_full(request)
        with counted_refusals("rest"):
            key = _key(request)
            # The first request with a key is under way from its head on, however long its body takes.
            async with means.intake.working_on(caller, key):
                body = await _body(request, means, StatusEvent)
                about, taken = await pushed(means.intake, caller, request[REQUEST_ID], code, key, body, door="rest")
        return await _answer(means, about, taken, full=full)

    return post


async def registered(
    intake: Intake, caller: Caller, request_id: str, code: str, key: str | None, body: DossierBody, *, door: Door
) -> tuple[dict[str, Any], Taken]:
    """Take a dossier; return what is told beside its receipt, and what became of it. Raises as `Intake.take_one`.

    The caller works on its key (`Intake.working_on`).
    """
    taken = await intake.take_one(request_id, intake.prepare(caller, code, key, body))
    count(door, [taken])
    delivery = taken.event_id if body.deliver else None
    about = {"code": code, "version": taken.version, "delivery": delivery}
    return about | {"result": taken.result, "reason": taken.reason}, taken


async def pushed(
    intake: Intake, caller: Caller, request_id: str, code: str, key: str, body: StatusEvent, *, door: Door
) -> tuple[dict[str, Any], Taken]:
    """Take one status; return what is told beside its receipt, and what became of it. Raises as `Intake.take_one`.

    The caller works on its key (`Intake.working_on`).
    """
    taken = await intake.take_one(request_id, intake.prepare(caller, code, key, body))
    count(door, [taken])
    return {"code": code, "delivery": taken.event_id, "result": taken.result, "reason": taken.reason}, taken


def _key(request: web.Request) -> str:
    try:
        return key_from_header(request.headers.getall(HEADER, ()))
    except KeyMissing:
        raise IdempotencyKeyRequired(
            flaws=[Flaw("", Text("thiếu tiêu đề", "is missing or empty"), header=HEADER)]
        ) from None
    except KeyUnreadable as error:
        raise Malformed(flaws=[Flaw("", Text("không đọc được", str(error)), header=HEADER)]) from None


async def _body(request: web.Request, means: Means, model: type[B]) -> B:
    def make(value: Any) -> B:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None

    if SIGNATURE not in request.headers and SIGNATURE_INPUT not in request.headers:
        return await read_json(request, means.max_body, make)
    body, signed = await read_signed_json(request, means.max_body, means.signatures, make)
    await means.once(signed)
    return body


async def _answer(means: Means, about: dict[str, Any], taken: Taken, *, full: bool) -> web.Response:
    receipt = taken.receipt.as_text(await means.prove(taken.receipt) if full else None)
    told = json.dumps(about, ensure_ascii=False, separators=(",", ":")).removesuffix("}")
    headers = _JSON | ({REPLAYED: "true"} if taken.replayed else {})
    return Whole(f'{told},"receipt":{receipt}}}'.encode(), headers, taken.status)
