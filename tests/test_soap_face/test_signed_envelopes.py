"""Who signs is told the same about envelopes as anybody else, and nothing counts for it that nobody signed."""

import pytest

from tests.test_soap_face.conftest import Refused
from tests.test_soap_face.gate import Gate
from tests.test_soap_face.messages import MEDIA, SOAP, VERSIONS, envelope, fault_of, person
from tests.test_soap_face.signing import PURPOSE, send, signed

BOTH = pytest.mark.parametrize("version", VERSIONS)
OTHER = {"1.1": "1.2", "1.2": "1.1"}
STYLE = b'encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
# Added by somebody on the way, or by the tool of the sender.
ADDED = {
    "style-of-the-envelope": (b"<e:Envelope ", b"<e:Envelope e:%b " % STYLE),
    "style-of-the-header": (b"<e:Header>", b"<e:Header e:%b>" % STYLE),
    "block-of-no-namespace": (b"</e:Header>", b"<a/></e:Header>"),
    "text-in-the-header": (b"</e:Header>", b"text</e:Header>"),
    "text-before-the-first-block": (b"<e:Header>", b"<e:Header>text"),
}


@BOTH
def test_who_signs_is_answered(gate: Gate, question: str, version: str) -> None:
    reply = send(gate, signed(gate, question, version), version)
    assert reply.status == 200, reply.body


@BOTH
@pytest.mark.parametrize("proof", ["none", "secret"])
def test_an_envelope_of_the_other_version(gate: Gate, question: str, version: str, proof: str) -> None:
    headers = {"Authorization": gate.basic() if proof == "secret" else None, "Content-Type": MEDIA[version]}
    for document in (signed(gate, question, OTHER[version]), envelope(question, OTHER[version], PURPOSE)):
        told = send(gate, document, OTHER[version], headers)
        if proof == "none" and b"Signature" not in document:
            continue
        assert Refused(told, version).fault.code == "VersionMismatch", told.body


@BOTH
@pytest.mark.parametrize("name", ADDED)
def test_what_was_added_is_refused_as_it_is_without_a_signature(
    gate: Gate, question: str, version: str, name: str
) -> None:
    before, after = ADDED[name]
    faults = []
    for document in (envelope(question, version, PURPOSE), signed(gate, question, version)):
        assert before in document
        changed = document.replace(before, after, 1)
        reply = send(gate, changed, version, {"Authorization": gate.basic() if document is not changed else None})
        refused = Refused(reply, version)
        faults.append((refused.fault.code, refused.code, refused.fault.problem.get("reason")))
    assert faults[0] == faults[1]
    assert faults[0][1] == "malformed"


@BOTH
def test_an_encoding_inside_the_body(gate: Gate, version: str) -> None:
    styled = f'<Person xmlns="urn:lgsp:population:1" xmlns:q="{SOAP[version]}" q:encodingStyle="http://x"/>'
    told = [
        Refused(send(gate, document, version, {"Authorization": gate.basic()}), version).fault.problem["reason"]
        for document in (envelope(styled, version, PURPOSE), signed(gate, styled, version))
    ]
    assert told == ["encoding-style", "encoding-style"]


@BOTH
def test_the_word_alone_is_no_encoding(gate: Gate, version: str) -> None:
    document = signed(gate, person("<personalId>encodingStyle</personalId>"), version)
    assert fault_of(send(gate, document, version).body, version).problem["code"] == "invalid"


@BOTH
def test_an_id_that_nobody_signed_is_none(gate: Gate, question: str, version: str) -> None:
    """A proxy may have put it there: it is passed over."""
    reply = send(gate, signed(gate, question, version), version, {"X-Request-Id": f"unsigned-{version}"})
    assert reply.status == 200, reply.body
    assert len(reply.headers["x-request-id"]) == 36
    assert gate.entries(f"unsigned-{version}") == []
    assert len(gate.entries(reply.headers["x-request-id"])) == 1
    lost = send(gate, signed(gate, person(""), version), version, {"X-Request-Id": f"unsigned-{version}"})
    assert Refused(lost, version).fault.problem["requestId"] != f"unsigned-{version}"


@BOTH
@pytest.mark.parametrize("beside", [None, "the-signed-one", "another"])
def test_an_id_that_was_signed_counts(gate: Gate, question: str, version: str, beside: str | None) -> None:
    block = "<g:RequestId>the-signed-one</g:RequestId>"
    document = signed(gate, question, version, block, ["{urn:lgsp:gateway:1}RequestId"])
    reply = send(gate, document, version, {"X-Request-Id": beside})
    if beside == "another":
        assert Refused(reply, version).code == "malformed"
        return
    assert reply.status == 200, reply.body
    assert reply.headers["x-request-id"] == "the-signed-one"


WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
UNSIGNED = {
    "timestamp": f'<u:Timestamp xmlns:u="{WSU}"><u:Created>2026-11-23T08:00:00Z</u:Created></u:Timestamp>',
    "user": "<s:UsernameToken><s:Username>a</s:Username></s:UsernameToken>",
    "nothing": "",
}


@BOTH
@pytest.mark.parametrize("name", UNSIGNED)
def test_a_security_block_without_a_signature(gate: Gate, question: str, version: str, name: str) -> None:
    block = f'<s:Security xmlns:s="{WSSE}">{UNSIGNED[name]}</s:Security>'
    document = envelope(question, version, PURPOSE + block)
    refused = Refused(send(gate, document, version, {"Authorization": gate.basic()}), version)
    assert (refused.code, refused.fault.problem["reason"]) == ("signature-rejected", "not-covered")


@BOTH
def test_a_second_security_block_for_somebody_else(gate: Gate, question: str, version: str) -> None:
    node = "actor" if version == "1.1" else "role"
    other = f'<s:Security xmlns:s="{WSSE}" e:{node}="urn:somebody"/></e:Header>'
    document = signed(gate, question, version).replace(b"</e:Header>", other.encode())
    refused = Refused(send(gate, document, version), version)
    assert (refused.code, refused.fault.problem["reason"]) == ("signature-rejected", "malformed")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
def test_another_method_is_told_as_rest_is(gate: Gate, question: str, method: str) -> None:
    reply = gate.send("/soap/population", envelope(question), method=method)
    assert (reply.status, reply.headers["content-type"]) == (405, "application/problem+json")
