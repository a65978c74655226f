"""What every operation of the SOAP face does with a message before it looks at the question (kiểm tra phần chung)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from aiohttp import web

from routes.bodies import check_repeated, once
from routes.context import REQUEST_ID
from routes.frame import is_fit
from routes.recorded import wants_full_receipt
from routes.soap.addressing import check_action
from routes.soap.context import Said, said_in
from routes.soap.envelopes import action_in
from routes.soap.incoming import Incoming
from routes.soap.names import action_of
from routes.soap.replies import REPLY
from routes.soap.xroad import check_service
from routes.xroad import dossier_of_issue, officer_of_user
from schemas.errors import Flaw, Invalid, Malformed, NotFound, Text
from security.xml import Element

_NO_OPERATION: Final = Text("Dịch vụ này không có thao tác đó", "The service has no such operation")
_WRONG_NAMESPACE: Final = Text(
    "Phần tử trong Body thuộc không gian tên khác với hợp đồng WSDL",
    "The element in the Body is of another namespace than in the WSDL",
)
_OF_CONTRACTS: Final = frozenset({"wsdl", "soap"})
_NO_QUERY: Final = Text(
    "Địa chỉ SOAP không nhận tham số; các trường cần lấy được nêu trong khối Header Fields",
    "A SOAP address takes no parameters; which fields are asked for is said in the header block Fields",
)
_WRONG_ACTION: Final = Text(
    "SOAPAction (action) nêu thao tác khác với phần tử trong Body",
    "SOAPAction (action) names another operation than the element in the Body",
)


def no_operation(payload: Element, names: Collection[str]) -> NotFound:
    """Return what a caller is told whose request is none of these operations, named in Clark notation."""
    local = str(payload.tag).rpartition("}")[2]
    near = any(name.rpartition("}")[2] == local for name in names)
    return NotFound(_WRONG_NAMESPACE if near else _NO_OPERATION)


def heard(request: web.Request, incoming: Incoming, service: str, element: str) -> Said:
    """Return what is said beside the question of an operation; what the answer needs of it is noted in its Reply.

    Raises Malformed and Invalid, also where the action or the X-Road service names another operation than `element`.
    """
    headers = request.headers
    check_repeated(headers)
    # Some tools post to the address that they read the contract at; anything else would be passed over in silence.
    if request.query_string and not _OF_CONTRACTS.issuperset(name.lower() for name in request.query):
        raise Invalid(flaws=[Flaw("", _NO_QUERY)])
    reply = request[REPLY]
    said = said_in(incoming.blocks, headers, signed=incoming.signed is not None)
    reply.purpose = said.purpose
    reply.full_receipt = wants_full_receipt(said.receipt)
    if said.request_id is not None and is_fit(said.request_id):
        request[REQUEST_ID] = said.request_id
    once(headers, "SOAPAction")
    action = action_of(service, element)
    if action_in(reply.version, headers) not in ("", action):
        place = "SOAPAction" if reply.version == "1.1" else "Content-Type"
        raise Malformed(_WRONG_ACTION, flaws=[Flaw("", _WRONG_ACTION, header=place)])
    check_action(incoming.blocks, action)
    if incoming.xroad is not None:
        check_service(incoming.xroad, element)
    return said


def stood_in(incoming: Incoming, said: Said) -> tuple[str | None, str | None]:
    """Return dossier and officer of a message, in X-Road's words where ours are absent; raises Invalid.

    As over REST they count on a security server's connection only.
    """
    dossier, officer = said.dossier, said.officer
    if incoming.xroad is not None and incoming.caller.credential.kind == "xroad":
        dossier = dossier or dossier_of_issue(incoming.xroad.issue, "issue")
        officer = officer or officer_of_user(incoming.xroad.user_id, "userId")
    return dossier, officer
