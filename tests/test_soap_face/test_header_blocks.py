"""What is said beside the question: in header blocks of ours, in HTTP headers, in both, or wrongly."""

import base64
from hashlib import sha256

import pytest

from tests.test_soap_face.conftest import SECRET, Refused
from tests.test_soap_face.gate import Gate, Reply
from tests.test_soap_face.messages import SOAP, VERSIONS, answer_of, envelope, names, person, told

BOTH = pytest.mark.parametrize("version", VERSIONS)
DOSSIER = "000.00.01.G15-261123-0001"


def say(gate: Gate, question: str, version: str, blocks: str, **headers: str | None) -> Reply:
    """Ask with these blocks; of HTTP headers only those that are given, with dashes for underscores."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return gate.send(
        "/soap/population", envelope(question, version, blocks), {"Lgsp-Purpose": None, **sent}, version=version
    )


@BOTH
def test_blocks_and_http_headers_say_the_same(gate: Gate, question: str, version: str) -> None:
    blocks = (
        f"<g:Purpose> inspection\n</g:Purpose><g:Dossier>{DOSSIER}</g:Dossier><g:Officer>an.nv</g:Officer>"
        "<g:RequestId>said-in-a-block</g:RequestId>"
    )
    headers = {"Lgsp-Purpose": "inspection", "Lgsp-Dossier": DOSSIER, "Lgsp-Officer": "an.nv"}
    ways = {
        "blocks": (blocks, {}),
        "headers": ("", headers | {"X-Request-Id": "said-in-a-block"}),
        "both": (blocks, headers | {"X-Request-Id": "said-in-a-block"}),
        "headers-beside-empty-blocks": (
            "<g:Purpose/><g:Dossier></g:Dossier><g:Officer> </g:Officer><g:RequestId/>",
            headers | {"X-Request-Id": "said-in-a-block"},
        ),
    }
    for way, (inside, sent) in ways.items():
        reply = say(gate, question, version, inside, **{k.replace("-", "_"): v for k, v in sent.items()})
        assert reply.status == 200, (way, reply.body)
        assert reply.headers["x-request-id"] == "said-in-a-block"
    entries = gate.entries("said-in-a-block")[-4:]
    for entry in entries:
        assert (entry["purpose"], entry["dossier"], entry["officer"]) == ("inspection", DOSSIER, entries[0]["officer"])


@BOTH
@pytest.mark.parametrize(
    ("block", "header", "value"),
    [
        ("Purpose", "Lgsp-Purpose", "dossier-processing"),
        ("Dossier", "Lgsp-Dossier", DOSSIER),
        ("Officer", "Lgsp-Officer", "other"),
        ("RequestId", "X-Request-Id", "other"),
        ("Receipt", "Lgsp-Receipt", "full"),
    ],
)
def test_what_differs_is_refused(gate: Gate, question: str, version: str, block: str, header: str, value: str) -> None:
    reply = say(gate, question, version, f"<g:{block}>one</g:{block}>", **{header.replace("-", "_"): value})
    refused = Refused(reply, version)
    assert refused.code == "malformed"
    assert refused.fault.problem["errors"][0]["header"] == block
    assert "receipt" in refused.fault.problem


WRONG = {
    "twice": ("<g:Purpose>inspection</g:Purpose><g:Purpose>inspection</g:Purpose>", "malformed", "Purpose"),
    "nested": ("<g:Purpose><g:Dossier>x</g:Dossier></g:Purpose>", "malformed", "Purpose"),
    "non-ascii": ("<g:Purpose>inspection</g:Purpose><g:Officer>nguyễn.văn.an</g:Officer>", "invalid", "Officer"),
    "line-end": ("<g:Purpose>inspec&#10;tion</g:Purpose>", "invalid", "Purpose"),
    "unknown": ("<g:Purpose>inspection</g:Purpose><g:Dosier>x</g:Dosier>", "malformed", None),
    "lower-case": ("<g:purpose>inspection</g:purpose>", "malformed", None),
    "no-purpose": ("", "purpose-required", None),
    "empty": ("<g:Purpose> </g:Purpose>", "purpose-required", None),
    "unknown-purpose": ("<g:Purpose>curiosity</g:Purpose>", "invalid", None),
}


@BOTH
@pytest.mark.parametrize("name", WRONG)
def test_what_is_said_wrongly(gate: Gate, question: str, version: str, name: str) -> None:
    blocks, code, header = WRONG[name]
    refused = Refused(say(gate, question, version, blocks), version)
    if name == "unknown-purpose":
        assert refused.code in ("invalid", "purpose-refused")
    else:
        assert refused.code == code
    if header is not None:
        assert refused.fault.problem["errors"][0]["header"] == header
    assert "receipt" in refused.fault.problem


@BOTH
def test_blocks_for_others_say_nothing_to_us(gate: Gate, question: str, version: str) -> None:
    node = "actor" if version == "1.1" else "role"
    elsewhere = f'<g:Purpose e:{node}="urn:somebody">curiosity</g:Purpose>'
    assert Refused(say(gate, question, version, elsewhere), version).code == "purpose-required"
    both = elsewhere + "<g:Purpose>inspection</g:Purpose>"
    assert say(gate, question, version, both).status == 200


def test_attributes_of_soap_on_our_blocks_are_fine(gate: Gate, question: str) -> None:
    uri = f"{SOAP['1.2']}/role/next"
    blocks = f'<g:Purpose e:role="{uri}" e:mustUnderstand="true" e:relay="false">inspection</g:Purpose>'
    assert say(gate, question, "1.2", blocks).status == 200


@BOTH
@pytest.mark.parametrize(
    ("fields", "members"),
    [
        ("fullName", ["fullName"]),
        ("full_name", ["fullName"]),
        (" fullName ,\n permanentResidence.commune", ["fullName", "permanentResidence"]),
        ("permanent_residence.commune,birthDate", ["birthDate", "permanentResidence"]),
    ],
)
def test_fields_in_either_spelling(gate: Gate, question: str, version: str, fields: str, members: list[str]) -> None:
    blocks = f"<g:Purpose>inspection</g:Purpose><g:Fields>{fields}</g:Fields>"
    reply = say(gate, question, version, blocks)
    if "\n" in fields:
        assert Refused(reply, version).code == "invalid"
        return
    assert reply.status == 200, reply.body
    wrapper = answer_of(reply.body, version)
    data, exchange = wrapper.find("{*}data"), wrapper.find("{*}exchange")
    assert data is not None
    assert exchange is not None
    assert names(data) == members
    listed = told(exchange)["fields"]
    assert {each.partition(".")[0] for each in listed} == set(members)
    assert "_" not in "".join(listed)
    residence = data.find("{*}permanentResidence")
    if residence is not None and len(residence):
        assert names(residence) == ["commune"]


@BOTH
@pytest.mark.parametrize("fields", ["", " ", "fullNames", "FullName", ",", "fullName,,birthDate", SECRET])
def test_fields_that_are_none(gate: Gate, question: str, version: str, fields: str) -> None:
    blocks = f"<g:Purpose>inspection</g:Purpose><g:Fields>{fields}</g:Fields>"
    refused = Refused(say(gate, question, version, blocks), version)
    assert refused.code == "invalid"
    (error,) = refused.fault.problem["errors"]
    assert error["header"] == "Fields"
    # Which name it was is said where it can be nothing else than a name.
    assert ("fullNames" in error["detail"]) == (fields == "fullNames")


@BOTH
def test_fields_that_a_tool_leaves_out_with_nil(gate: Gate, question: str, version: str) -> None:
    nil = '<g:Fields xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:nil="true"/>'
    assert say(gate, question, version, f"<g:Purpose>inspection</g:Purpose>{nil}").status == 200


@BOTH
@pytest.mark.parametrize("how", ["block", "header"])
def test_the_full_receipt(gate: Gate, question: str, version: str, how: str) -> None:
    blocks = "<g:Purpose>inspection</g:Purpose>" + ("<g:Receipt>full</g:Receipt>" if how == "block" else "")
    headers = {} if how == "block" else {"Lgsp_Receipt": "full"}
    for payload in (question, person("<personalId>1</personalId>")):
        reply = say(gate, payload, version, blocks, **headers)
        receipt = (
            told(found)
            if reply.status == 200 and (found := answer_of(reply.body, version).find("{*}receipt")) is not None
            else Refused(reply, version).fault.problem["receipt"]
        )
        entry = base64.b64decode(receipt["entry"])
        assert base64.b64decode(receipt["leaf"]) == sha256(b"\0" + entry).digest()
        assert receipt["proof"] or receipt["index"] == "0"


@BOTH
def test_the_full_receipt_of_what_cannot_be_read(gate: Gate, version: str) -> None:
    for headers in ({"Lgsp-Receipt": "full"}, {"Lgsp-Receipt": "full", "Content-Type": "text/plain"}):
        reply = gate.send("/soap/population", b"<", headers, version=version)
        receipt = Refused(reply, "1.1" if "Content-Type" in headers else version).fault.problem["receipt"]
        assert base64.b64decode(receipt["leaf"]) == sha256(b"\0" + base64.b64decode(receipt["entry"])).digest()


def test_a_receipt_is_short_unless_asked_for_in_full(gate: Gate, question: str) -> None:
    receipt = answer_of(gate.ask("population", question).body, "1.1").find("{*}receipt")
    assert receipt is not None
    assert names(receipt) == ["log", "index", "leaf", "salt", "checkpoint"]


@BOTH
@pytest.mark.parametrize("sent", ["abc-123", "urn:uuid:5f0c", "A" * 128])
def test_request_ids_that_are_kept(gate: Gate, question: str, version: str, sent: str) -> None:
    blocks = f"<g:Purpose>inspection</g:Purpose><g:RequestId>{sent}</g:RequestId>"
    assert say(gate, question, version, blocks).headers["x-request-id"] == sent
    assert (
        say(gate, question, version, blocks.split("<g:RequestId")[0], X_Request_Id=sent).headers["x-request-id"] == sent
    )


@BOTH
@pytest.mark.parametrize("sent", [SECRET, "a b", "A" * 129, "0123456789", "&lt;x&gt;"])
def test_request_ids_that_are_replaced(gate: Gate, question: str, version: str, sent: str) -> None:
    """Not fit for a log, or shaped like somebody's number."""
    blocks = f"<g:Purpose>inspection</g:Purpose><g:RequestId>{sent}</g:RequestId>"
    reply = say(gate, question, version, blocks)
    assert reply.status == 200, reply.body
    assert reply.headers["x-request-id"] != sent
    assert len(reply.headers["x-request-id"]) == 36
    assert gate.entries(sent) == []


@BOTH
@pytest.mark.parametrize(("query", "taken"), [("fields=fullName", False), ("fields=", False), ("WSDL", True)])
def test_an_address_takes_no_fields(gate: Gate, question: str, version: str, query: str, taken: bool) -> None:
    message = envelope(question, version, "<g:Purpose>inspection</g:Purpose>")
    reply = gate.send(f"/soap/population?{query}", message, {"Lgsp-Purpose": None}, version=version)
    if taken:
        assert reply.status == 200
    else:
        assert Refused(reply, version).code == "invalid"
