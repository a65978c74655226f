"""`POST /soap/{database}`: the SOAP face of every database (tra cứu dữ liệu qua SOAP)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web
from lxml import etree

from adapters.offloading import LARGE, in_thread
from routes.bodies import once
from routes.context import REQUEST_ID
from routes.direct import Whole
from routes.exchanges import DEADLINE, Prove
from routes.soap.addressed import heard, no_operation, stood_in
from routes.soap.answers import WriteAnswer, answer_writer
from routes.soap.faults import content_type
from routes.soap.incoming import Incoming, Judges, receive
from routes.soap.names import element_of, namespace, snake_paths
from routes.soap.questions import ReadQuestion, question_reader
from routes.soap.replies import REPLY, envelope
from routes.soap.wsdl import database_wsdl
from schemas.errors import Invalid, Refused
from schemas.exchange import Database, Exchange, Handler, Operation
from schemas.fields import Question, shape_of
from schemas.ids import new_id
from security.answer_signing import AnswerSigner
from security.xml import compile_schema


class Served(NamedTuple):
    """An operation compiled for this face; `paths` are the dotted paths of its answer's members by their elements'."""

    operation: Operation
    element: str
    read: ReadQuestion
    write: WriteAnswer
    paths: dict[str, str]


class Means(NamedTuple):
    """What the face works with; `signer` signs answers to callers who signed."""

    handler: Handler
    prove: Prove
    judges: Judges
    signer: AnswerSigner
    max_body: int


def add_soap(router: web.UrlDispatcher, databases: Iterable[Database], means: Means) -> None:
    """Add the address of each database; raises ConfigurationError for declarations that no contract can show."""
    for database in databases:
        router.add_post(f"/soap/{database.name}", _route(database, compiled(database), means))


def compiled(database: Database) -> dict[str, Served]:
    """Compile the operations of a database, by the Clark name of their requests."""
    schema: etree.XMLSchema = compile_schema(database_wsdl(database, ""))
    found: dict[str, Served] = {}
    for operation in database.operations:
        element = element_of(operation)
        found[f"{{{namespace(database.name)}}}{element}"] = Served(
            operation,
            element,
            question_reader(database, operation, schema),
            answer_writer(database, operation),
            snake_paths(shape_of(operation.answer)),
        )
    return found


def _route(
    database: Database, operations: dict[str, Served], means: Means
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def ask(request: web.Request) -> web.Response:
        reply = request[REPLY]
        reply.database = database.name
        incoming = await receive(request, means.judges, means.max_body)
        headers = request.headers
        served = operations.get(incoming.payload.tag)
        if served is None:
            raise no_operation(incoming.payload, operations)
        operation = served.operation
        reply.operation = operation.name
        said = heard(request, incoming, database.name, served.element)
        question = _question(database, served, incoming)
        dossier, officer = stood_in(incoming, said)
        exchange = Exchange(
            id=new_id(),
            database=database,
            operation=operation,
            question=question,
            caller=incoming.caller,
            purpose=said.purpose,
            dossier=dossier,
            officer=officer,
            asked_fields=None if said.fields is None else tuple(served.paths.get(path, path) for path in said.fields),
            request_id=request[REQUEST_ID],
            traceparent=once(headers, "traceparent"),
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + DEADLINE,
            signed=incoming.signed,
            as_xml=True,
        )
        answer = await means.handler(exchange)
        proof = None
        if reply.full_receipt and answer.receipt is not None:
            proof = await means.prove(answer.receipt)
        if len(answer.canonical) < LARGE:
            payload = served.write(exchange.id, answer, proof)
        else:
            payload = await in_thread(served.write, exchange.id, answer, proof)
        body = await envelope(payload, reply, means.signer)
        return Whole(body, {"Content-Type": content_type(reply.version)})

    return ask


def _question(database: Database, served: Served, incoming: Incoming) -> Question:
    try:
        return served.read(incoming.payload)
    except Invalid:
        # Who may not ask at all is not taught how to.
        if (database.name, served.operation.name) not in incoming.caller.grants:
            raise Refused(reason="no-grant") from None
        raise
