"""`POST /soap/dossiers`: dossiers and statuses pushed and looked up over SOAP (gửi và tra cứu hồ sơ qua SOAP).

The work is that of the REST face, and so are rights, evidence and errors; only what carries it is another. The key by
which a push that is sent again is known stands in the Body, which a caller who signs has signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from adapters.offloading import in_thread
from routes.context import BASE_URL, CALLER, REQUEST_ID
from routes.direct import Whole
from routes.dossiers.asking import LIMIT, pusher
from routes.dossiers.counting import counted_refusals
from routes.dossiers.lines import Line, Refused, take_lines
from routes.dossiers.published import Parts, refusing
from routes.dossiers.pushing import REPLAYED, pushed, registered
from routes.dossiers.stream import AT_ONCE
from routes.dossiers.viewing import CURSOR, deliveries_page, dossier_shown, position_of
from routes.language import preferred
from routes.soap.addressed import heard, no_operation
from routes.soap.dossiers_answers import receipt_of, shown_writers, whole_told, written_lines
from routes.soap.dossiers_contract import OFFERED, SERVICE, dossiers_wsdl, request_name
from routes.soap.dossiers_questions import Event, event_reader, placed, readers
from routes.soap.face import Means
from routes.soap.faults import content_type
from routes.soap.incoming import Incoming, receive
from routes.soap.published import add_contract
from routes.soap.replies import REPLY, envelope
from schemas.dossiers.idempotency import HEADER, key_from_header
from schemas.dossiers.messages import GetDossier, ListDeliveries, PushStatus, RegisterDossier
from schemas.errors import Flaw, GatewayError, Invalid, Malformed, Overloaded, Text
from security.xml import MESSAGE
from sync.intake import GROUP, Taken
from sync.repair import Filter

_BREATH: Final = 32
"""Events that are read or made ready at a stretch, before others have their turn."""
_NO_FIELDS: Final = Text("dịch vụ này trả lời đủ các trường", "this service answers with all fields")
_OTHER_KEY: Final = Text(
    "khóa chống trùng nêu trong Body; tiêu đề HTTP phải vắng mặt hoặc nêu đúng khóa đó",
    "the key stands in the Body: the HTTP header has to be absent or to say the same",
)

Answer = tuple[bytes, bool]
"""The wrapper that answers, and whether the answer was given before."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A request of somebody who may push, read as far as its envelope."""

    request: web.Request
    incoming: Incoming

    @property
    def id(self) -> str:
        return self.request[REQUEST_ID]


class _Service:
    """The operations; one for each is called by the element of its request."""

    def __init__(self, parts: Parts, means: Means) -> None:
        self._intake, self._once, self._prove = parts.means.intake, parts.means.once, parts.means.prove
        self._looks = parts.looks
        self._refused: Refused = refusing(parts.looks.log)
        self._means = means
        self._read, self._read_events, self._write = readers(), event_reader(), shown_writers()
        self._operations: dict[str, Callable[[_Call], Awaitable[Answer]]] = {
            "RegisterDossier": self._register,
            "PushStatus": self._push,
            "PushStatuses": self._push_many,
            "GetDossier": self._look,
            "ListDeliveries": self._list,
        }
        self._elements = {request_name(element): element for element in OFFERED}
        self._large = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request.

        Many events with what is said about them are longer than any question: what is, has to say so beforehand, and
        only so many of these are read at once, since who sends it may not be known before all of it is there.
        """
        if (request.content_length or 0) <= self._means.max_body:
            return await self._answer(request, self._means.max_body)
        if self._large >= AT_ONCE:
            raise Overloaded(retry_after=2)
        self._large += 1
        try:
            return await self._answer(request, max(self._means.max_body, MESSAGE.size))
        finally:
            self._large -= 1

    async def _answer(self, request: web.Request, max_body: int) -> web.Response:
        reply = request[REPLY]
        reply.database = SERVICE
        incoming = await receive(request, self._means.judges, max_body)
        element = self._elements.get(incoming.payload.tag)
        if element is None:
            raise no_operation(incoming.payload, self._elements)
        reply.operation = OFFERED[element].recorded
        said = heard(request, incoming, SERVICE, element)
        pusher(request)
        if said.fields is not None and any(said.fields):
            raise Invalid(flaws=[Flaw("", _NO_FIELDS, header="Fields")])
        payload, replayed = await self._operations[element](_Call(request, incoming))
        body = await envelope(payload, reply, self._means.signer)
        headers = {"Content-Type": content_type(reply.version)} | ({REPLAYED: "true"} if replayed else {})
        return Whole(body, headers)

    async def _register(self, call: _Call) -> Answer:
        question: RegisterDossier = await self._question(call, "RegisterDossier")
        _check_header(call.request, question.key)
        caller = call.request[CALLER]
        with counted_refusals("soap"):
            async with self._intake.working_on(caller, question.key):
                told, taken = await registered(
                    self._intake, caller, call.id, question.code, question.key, question.dossier, door="soap"
                )
        return await self._taken(call, "RegisterDossier", told, taken)

    async def _push(self, call: _Call) -> Answer:
        question: PushStatus = await self._question(call, "PushStatus")
        _check_header(call.request, question.key)
        caller = call.request[CALLER]
        try:
            with counted_refusals("soap"):
                async with self._intake.working_on(caller, question.key):
                    told, taken = await pushed(
                        self._intake, caller, call.id, question.code, question.key, question, door="soap"
                    )
        except GatewayError as error:
            raise placed(error, "PushStatus") from None
        return await self._taken(call, "PushStatus", told, taken)

    async def _push_many(self, call: _Call) -> Answer:
        payload = call.incoming.payload
        if sum(len(events) for events in payload) > _BREATH:
            events = await in_thread(self._read_events, payload)
        else:
            events = self._read_events(payload)
        await self._count_once(call)
        caller = call.request[CALLER]
        lines: list[Line] = []
        ended: list[Taken | GatewayError] = []
        for number, event in enumerate(events, 1):
            lines.append(self._line(call, number, event))
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        for start in range(0, len(lines), GROUP):
            group = lines[start : start + GROUP]
            # What earlier groups made durable has to be told, whatever becomes of the others.
            ended += await take_lines(self._intake, caller, call.id, group, self._refused, begun=start > 0, door="soap")
        language = preferred(call.request.headers.get("Accept-Language"))
        write = partial(written_lines, request_id=call.id, language=language, base_url=call.request.app[BASE_URL])
        if len(lines) > _BREATH:
            return await in_thread(write, lines, ended), False
        return write(lines, ended), False

    def _line(self, call: _Call, number: int, event: Event) -> Line:
        body = event.pushed
        if body is None:
            return Line(number, event.code, event.key, error=event.error)
        push = self._intake.prepare(call.request[CALLER], body.code, body.key, body)
        return Line(number, event.code, event.key, push)

    async def _look(self, call: _Call) -> Answer:
        question: GetDossier = await self._question(call, "GetDossier")
        told, receipt = await dossier_shown(self._looks, call.request[CALLER], question.code, call.id)
        proof = await self._prove(receipt) if call.request[REPLY].full_receipt else None
        return self._write["GetDossier"](whole_told(told), receipt_of(receipt, proof)), False

    async def _list(self, call: _Call) -> Answer:
        question: ListDeliveries = await self._question(call, "ListDeliveries")
        try:
            after = position_of(question.after)
        except ValueError:
            raise Invalid(flaws=[Flaw("/ListDeliveries/after", CURSOR)]) from None
        limit = LIMIT if question.limit is None else question.limit
        said = question.model_dump(exclude={"limit", "after"}, exclude_none=True)
        told = await deliveries_page(self._looks, Filter(call.request[CALLER].agency, **said), limit, after)
        return self._write["ListDeliveries"](told, ""), False

    async def _question(self, call: _Call, element: str) -> Any:
        question = self._read[element](call.incoming.payload)
        await self._count_once(call)
        return question

    async def _count_once(self, call: _Call) -> None:
        if call.incoming.signed is not None:
            await self._once(call.incoming.signed)

    async def _taken(self, call: _Call, element: str, told: dict[str, Any], taken: Taken) -> Answer:
        proof = await self._prove(taken.receipt) if call.request[REPLY].full_receipt else None
        written = self._write[element](told | {"replayed": taken.replayed}, receipt_of(taken.receipt, proof))
        return written, taken.replayed


def _check_header(request: web.Request, key: str | None) -> None:
    """Raise Malformed where an HTTP header says another key than the Body, or one that the Body does not say."""
    sent = request.headers.getall(HEADER, ())
    if not sent:
        return
    try:
        agrees = key_from_header(sent) == key
    except ValueError:
        agrees = False
    if not agrees:
        raise Malformed(_OTHER_KEY, flaws=[Flaw("", _OTHER_KEY, header=HEADER)])


def add_soap_dossiers(router: web.UrlDispatcher, parts: Parts, means: Means, public_url: str) -> None:
    """Add the service and its contract."""
    add_contract(router, SERVICE, partial(dossiers_wsdl, public_url))
    router.add_post(f"/soap/{SERVICE}", _Service(parts, means).answer)
