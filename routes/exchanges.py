"""`POST /v1/{database}/{operation}`: the REST face of every database (tra cứu dữ liệu)."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

from aiohttp import web
from pydantic import ValidationError

from routes.bodies import flaws_of, read_json, single
from routes.context import CALLER, REQUEST_ID
from routes.recorded import wants_full_receipt
from schemas.errors import Flaw, Invalid, Refused, Text
from schemas.exchange import Answer, Database, Exchange, Handler, Operation
from schemas.receipt import Receipt
from security.audit.entries import instant

# Until a grant is found this bounds the exchange; `authorised` puts the grant's own deadline in its place.
_DEADLINE = 20.0

_BAD_QUERY = Text("Chỉ nhận tham số fields, một lần", "Only the parameter `fields` is taken, once")
_NOT_ASCII = Text("Giá trị phải là ASCII", "The value must be ASCII")

Prove = Callable[[Receipt], Awaitable[Sequence[bytes]]]
"""Gives the inclusion proof of a receipt's entry (`Lgsp-Receipt: full`)."""


def add_exchanges(
    router: web.UrlDispatcher, databases: Iterable[Database], handler: Handler, prove: Prove, max_body: int
) -> None:
    """Add one route for each operation, so that paths, metrics and 404 follow the declarations."""
    for database in databases:
        for operation in database.operations:
            router.add_post(
                f"/v1/{database.name}/{operation.name}", _route(database, operation, handler, prove, max_body)
            )


def _route(
    database: Database, operation: Operation, handler: Handler, prove: Prove, max_body: int
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def ask(request: web.Request) -> web.Response:
        caller = request[CALLER]
        body = await read_json(request, max_body)
        try:
            question = operation.question.model_validate(body)
        except ValidationError as error:
            # Who may not ask at all is not taught how to.
            if (database.name, operation.name) not in caller.grants:
                raise Refused(reason="no-grant") from None
            raise Invalid(flaws=flaws_of(error)) from None
        exchange = Exchange(
            id=str(uuid.uuid4()),
            database=database,
            operation=operation,
            question=question,
            caller=caller,
            purpose=_ascii(request, "Lgsp-Purpose"),
            dossier=_ascii(request, "Lgsp-Dossier"),
            officer=_ascii(request, "Lgsp-Officer"),
            asked_fields=_asked_fields(request),
            request_id=request[REQUEST_ID],
            traceparent=single(request, "traceparent"),
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + _DEADLINE,
        )
        _ascii(request, "Lgsp-Receipt")
        wants_proof = wants_full_receipt(request)
        answer = await handler(exchange)
        receipt = answer.receipt
        shown = None if receipt is None else receipt.as_json(await prove(receipt) if wants_proof else None)
        return web.Response(body=_rendered(exchange, answer, shown), content_type="application/json")

    return ask


def _ascii(request: web.Request, name: str) -> str | None:
    value = single(request, name)
    if value is not None and not (value.isascii() and value.isprintable()):
        raise Invalid(flaws=[Flaw("", _NOT_ASCII, header=name)])
    return value


def _asked_fields(request: web.Request) -> tuple[str, ...] | None:
    query = request.query
    if not query:
        return None
    if set(query) != {"fields"} or len(query.getall("fields")) != 1:
        # The name of an unknown parameter may hold anything: it is not repeated.
        raise Invalid(flaws=[Flaw("", _BAD_QUERY, parameter="fields" if set(query) == {"fields"} else None)])
    return tuple(part.strip() for part in query["fields"].split(","))


def _rendered(exchange: Exchange, answer: Answer, receipt: dict[str, object] | None) -> bytes:
    """Join the response from `data` as committed to, so that what was disclosed is what the evidence holds."""
    proven = answer.provenance
    about = {
        "id": exchange.id,
        "database": exchange.database.name,
        "operation": exchange.operation.name,
        "answered_at": instant(datetime.now(UTC)),
        "fields": answer.fields,
        "warnings": [
            {"code": notice.code, "pointer": notice.pointer, "detail": notice.detail} for notice in answer.warnings
        ],
        "signature": proven
        and {
            "status": proven.status,
            "signer": proven.signer,
            "certificate": proven.certificate,
            "signed_at": instant(proven.signed_at),
        },
    }
    return b"".join(
        (
            b'{"data":',
            answer.canonical,
            b',"exchange":',
            _json(about),
            b',"receipt":',
            _json(receipt),
            b"}",
        )
    )


def _json(value: object) -> bytes:
    return _ENCODER.encode(value).encode("utf-8")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
