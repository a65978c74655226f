"""WS-Addressing in questions: what it says is understood where it has to be, and held to the contract."""

import pytest

from tests.test_soap_face.conftest import Refused
from tests.test_soap_face.gate import Gate, Reply
from tests.test_soap_face.messages import VERSIONS, envelope
from tests.test_soap_face.signing import PURPOSE, send, signed

BOTH = pytest.mark.parametrize("version", VERSIONS)
WSA = "http://www.w3.org/2005/08/addressing"
OLDER = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
SPELLINGS = pytest.mark.parametrize("uri", [WSA, OLDER], ids=["1.0", "2004"])
DOORS = pytest.mark.parametrize("door", ["unsigned", "signed"])
OURS = "https://gateway.example/soap/population"
ACTION = "urn:lgsp:population:1/Person"
ANONYMOUS = {WSA: f"{WSA}/anonymous", OLDER: f"{OLDER}/role/anonymous"}


def block(uri: str, name: str, text: str, must: str = "1") -> str:
    return f'<a:{name} xmlns:a="{uri}" e:mustUnderstand="{must}">{text}</a:{name}>'


def reference(uri: str, name: str, address: str, more: str = "") -> str:
    return block(uri, name, f"<a:Address>{address}</a:Address>{more}")


def ask(gate: Gate, question: str, version: str, door: str, uri: str, *names: str, blocks: str) -> Reply:
    if door == "signed":
        return send(gate, signed(gate, question, version, blocks, [f"{{{uri}}}{name}" for name in names]), version)
    return send(gate, envelope(question, version, PURPOSE + blocks), version, {"Authorization": gate.basic()})


@BOTH
@SPELLINGS
@DOORS
def test_all_that_a_stack_sends_is_understood(gate: Gate, question: str, version: str, uri: str, door: str) -> None:
    blocks = (
        block(uri, "To", f" {OURS}\n")
        + block(uri, "Action", ACTION)
        + block(uri, "MessageID", "urn:uuid:6b94dd3e-9f7a-46e1-845c-cad9af778997")
        + reference(uri, "ReplyTo", ANONYMOUS[uri])
        + reference(uri, "FaultTo", ANONYMOUS[uri])
        + reference(uri, "From", "http://ministry.example/")
    )
    names = ("To", "Action", "MessageID", "ReplyTo", "FaultTo", "From")
    reply = ask(gate, question, version, door, uri, *names, blocks=blocks)
    assert reply.status == 200, reply.body


WRONG = {
    "another-host": ("To", lambda uri: block(uri, "To", "https://elsewhere.example/soap/population")),
    "no-address": ("To", lambda uri: block(uri, "To", "")),
    "another-operation": ("Action", lambda uri: block(uri, "Action", "urn:lgsp:population:1/FindNumber")),
    "no-action": ("Action", lambda uri: block(uri, "Action", "")),
    "answer-elsewhere": ("ReplyTo", lambda uri: reference(uri, "ReplyTo", "http://elsewhere.example/")),
    "answer-nowhere": ("ReplyTo", lambda uri: block(uri, "ReplyTo", "")),
    "answer-to-two": (
        "ReplyTo",
        lambda uri: reference(uri, "ReplyTo", ANONYMOUS[uri], f"<a:Address>{ANONYMOUS[uri]}</a:Address>"),
    ),
    "fault-elsewhere": ("FaultTo", lambda uri: reference(uri, "FaultTo", "http://elsewhere.example/")),
}


@BOTH
@SPELLINGS
@DOORS
@pytest.mark.parametrize("name", WRONG)
def test_what_we_cannot_do_is_refused(gate: Gate, question: str, version: str, uri: str, door: str, name: str) -> None:
    which, write = WRONG[name]
    reply = ask(gate, question, version, door, uri, which, blocks=write(uri))
    refused = Refused(reply, version)
    assert refused.fault.code == ("Client" if version == "1.1" else "Sender")
    if door == "signed" and which == "To":
        assert (refused.code, refused.fault.problem["reason"]) == ("signature-rejected", "not-covered")
    else:
        assert refused.code == "malformed"
        (flaw,) = refused.fault.problem["errors"]
        assert flaw["header"] == which
    assert "receipt" in refused.fault.problem


@BOTH
def test_twice_is_refused(gate: Gate, question: str, version: str) -> None:
    blocks = block(WSA, "To", OURS) + block(WSA, "To", OURS)
    refused = Refused(ask(gate, question, version, "unsigned", WSA, blocks=blocks), version)
    assert (refused.code, refused.fault.problem["errors"][0]["header"]) == ("malformed", "To")


@BOTH
def test_other_blocks_of_addressing_are_not_understood(gate: Gate, question: str, version: str) -> None:
    blocks = block(WSA, "RelatesTo", "urn:x")
    reply = ask(gate, question, version, "unsigned", WSA, blocks=blocks)
    assert Refused(reply, version).fault.code == "MustUnderstand"


@BOTH
def test_what_need_not_be_understood_is_passed_over(gate: Gate, question: str, version: str) -> None:
    blocks = block(WSA, "Action", "urn:x", "0") + block(WSA, "To", "urn:x", "0")
    assert ask(gate, question, version, "unsigned", WSA, blocks=blocks).status == 200


def test_a_block_that_nobody_signed_is_none_of_who_signs(gate: Gate, question: str) -> None:
    refused = Refused(ask(gate, question, "1.1", "signed", WSA, blocks=block(WSA, "To", OURS)), "1.1")
    assert (refused.code, refused.fault.problem["reason"]) == ("signature-rejected", "not-covered")
