"""What a client of X-Road may ask, asked through its security server over SOAP."""

from tests.test_xroad.double import messages
from tests.test_xroad.double.messages import fields
from tests.test_xroad.gateway import PROVINCE, Behind, header_blocks, payload, problem

ME = '<Me xmlns="urn:lgsp:me:1"/>'
SERVICE = Behind.service("me/me")


async def test_the_client_is_told_about_itself(behind: Behind) -> None:
    envelope = messages.soap_request(ME, fields(PROVINCE, SERVICE))
    async with behind.server("me") as server:
        answer = await server.call_soap(envelope)
    assert server.violations == []
    assert server.raw is not None
    assert header_blocks(server.raw.body) == header_blocks(envelope)
    told = payload(answer)
    assert told.findtext("{*}clientId") == "province"
    assert f"xroad:{PROVINCE}" in [each.text for each in told.iterfind("{*}credentials/{*}item/{*}id")]
    assert told.findall("{*}grants/{*}item")


async def test_the_service_code_has_to_be_the_wrapper(behind: Behind) -> None:
    other = messages.soap_request(ME, fields(PROVINCE, Behind.service("me/me", "Person")))
    found = problem(await behind.post(other, "me"))
    assert (found["code"], found["reason"]) == ("malformed", "xroad-headers")
