"""The header blocks of X-Road in bytes: what is written, and every way in which an answer fails to repeat it."""

import hashlib
from base64 import b64encode
from collections.abc import Callable

import pytest

from adapters.codecs import Unreadable
from adapters.xroad_soap import check_answer
from schemas.errors import UpstreamSignatureRejected

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
CLIENT = (
    '<x:client xmlns:x="http://x-road.eu/xsd/xroad.xsd" xmlns:i="http://x-road.eu/xsd/identifiers"'
    ' i:objectType="SUBSYSTEM"><i:xRoadInstance>VN</i:xRoadInstance><i:memberClass>GOV</i:memberClass>'
    "<i:memberCode>H26</i:memberCode><i:subsystemCode>lgsp</i:subsystemCode></x:client>"
)
ID = '<x:id xmlns:x="http://x-road.eu/xsd/xroad.xsd">4894e35d-bf0f-44a6-867a-8e51f1daa7e0</x:id>'
ISSUE = '<x:issue xmlns:x="http://x-road.eu/xsd/xroad.xsd">G01-261130-0001</x:issue>'
VERSION = '<x:protocolVersion xmlns:x="http://x-road.eu/xsd/xroad.xsd">4.0</x:protocolVersion>'
PARTY = (
    '<r:representedParty xmlns:r="http://x-road.eu/xsd/representation.xsd"><r:partyCode>H26.1</r:partyCode>'
    "</r:representedParty>"
)
BLOCKS = (CLIENT, ID, ISSUE, VERSION, PARTY)


def envelope(*blocks: str) -> bytes:
    header = f"<e:Header>{''.join(blocks)}</e:Header>"
    return f'<e:Envelope xmlns:e="{SOAP}">{header}<e:Body><a/></e:Body></e:Envelope>'.encode()


QUESTION = envelope(*BLOCKS)


def hash_of(question: bytes, uri: str = "http://www.w3.org/2001/04/xmlenc#sha512", name: str = "sha512") -> str:
    value = b64encode(hashlib.new(name, question).digest()).decode()
    return f'<x:requestHash xmlns:x="http://x-road.eu/xsd/xroad.xsd" algorithmId="{uri}">{value}</x:requestHash>'


def test_prefixes_white_space_and_other_blocks_are_free() -> None:
    check_answer(envelope(*BLOCKS), QUESTION)
    renamed = CLIENT.replace("x:", "road:").replace("xmlns:x=", "xmlns:road=").replace("i:", "d:").replace(":i=", ":d=")
    spread = ID.replace(">4894", ">\n  4894")
    check_answer(envelope("<mine>1</mine>", renamed, spread, ISSUE, VERSION, PARTY), QUESTION)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://www.w3.org/2001/04/xmlenc#sha256", "sha256"),
        ("http://www.w3.org/2001/04/xmldsig-more#sha384", "sha384"),
        ("http://www.w3.org/2001/04/xmlenc#sha512", "sha512"),
    ],
    ids=["sha256", "sha384", "sha512"],
)
def test_the_hash_is_that_of_the_very_bytes(uri: str, name: str) -> None:
    said = hash_of(QUESTION, uri, name)
    check_answer(envelope(CLIENT, ID, said, ISSUE, VERSION, PARTY), QUESTION)
    wrapped = said.replace('">', '">\n  ', 1).replace("==", "\n=\n=\n")
    check_answer(envelope(CLIENT, ID, ISSUE, VERSION, PARTY, wrapped), QUESTION)
    other = QUESTION.replace(b"<a/>", b"<a></a>")
    with pytest.raises(UpstreamSignatureRejected) as caught:
        check_answer(envelope(*BLOCKS, hash_of(other, uri, name)), QUESTION)
    assert caught.value.reason == "not-answer-to-request"


BROKEN: dict[str, Callable[[], bytes]] = {
    "no header": lambda: f'<e:Envelope xmlns:e="{SOAP}"><e:Body><a/></e:Body></e:Envelope>'.encode(),
    "reordered": lambda: envelope(ID, CLIENT, ISSUE, VERSION, PARTY),
    "one missing": lambda: envelope(CLIENT, ID, VERSION, PARTY),
    "one more": lambda: envelope(*BLOCKS, ISSUE.replace("issue", "userId")),
    "one twice": lambda: envelope(CLIENT, ID, ID, ISSUE, VERSION, PARTY),
    "another namespace": lambda: envelope(CLIENT, ID.replace("xroad.xsd", "xroad4.xsd"), ISSUE, VERSION, PARTY),
    "another party namespace": lambda: envelope(CLIENT, ID, ISSUE, VERSION, PARTY.replace("/xsd/r", "/r")),
    "no algorithm": lambda: envelope(*BLOCKS, hash_of(QUESTION).replace("algorithmId", "algorithm")),
    "md5": lambda: envelope(*BLOCKS, hash_of(QUESTION, "http://www.w3.org/2001/04/xmldsig-more#md5", "md5")),
    "hash twice": lambda: envelope(*BLOCKS, hash_of(QUESTION), hash_of(QUESTION)),
    "hash no base64": lambda: envelope(*BLOCKS, hash_of(QUESTION).replace("==<", "=*<")),
    "two headers": lambda: envelope(*BLOCKS).replace(b"<e:Body>", b"<e:Header/><e:Body>"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_no_answer_by_the_protocol_is_unreadable(how: str) -> None:
    with pytest.raises(Unreadable):
        check_answer(BROKEN[how](), QUESTION)


CHANGED = {
    "instance": (CLIENT, CLIENT.replace(">VN<", ">EE<")),
    "member": (CLIENT, CLIENT.replace(">H26<", ">H27<")),
    "order of codes": (
        CLIENT,
        CLIENT.replace("memberClass", "M").replace("memberCode", "memberClass").replace("M>", "memberCode>"),
    ),
    "type": (CLIENT, CLIENT.replace("SUBSYSTEM", "MEMBER")),
    "type without namespace": (CLIENT, CLIENT.replace("i:objectType", "objectType")),
    "codes in another namespace": (CLIENT, CLIENT.replace("/identifiers", "/identifier")),
    "id": (ID, ID.replace("4894", "4895")),
    "case of issue": (ISSUE, ISSUE.replace("G01", "g01")),
    "version": (VERSION, VERSION.replace("4.0", "4.1")),
    "party": (PARTY, PARTY.replace("H26.1", "H26.2")),
}


@pytest.mark.parametrize("how", CHANGED)
def test_another_value_is_an_answer_to_another_question(how: str) -> None:
    before, after = CHANGED[how]
    assert before != after
    with pytest.raises(UpstreamSignatureRejected) as caught:
        check_answer(envelope(*(after if block == before else block for block in BLOCKS)), QUESTION)
    assert caught.value.reason == "not-answer-to-request"
