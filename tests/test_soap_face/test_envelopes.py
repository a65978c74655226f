"""What the two specifications say about envelopes: their parts, header blocks that must be understood, encodings."""

import pytest
from lxml import etree

from tests.test_soap_face.conftest import SECRET, Refused
from tests.test_soap_face.gate import Gate
from tests.test_soap_face.messages import SOAP, VERSIONS, answer_of, envelope, person

BOTH = pytest.mark.parametrize("version", VERSIONS)
ASKED = person(f"<personalId>{SECRET}</personalId>")
NEXT = {"1.1": "http://schemas.xmlsoap.org/soap/actor/next", "1.2": f"{SOAP['1.2']}/role/next"}
NODE = {"1.1": "actor", "1.2": "role"}
SENDER = {"1.1": "Client", "1.2": "Sender"}
SENDER_STATUS = {"1.1": 500, "1.2": 400}


def whole(version: str, inside: str) -> bytes:
    return f'<e:Envelope xmlns:e="{SOAP[version]}">{inside}</e:Envelope>'.encode()


def body(inside: str) -> str:
    return f"<e:Body>{inside}</e:Body>"


BROKEN = {
    "empty": ("", "malformed"),
    "body-missing": ("<e:Header/>", "malformed"),
    "body-empty": ("<e:Body/>", "empty-body"),
    "body-of-white-space": ("<e:Body> \n </e:Body>", "empty-body"),
    "two-elements": (body(ASKED + ASKED), None),
    "text-before": (body("text" + ASKED), None),
    "text-after": (body(ASKED + SECRET), None),
    "text-alone": (body(SECRET), "empty-body"),
    "text-in-the-envelope": (SECRET + body(ASKED), None),
    "text-in-the-header": (f"<e:Header>{SECRET}</e:Header>" + body(ASKED), None),
    "two-bodies": (body(ASKED) + body(ASKED), None),
    "two-headers": ("<e:Header/><e:Header/>" + body(ASKED), None),
    "header-after-body": (body(ASKED) + "<e:Header/>", None),
    "something-after-body": (body(ASKED) + '<x xmlns="urn:x"/>', None),
    "something-before-body": ('<x xmlns="urn:x"/>' + body(ASKED), None),
    "body-of-another-namespace": ('<Body xmlns="urn:x">' + ASKED + "</Body>", None),
    "a-fault": (body("<e:Fault><faultcode>e:Client</faultcode><faultstring>x</faultstring></e:Fault>"), None),
}


@BOTH
@pytest.mark.parametrize("name", BROKEN)
def test_broken_envelopes(gate: Gate, version: str, name: str) -> None:
    inside, reason = BROKEN[name]
    reply = gate.send("/soap/population", whole(version, inside), version=version)
    refused = Refused(reply, version)
    assert (reply.status, refused.fault.code) == (SENDER_STATUS[version], SENDER[version])
    assert refused.code == ("not-found" if name == "a-fault" else "malformed")
    if reason == "empty-body":
        assert refused.fault.problem["reason"] == "empty-body"
    assert "receipt" in refused.fault.problem
    (entry,) = gate.entries(refused.fault.problem["requestId"])
    assert entry["database"] == "population"
    assert entry["caller"]["client"] == "ministry"


@BOTH
def test_what_is_no_envelope_at_all(gate: Gate, version: str) -> None:
    for document in (ASKED.encode(), b"<Envelopes/>", b"{}", b"", b" "):
        reply = gate.send("/soap/population", document, version=version)
        assert Refused(reply, version).code == "malformed"
        assert reply.status == SENDER_STATUS[version]


@BOTH
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        '<w:To xmlns:w="http://www.w3.org/2005/08/addressing">urn:x</w:To>',
        '<x:a xmlns:x="urn:x" e:mustUnderstand="0"><x:b/></x:a>',
        '<x:a xmlns:x="urn:x" e:mustUnderstand="false"/>',
        '<x:a xmlns:x="urn:x" e:relay="true"/>',
    ],
)
def test_blocks_that_nobody_has_to_understand(gate: Gate, question: str, version: str, header: str | None) -> None:
    reply = gate.send(
        "/soap/population", envelope(question, version, header or "", header=header is not None), version=version
    )
    assert reply.status == 200, reply.body


def must(version: str, node: str = "", name: str = '<x:a xmlns:x="urn:x"') -> str:
    return f'{name} e:mustUnderstand="1"{node and f" e:{NODE[version]}={chr(34)}{node}{chr(34)}"}/>'


@pytest.mark.parametrize(
    ("version", "node"),
    # SOAP 1.1 has no name for the ultimate receiver.
    [(version, node) for version in VERSIONS for node in ("absent", "next", "empty")] + [("1.2", "ultimate")],
)
def test_blocks_that_must_be_understood_and_are_not(gate: Gate, version: str, node: str) -> None:
    uris = {"absent": "", "empty": "", "next": NEXT[version], "ultimate": f"{SOAP['1.2']}/role/ultimateReceiver"}
    block = must(version, uris[node])
    if node == "empty":
        block = block.replace("/>", f' e:{NODE[version]}=""/>')
    reply = gate.send(
        "/soap/population", envelope(ASKED, version, block), {"X-Request-Id": f"must-{version}-{node}"}, version=version
    )
    refused = Refused(reply, version)
    assert (reply.status, refused.fault.code) == (500, "MustUnderstand")
    if version == "1.1":
        # Details are about the body only (section 4.4): the text says it, and which request it was stands in a header.
        assert refused.fault.problem == {}
        assert "malformed" in refused.fault.text
    else:
        (told,) = refused.fault.blocks
        assert told.tag == f"{{{SOAP['1.2']}}}NotUnderstood"
        prefix, _, local = told.get("qname", "").partition(":")
        assert (told.nsmap[prefix], local) == ("urn:x", "a")
        assert refused.fault.problem["reason"] == "must-understand"
    (entry,) = gate.entries(f"must-{version}-{node}")
    assert entry["outcome"]["code"] == "malformed"


@BOTH
@pytest.mark.parametrize("node", ["http://www.w3.org/2003/05/soap-envelope/role/none", "urn:somebody:else"])
def test_blocks_for_somebody_else_are_passed_over(gate: Gate, question: str, version: str, node: str) -> None:
    reply = gate.send("/soap/population", envelope(question, version, must(version, node)), version=version)
    assert reply.status == 200, reply.body
    assert etree.fromstring(reply.body).find("{*}Header") is None


@BOTH
@pytest.mark.parametrize("value", ["9", "2", "yes", "wrong", "", " ", "TRUE", "True", "01"])
def test_a_must_that_is_no_boolean(gate: Gate, version: str, value: str) -> None:
    """Nothing says whether it has to be understood (SOAP 1.1, section 4.2.3; SOAP 1.2 part 1, section 5.2.3)."""
    for block in (
        '<x:a xmlns:x="urn:x" e:mustUnderstand="{}"/>',
        '<g:Purpose e:mustUnderstand="{}">inspection</g:Purpose>',
    ):
        reply = gate.send("/soap/population", envelope(ASKED, version, block.format(value)), version=version)
        refused = Refused(reply, version)
        assert (refused.fault.code, refused.code) == (SENDER[version], "malformed")
    elsewhere = f'<x:a xmlns:x="urn:x" e:mustUnderstand="{value}" e:{NODE[version]}="urn:somebody"/>'
    reply = gate.send("/soap/population", envelope("", version, elsewhere), version=version)
    assert Refused(reply, version).fault.problem["reason"] == "empty-body"


@BOTH
def test_header_blocks_are_looked_at_before_the_body(gate: Gate, version: str) -> None:
    reply = gate.send("/soap/population", envelope("", version, must(version)), version=version)
    assert Refused(reply, version).fault.code == "MustUnderstand"


@BOTH
@pytest.mark.parametrize(
    ("name", "namespace"),
    [('<x:b xmlns:x="urn:x&#39;y"', "urn:x'y"), ('<x:ố xmlns:x="urn:x"', "urn:x")],
    ids=["special", "vietnamese"],
)
def test_names_that_are_not_understood_are_told_well_formed(
    gate: Gate, version: str, name: str, namespace: str
) -> None:
    reply = gate.send("/soap/population", envelope(ASKED, version, must(version, name=name)), version=version)
    refused = Refused(reply, version)
    assert refused.fault.code == "MustUnderstand"
    if version == "1.2":
        (told,) = refused.fault.blocks
        prefix, _, local = told.get("qname", "").partition(":")
        assert told.nsmap[prefix] == namespace
        assert name.startswith(f"<x:{local} ")


@BOTH
def test_a_block_without_a_namespace(gate: Gate, version: str) -> None:
    """No header block may be without one (SOAP 1.1, section 4.2; SOAP 1.2 part 1, section 5.2)."""
    reply = gate.send("/soap/population", envelope(ASKED, version, '<a e:mustUnderstand="1"/>'), version=version)
    refused = Refused(reply, version)
    assert refused.fault.code == SENDER[version]
    assert refused.code == "malformed"


@BOTH
def test_an_unknown_block_of_ours_that_must_be_understood(gate: Gate, version: str) -> None:
    reply = gate.send(
        "/soap/population", envelope(ASKED, version, '<g:Purposes e:mustUnderstand="1"/>'), version=version
    )
    assert Refused(reply, version).fault.code == "MustUnderstand"


@BOTH
def test_blocks_of_ours_may_have_to_be_understood(gate: Gate, question: str, version: str) -> None:
    blocks = '<g:Purpose e:mustUnderstand="1">inspection</g:Purpose>'
    reply = gate.send("/soap/population", envelope(question, version, blocks), {"Lgsp-Purpose": None}, version=version)
    assert reply.status == 200, reply.body


@BOTH
@pytest.mark.parametrize("place", ["envelope", "wrapper", "member"])
def test_messages_are_literal(gate: Gate, version: str, place: str) -> None:
    style = f'xmlns:e="{SOAP[version]}" e:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
    payload = ASKED
    if place == "wrapper":
        payload = ASKED.replace("<Person ", f"<Person {style} ")
    elif place == "member":
        payload = ASKED.replace("<personalId>", f"<personalId {style}>")
    document = envelope(payload, version)
    if place == "envelope":
        document = document.replace(b"<e:Envelope ", b"<e:Envelope e:encodingStyle='http://x' ")
    reply = gate.send("/soap/population", document, version=version)
    refused = Refused(reply, version)
    wanted = "Client" if version == "1.1" else "DataEncodingUnknown"
    assert (reply.status, refused.fault.code) == (500, wanted)
    assert refused.fault.problem["reason"] == "encoding-style"


@BOTH
def test_a_message_as_rpc_encoded_clients_send_it(gate: Gate, version: str) -> None:
    payload = (
        '<n:Person xmlns:n="urn:lgsp:population:1" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:s="http://www.w3.org/2001/XMLSchema"><personalId x:type="s:string">{SECRET}</personalId></n:Person>'
    )
    reply = gate.send("/soap/population", envelope(payload, version), version=version)
    refused = Refused(reply, version)
    assert refused.code == "invalid"
    assert refused.pointers == ["/Person/personalId"]


@BOTH
@pytest.mark.parametrize("hint", ["file:///etc/passwd", "http://127.0.0.1:9/x.xsd"])
def test_hints_where_schemas_are_lead_nowhere(gate: Gate, question: str, version: str, hint: str) -> None:
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    payload = question.replace(
        "<Person ", f'<Person xmlns:i="{xsi}" i:schemaLocation="urn:lgsp:population:1 {hint}" ', 1
    )
    reply = gate.send("/soap/population", envelope(payload, version), version=version)
    assert reply.status == 200, reply.body


@BOTH
def test_prefixes_and_white_space_mean_nothing(gate: Gate, known: str, version: str) -> None:
    document = (
        f"\ufeff<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n\n<!-- made by hand -->\n"
        f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{SOAP[version]}"\n  xmlns="urn:other">\n <SOAP-ENV:Header />\n'
        f' <SOAP-ENV:Body id="x">\n  <q:Person xmlns:q="urn:lgsp:population:1">\n   <!-- Optional: -->\n'
        f"   <q:personalId\n>{known}</q:personalId>\n  </q:Person>\n </SOAP-ENV:Body>\n</SOAP-ENV:Envelope>\n\n"
    )
    reply = gate.send("/soap/population", document.encode(), version=version)
    assert reply.status == 200, reply.body
    assert answer_of(reply.body, version).findtext("{*}data/{*}personalId") == known
