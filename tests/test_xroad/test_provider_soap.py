"""Our SOAP services behind a security server: who asks, what is repeated, what is refused, over real mTLS."""

import base64
import json
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from adapters import DATABASES
from tests.test_gateway.live import Caller
from tests.test_xroad.double.messages import CLIENT, NUMBER, fields, identifier_field, spoiled
from tests.test_xroad.double.vocabulary import Identifier
from tests.test_xroad.gateway import (
    DOSSIER,
    LIMITED,
    PERSON,
    PROVINCE,
    Behind,
    data,
    header_blocks,
    payload,
    problem,
)

OPERATIONS = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]


async def direct(caller: Caller, path: str, envelope: bytes, client: str | None = "province", **headers: str) -> Any:
    """The same message from somebody who is no security server."""
    sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', **headers}
    if client is not None:
        papers = caller.live.described["clients"][client]
        word = f"{papers['client_id']}:{papers['client_secret']}".encode()
        sent["Authorization"] = f"Basic {base64.b64encode(word).decode()}"
    return await caller.send("POST", f"/soap/{path}", data=envelope, headers=sent)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_operation_answers_as_it_does_directly(behind: Behind, caller: Caller, name: str) -> None:
    database = name.partition("/")[0]
    envelope = behind.envelope(name)
    async with behind.server(database) as server:
        answer = await server.call_soap(envelope)
    assert (answer.status, server.violations) == (200, [])
    assert server.raw is not None
    # `requestHash` is the server's own.
    assert header_blocks(server.raw.body) == header_blocks(envelope)
    plain = await direct(caller, database, envelope)
    assert plain.status == 200
    assert data(answer) == data(type(answer)(200, None, plain.body))


ODD = f"""
<weird:client xmlns:weird="http://x-road.eu/xsd/xroad.xsd" xmlns:i2="http://x-road.eu/xsd/identifiers"
 i2:objectType="SUBSYSTEM"><i2:xRoadInstance>LGSP-SANDBOX</i2:xRoadInstance><i2:memberClass>GOV</i2:memberClass
 ><i2:memberCode>H26</i2:memberCode><i2:subsystemCode>DVC</i2:subsystemCode></weird:client>
<userId xmlns="http://x-road.eu/xsd/xroad.xsd">VN001085012345</userId>
<xrd:issue xmlns:unused="urn:of:nobody">{DOSSIER}</xrd:issue>
<xrd:id>a&lt;b &amp; "c" &#xE1;&#x301;</xrd:id>
"""


async def test_headers_come_back_as_they_were_sent(behind: Behind) -> None:
    """In their order, with foreign prefixes, default namespaces, markup and decomposed letters in a value."""
    service = identifier_field("service", behind.service(PERSON))
    party = (
        '<r:representedParty xmlns:r="http://x-road.eu/xsd/representation.xsd">'
        "<r:partyClass>COM</r:partyClass><r:partyCode>0100109106</r:partyCode></r:representedParty>"
    )
    header = f"<xrd:protocolVersion>4.0</xrd:protocolVersion>{party}{ODD}{service}"
    envelope = behind.envelope(header=header)
    async with behind.server() as server:
        await server.call_soap(envelope)
    assert server.violations == []
    assert server.raw is not None
    repeated = header_blocks(server.raw.body)
    assert repeated == header_blocks(envelope)
    assert len(repeated) == 7
    assert b"partyCode>0100109106<" in server.raw.body


async def test_a_fault_repeats_them_too(behind: Behind) -> None:
    envelope = spoiled(behind.envelope(), behind.asked(PERSON)["body"]["personal_id"], "001090")
    async with behind.server() as server:
        answer = await server.call_soap(envelope)
    assert server.violations == []
    assert problem(answer)["code"] == "invalid"
    assert header_blocks(answer.body) == header_blocks(envelope)


@pytest.mark.parametrize(
    "stranger",
    ["LGSP-SANDBOX/GOV/H26/dvc", "LGSP-SANDBOX/GOV/H26", "VN/GOV/H26/DVC", "LGSP-SANDBOX/GOV/H27/DVC"],
)
async def test_a_client_that_nobody_registered(behind: Behind, stranger: str) -> None:
    envelope = behind.envelope(client=Identifier.of(stranger))
    async with behind.server() as server:
        answer = await server.call_soap(envelope)
    assert server.violations == []
    found = problem(answer)
    assert (found["code"], found["reason"], found["requestId"]) == ("unauthenticated", "unknown", NUMBER)
    lines = (behind.live.state / "gateway.log").read_text(encoding="utf-8").splitlines()
    refused = [one for each in lines if (one := json.loads(each))["event"] == "xroad-client-refused"]
    assert (refused[-1]["client"], refused[-1]["request_id"]) == (stranger, NUMBER)
    assert header_blocks(answer.body) == header_blocks(envelope)


async def test_a_part_with_a_slash_is_no_other_client(behind: Behind) -> None:
    member = "<id:memberCode>H26</id:memberCode><id:subsystemCode>DVC</id:subsystemCode>"
    envelope = spoiled(behind.envelope(), member, "<id:memberCode>H26/DVC</id:memberCode>")
    envelope = envelope.replace(b'"SUBSYSTEM"', b'"MEMBER"', 1)
    found = problem(await behind.post(envelope))
    assert (found["code"], found["reason"]) == ("unauthenticated", "malformed")


async def test_blanks_around_a_code_are_part_of_it(behind: Behind) -> None:
    found = problem(await behind.post(spoiled(behind.envelope(), MEMBER, MEMBER.replace("H26", " H26"))))
    assert (found["code"], found["reason"]) == ("unauthenticated", "malformed")


async def test_without_x_road_headers_a_server_is_nobody(behind: Behind) -> None:
    papers = behind.live.described["clients"]["province"]
    word = base64.b64encode(f"{papers['client_id']}:{papers['client_secret']}".encode()).decode()
    proofs: tuple[dict[str, str], ...] = ({}, {"Authorization": f"Basic {word}"})
    for proof in proofs:
        answer = await behind.post(behind.envelope(header=""), **proof)
        # Of another status a server would read nothing.
        assert (answer.status, problem(answer)["reason"]) == (500, "missing")
        assert "X-Road" in problem(answer)["detail"]


async def test_who_also_proves_to_be_somebody_else_is_nobody(behind: Behind) -> None:
    for client, status in (("province", 200), ("ministry", 500)):
        papers = behind.live.described["clients"][client]
        word = base64.b64encode(f"{papers['client_id']}:{papers['client_secret']}".encode()).decode()
        answer = await behind.post(behind.envelope(), Authorization=f"Basic {word}")
        assert answer.status == status
        if status == 500:
            assert problem(answer)["code"] == "unauthenticated"


async def test_from_anybody_else_the_headers_identify_nobody_and_are_repeated(
    behind: Behind, caller: Caller, clients_own: ssl.SSLContext
) -> None:
    envelope = behind.envelope(client=LIMITED)
    nobody = await direct(caller, "population", envelope, client=None)
    assert nobody.status == 401
    answered = await direct(caller, "population", envelope)
    assert (answered.status, header_blocks(answered.body)) == (200, header_blocks(envelope))
    # The certificate of `province` decides, not the client that the headers name: that one may see two fields only.
    async with behind.server(tls=clients_own) as other:
        answer = await other.call_soap(envelope)
    assert other.violations == []
    assert b"<personalId>" in data(answer)


async def test_userid_and_issue_are_officer_and_dossier(behind: Behind, caller: Caller) -> None:
    """`limited` has to name both; its own grant is for one purpose."""
    said = {"client": LIMITED, "without": ("Purpose", "Dossier", "Officer")}
    purpose = '<g:Purpose xmlns:g="urn:lgsp:gateway:1">identity-verification</g:Purpose>'
    async with behind.server() as server:
        for user, issue, code in (
            ("VNdemo.officer", DOSSIER, None),
            (None, DOSSIER, "officer"),
            ("VNa", None, "dossier"),
        ):
            envelope = behind.envelope(**said, user=user, issue=issue).replace(
                b"</soap:Header>", f"{purpose}</soap:Header>".encode()
            )
            answer = await server.call_soap(envelope)
            if code is None:
                assert [each.tag.rpartition("}")[2] for each in payload(answer)[0]] == ["fullName", "birthDate"]
            else:
                assert code in problem(answer)["code"]
    assert server.violations == []
    for said_wrong, header in (({"user": "VN!"}, "userId"), ({"issue": "no dossier"}, "issue")):
        wrong = {"user": "VNdemo.officer", "issue": DOSSIER} | said_wrong
        envelope = behind.envelope(**said, **wrong).replace(b"</soap:Header>", f"{purpose}</soap:Header>".encode())
        answer = await behind.post(envelope)
        assert problem(answer)["code"] == "invalid"
        assert f"<g:header>{header}</g:header>".encode() in answer.body


async def test_userid_and_issue_of_anybody_else_count_as_nothing(behind: Behind, caller: Caller) -> None:
    """As over REST: who proves itself by a token has said neither officer nor dossier."""
    purpose = '<g:Purpose xmlns:g="urn:lgsp:gateway:1">identity-verification</g:Purpose>'
    envelope = behind.envelope(client=LIMITED, without=("Purpose", "Dossier", "Officer")).replace(
        b"</soap:Header>", f"{purpose}</soap:Header>".encode()
    )
    headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {await caller.token('limited')}"}
    reply = await caller.send("POST", "/soap/population", data=envelope, headers=headers)
    assert b"<g:code>dossier-required</g:code>" in reply.body


async def test_the_service_code_has_to_be_the_wrapper(behind: Behind) -> None:
    found = problem(await behind.post(behind.envelope(service="Relation")))
    assert (found["code"], found["reason"]) == ("malformed", "xroad-headers")


MEMBER = "<id:memberCode>H26</id:memberCode>"
BROKEN: dict[str, Callable[[str], str]] = {
    "version 3.1": lambda text: text.replace(">4.0<", ">3.1<"),
    "a request hash": lambda text: text + '<xrd:requestHash algorithmId="x">AA==</xrd:requestHash>',
    "two clients": lambda text: text + identifier_field("client", LIMITED),
    "two ids": lambda text: text + "<xrd:id>2</xrd:id>",
    "two users": lambda text: text + "<xrd:userId>VN2</xrd:userId>",
    "two issues": lambda text: text + "<xrd:issue>2</xrd:issue>",
    "no id": lambda text: text.replace(f"<xrd:id>{NUMBER}</xrd:id>", ""),
    "no version": lambda text: text.replace("<xrd:protocolVersion>4.0</xrd:protocolVersion>", ""),
    "a client without a member": lambda text: text.replace("<id:memberCode>H26</id:memberCode>", ""),
    "a member with a subsystem": lambda text: text.replace('"SUBSYSTEM"', '"MEMBER"', 1),
    "a client without its type": lambda text: text.replace('id:objectType="SUBSYSTEM"', "", 1),
    "a part of a foreign namespace": lambda text: text.replace(
        "<id:memberCode>H26</id:memberCode>", "<memberCode>H26</memberCode>"
    ),
    "a part twice": lambda text: text.replace(
        "<id:memberCode>H26<", "<id:memberCode>H27</id:memberCode><id:memberCode>H26<"
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_headers_that_no_server_would_forward(behind: Behind, kind: str) -> None:
    header = BROKEN[kind](fields(PROVINCE, behind.service(PERSON), user="VNdemo.officer", issue=DOSSIER))
    answer = await behind.post(behind.envelope(header=header))
    found = problem(answer)
    assert (answer.status, found["code"], found["reason"]) == (500, "malformed", "xroad-headers")


async def test_an_attachment_is_refused_in_words_that_come_through(behind: Behind) -> None:
    """Of an answer that is not 200 or 500 a server carries nothing on."""
    part = b"--x\r\nContent-Type: text/xml\r\n\r\n" + behind.envelope() + b"\r\n--x--"
    answer = await behind.post(part, **{"Content-Type": 'multipart/related; boundary="x"; type="text/xml"'})
    assert (answer.status, problem(answer)["code"]) == (500, "unsupported-media-type")


async def test_what_may_i_call(behind: Behind) -> None:
    envelope = behind.envelope(body='<Me xmlns="urn:lgsp:me:1"/>', service="Me")
    async with behind.server("me") as server:
        answer = await server.call_soap(envelope)
    assert server.violations == []
    told = payload(answer)
    assert told.findtext("{*}clientId") == "province"
    kinds = [each.findtext("{*}kind") for each in told.iterfind("{*}credentials/{*}item")]
    assert "xroad" in kinds


async def test_the_client_of_the_double_is_not_ours() -> None:
    """Else every test of strangers would prove nothing."""
    assert CLIENT not in (PROVINCE, LIMITED)
