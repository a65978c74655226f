"""`POST /v1/{database}/{operation}`: the REST face of every database (tra cứu dữ liệu)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import istr
from pydantic import ValidationError

from routes.bodies import once, read_json
from routes.context import CALLER, REQUEST_ID
from routes.direct import Whole
from routes.flaws import flaws_of
from routes.recorded import wants_full_receipt
from routes.signed import SIGNATURE, SIGNATURE_INPUT, Signatures, read_signed_json
from routes.xroad import stand_ins
from schemas.errors import Flaw, Invalid, Refused, Text
from schemas.exchange import Answer, CallerSignature, Database, Exchange, Handler, Operation
from schemas.fields import Question
from schemas.ids import new_id
from schemas.receipt import Receipt
from security.audit.entries import instant

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

# Until a grant is found this bounds the exchange; `authorised` puts the grant's own deadline in its place.
DEADLINE = 20.0

# What a caller says beside the question; a plain text would be brought to its lower case at every look.
_TRACEPARENT = istr("traceparent")
_WANTED = istr("Lgsp-Receipt")
_TOLD = (istr("Lgsp-Purpose"), istr("Lgsp-Dossier"), istr("Lgsp-Officer"), _TRACEPARENT, _WANTED)

_BAD_QUERY = Text("Chỉ nhận tham số fields, một lần", "Only the parameter `fields` is taken, once")
_NOT_ASCII = Text("Giá trị phải là ASCII", "The value must be ASCII")

Prove = Callable[[Receipt], Awaitable[Sequence[bytes]]]
"""Gives the inclusion proof of a receipt's entry (`Lgsp-Receipt: full`)."""


def add_exchanges(
    router: web.UrlDispatcher,
    databases: Iterable[Database],
    handler: Handler,
    prove: Prove,
    signatures: Signatures,
    max_body: int,
) -> None:
    """Add one route for each operation, so that paths, metrics and 404 follow the declarations."""
    for database in databases:
        for operation in database.operations:
            router.add_post(
                f"/v1/{database.name}/{operation.name}",
                _route(database, operation, handler, prove, signatures, max_body),
            )


def _route(
    database: Database, operation: Operation, handler: Handler, prove: Prove, signatures: Signatures, max_body: int
) -> Callable[[web.Request], Awaitable[web.Response]]:
    names = database.name, operation.name
    validated = operation.question.model_validate
    # What every answer says about itself whatever was asked: written once.
    told = f',"database":{_json(names[0])},"operation":{_json(names[1])},"answered_at":"'

    def read_question(body: Any) -> Question:
        try:
            return validated(body)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None

    async def ask(request: web.Request) -> web.Response:
        caller = request[CALLER]
        headers = request.headers
        signed: CallerSignature | None = None
        try:
            if SIGNATURE in headers or SIGNATURE_INPUT in headers:
                question, signed = await read_signed_json(request, max_body, signatures, read_question)
            else:
                question = await read_json(request, max_body, read_question)
        except Invalid:
            # Who may not ask at all is not taught how to.
            if names not in caller.grants:
                raise Refused(reason="no-grant") from None
            raise
        purpose, dossier, officer, traceparent, wanted = map(headers.get, _TOLD)
        beside = "".join(filter(None, (purpose, dossier, officer, traceparent, wanted)))
        asked_fields: tuple[str, ...] | None = None
        # `unrepeated` refused what came twice. Plain it mostly is; a look at one after the other says what is not.
        if not (beside.isascii() and beside.isprintable()) or "?" in request.raw_path:
            _check(headers, _TOLD[:3])
            asked_fields = _asked_fields(request)
            once(headers, _TRACEPARENT)
            _check(headers, (_WANTED,))
        if caller.credential.kind == "xroad" and signed is None:
            dossier, officer = stand_ins(headers, dossier, officer)
        exchange = Exchange(
            id=new_id(),
            database=database,
            operation=operation,
            question=question,
            caller=caller,
            purpose=purpose,
            dossier=dossier,
            officer=officer,
            asked_fields=asked_fields,
            request_id=request[REQUEST_ID],
            traceparent=traceparent,
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + DEADLINE,
            signed=signed,
        )
        wants_proof = wants_full_receipt(wanted)
        answer = await handler(exchange)
        receipt = answer.receipt
        shown = "null" if receipt is None else receipt.as_text(await prove(receipt) if wants_proof else None)
        return Whole(_rendered(exchange.id, told, answer, shown), _JSON)

    return ask


def _check(headers: CIMultiDictProxy[str], names: Iterable[str]) -> None:
    """Raise Malformed or Invalid for the first of these headers that is not printable ASCII."""
    for name in names:
        value = once(headers, name)
        if value is not None and not value.isprintable():
            raise Invalid(flaws=[Flaw("", _NOT_ASCII, header=name)])


def _asked_fields(request: web.Request) -> tuple[str, ...] | None:
    query = request.query
    if not query:
        return None
    if set(query) != {"fields"} or len(query.getall("fields")) != 1:
        # The name of an unknown parameter may hold anything: it is not repeated.
        raise Invalid(flaws=[Flaw("", _BAD_QUERY, parameter="fields" if set(query) == {"fields"} else None)])
    return tuple(part.strip() for part in query["fields"].split(","))


def _rendered(exchange_id: str, told: str, answer: Answer, receipt: str) -> bytes:
    """Join the response from `data` as committed to, so that what was disclosed is what the evidence holds."""
    proven = answer.provenance
    warnings = "[]"
    if answer.warnings:
        warnings = _json([{"code": one.code, "pointer": one.pointer, "detail": one.detail} for one in answer.warnings])
    signature = "null"
    if proven is not None:
        vouched = _proven(proven.status, proven.signer, proven.certificate, proven.domain, proven.revocation)
        signature = f'{vouched}"signed_at":"{instant(proven.signed_at)}"}}'
    return b"".join(
        (
            b'{"data":',
            answer.canonical,
            (
                f',"exchange":{{"id":"{exchange_id}"{told}{instant(datetime.now(UTC))}","fields":{_listed(answer.fields)}'
                f',"warnings":{warnings},"signature":{signature}}}'
                f',"receipt":{receipt}}}'
            ).encode(),
        )
    )


# A grant's fields and a registry's certificate are the same for thousands of answers.
@lru_cache(maxsize=1024)
def _listed(fields: tuple[str, ...]) -> str:
    return _json(fields)


@lru_cache(maxsize=256)
def _proven(status: str, signer: str, certificate: str, domain: str | None, revocation: str | None) -> str:
    told = {"status": status, "signer": signer, "certificate": certificate, "domain": domain, "revocation": revocation}
    return _json(told).removesuffix("}") + ","


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_JSON = {"Content-Type": "application/json"}
