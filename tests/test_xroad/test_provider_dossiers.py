"""Dossiers pushed and looked up over SOAP through the asker's and our security server."""

from tests.test_xroad.double import messages
from tests.test_xroad.double.messages import fields
from tests.test_xroad.double.soap_answer import SoapAnswer
from tests.test_xroad.double.vocabulary import Identifier
from tests.test_xroad.gateway import LIMITED, PROVINCE, Behind, header_blocks, payload, problem

CODE = "000.00.00.H26-261130-0001"


def inside(element: str, members: str) -> str:
    return f'<{element} xmlns="urn:lgsp:dossiers:1">{members}</{element}>'


PUSH = inside(
    "PushStatus",
    f"<code>{CODE}</code><key>xroad-1</key><at>2026-11-30T09:00:00+07:00</at><status>4</status><sequence>1</sequence>",
)
GET = inside("GetDossier", f"<code>{CODE}</code>")


def message(body: str, element: str, client: Identifier = PROVINCE) -> bytes:
    return messages.soap_request(body, fields(client, Behind.service(f"dossiers/{element}", element)))


async def asked(behind: Behind, envelope: bytes) -> SoapAnswer:
    """Ask through both servers; nothing of the protocol may be wrong with what comes back."""
    async with behind.server("dossiers") as server:
        answer = await server.call_soap(envelope)
    assert server.violations == []
    assert server.raw is not None
    assert header_blocks(server.raw.body) == header_blocks(envelope)
    return answer


async def test_a_status_is_pushed_once_by_whom_the_server_names(behind: Behind) -> None:
    first = payload(await asked(behind, message(PUSH, "PushStatus")))
    assert (first.findtext("{*}result"), first.findtext("{*}replayed")) == ("waiting", "false")
    again = payload(await asked(behind, message(PUSH, "PushStatus")))
    assert again.findtext("{*}replayed") == "true"
    assert again.findtext("{*}delivery") == first.findtext("{*}delivery")
    # Nobody has registered it: the owner's agency is not known, and nobody is told anything.
    assert problem(await asked(behind, message(GET, "GetDossier")))["code"] == "not-found"


async def test_others_may_not_push_and_the_service_code_has_to_be_the_wrapper(behind: Behind) -> None:
    refused = problem(await asked(behind, message(PUSH, "PushStatus", LIMITED)))
    assert (refused["code"], refused["reason"]) == ("refused", "no-right")
    other = problem(await behind.post(message(PUSH, "GetDossier"), "dossiers"))
    assert (other["code"], other["reason"]) == ("malformed", "xroad-headers")
