"""Which version a request is of, and what of HTTP's own it may say: media types, actions, repeated headers."""

import pytest

from tests.test_soap_face.conftest import SECRET, Refused
from tests.test_soap_face.gate import Gate, request
from tests.test_soap_face.messages import MEDIA, VERSIONS, answer_of, envelope, person

OTHER = {"1.1": "1.2", "1.2": "1.1"}
ASKED = person(f"<personalId>{SECRET}</personalId>")


@pytest.mark.parametrize(
    ("version", "media"),
    [
        ("1.1", "text/xml"),
        ("1.1", "text/xml;charset=UTF-8"),
        ("1.1", 'text/xml; charset="utf-8"'),
        ("1.1", "text/xml;\tcharset=utf-8"),
        ("1.1", "TEXT/XML; Charset=utf8"),
        ("1.1", 'text/xml; charset=utf-8; action="of the other version"'),
        ("1.2", "application/soap+xml"),
        ("1.2", 'application/soap+xml; charset=utf-8; action="urn:lgsp:population:1/Person"'),
        ("1.2", "application/soap+xml; action=urn:lgsp:population:1/Person"),
        ("1.2", 'application/soap+xml; action=""'),
        ("1.2", "application/SOAP+XML;\tcharset=UTF-8"),
    ],
)
def test_media_types_that_are_taken(gate: Gate, question: str, version: str, media: str) -> None:
    reply = gate.ask("population", question, version, {"Content-Type": media})
    assert reply.status == 200, reply.body
    assert answer_of(reply.body, version).tag.endswith("PersonResponse")
    assert reply.headers["content-type"] == MEDIA[version]


@pytest.mark.parametrize(
    "media",
    [
        None,
        "",
        "text/plain",
        "application/xml",
        "application/json",
        "text/xml; charset=utf-16",
        "text/xml; charset=iso-8859-1",
        "application/x-www-form-urlencoded",
        'multipart/related; type="application/xop+xml"; boundary=b; start="<a>"; start-info="text/xml"',
        'multipart/related; type="text/xml"; boundary=b',
        'application/xop+xml; type="text/xml"',
    ],
)
def test_other_media_types_are_415_and_leave_evidence(gate: Gate, media: str | None) -> None:
    reply = gate.ask("population", ASKED, headers={"Content-Type": media, "X-Request-Id": "media-types"})
    assert reply.status == 415
    refused = Refused(reply, "1.1")
    assert (refused.fault.code, refused.code) == ("Client", "unsupported-media-type")
    assert refused.fault.problem["errors"][0]["header"] == "Content-Type"
    assert "receipt" in refused.fault.problem


def test_attachments_are_refused_as_such(gate: Gate) -> None:
    told = []
    for media in ("multipart/related; boundary=b", "application/xop+xml", "text/plain"):
        refused = Refused(
            gate.ask("population", ASKED, headers={"Content-Type": media, "Accept-Language": "en"}), "1.1"
        )
        told.append("attachments" in refused.fault.problem["detail"])
    assert told == [True, True, False]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_other_version_in_the_envelope_is_a_mismatch(gate: Gate, version: str) -> None:
    body = envelope(ASKED, OTHER[version])
    reply = gate.send("/soap/population", body, {"X-Request-Id": "mismatch"}, version=version)
    refused = Refused(reply, version)
    assert (reply.status, refused.fault.code) == (500, "VersionMismatch")
    assert (refused.code, refused.fault.problem["reason"]) == ("malformed", "version-mismatch")
    check_upgrade(refused, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("namespace", ["http://www.w3.org/2001/12/soap-envelope", "urn:other"])
def test_an_unknown_envelope_is_a_mismatch(gate: Gate, version: str, namespace: str) -> None:
    body = f'<e:Envelope xmlns:e="{namespace}"><e:Body>{ASKED}</e:Body></e:Envelope>'.encode()
    reply = gate.send("/soap/population", body, version=version)
    refused = Refused(reply, version)
    assert (reply.status, refused.fault.code) == (500, "VersionMismatch")
    check_upgrade(refused, version)


def check_upgrade(refused: Refused, version: str) -> None:
    """Version 1.2 says which there are (SOAP 1.2 part 1, section 5.4.7)."""
    blocks = refused.fault.blocks
    if version == "1.1":
        assert blocks == ()
        return
    (upgrade,) = blocks
    soap = "{http://www.w3.org/2003/05/soap-envelope}"
    assert upgrade.tag == f"{soap}Upgrade"
    offered = []
    for one in upgrade:
        assert one.tag == f"{soap}SupportedEnvelope"
        prefix, _, local = one.get("qname", "").partition(":")
        offered.append((one.nsmap[prefix], local))
    assert offered == [
        ("http://www.w3.org/2003/05/soap-envelope", "Envelope"),
        ("http://schemas.xmlsoap.org/soap/envelope/", "Envelope"),
    ]


@pytest.mark.parametrize("action", ["", '""', '"urn:lgsp:population:1/Person"', "urn:lgsp:population:1/Person", None])
def test_actions_that_are_taken(gate: Gate, question: str, action: str | None) -> None:
    assert gate.ask("population", question, headers={"SOAPAction": action}).status == 200


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "action", ["urn:lgsp:population:1/Match", "urn:lgsp:population:1/person", "Person", "urn:lgsp:land:1/Parcel"]
)
def test_another_action_is_refused(gate: Gate, question: str, version: str, action: str) -> None:
    headers = {"SOAPAction": f'"{action}"'}
    if version == "1.2":
        headers = {"Content-Type": f'{MEDIA["1.2"]}; action="{action}"'}
    reply = gate.ask("population", question, version, headers)
    refused = Refused(reply, version)
    assert refused.code == "malformed"
    assert refused.fault.problem["errors"][0]["header"] == ("SOAPAction" if version == "1.1" else "Content-Type")
    assert "receipt" in refused.fault.problem


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("SOAPAction", 500),
        ("Lgsp-Purpose", 500),
        ("Lgsp-Officer", 500),
        ("X-Request-Id", 500),
        ("Accept-Language", 500),
        ("traceparent", 500),
    ],
)
def test_a_header_that_comes_twice(gate: Gate, question: str, name: str, status: int) -> None:
    value = {"Content-Type": "text/xml", "SOAPAction": '""', "X-Request-Id": "twice"}.get(name, "inspection")
    usual = {"Content-Type": "text/xml", "Authorization": gate.basic(), "Lgsp-Purpose": "inspection"}
    lines = [*(item for item in usual.items() if item[0] != name), (name, value), (name, value)]
    with gate.wire() as wire:
        reply = wire.ask(request("/soap/population", envelope(question), lines))
    assert reply.status == status
    refused = Refused(reply, "1.1")
    assert refused.fault.problem["errors"][0]["header"].lower() in (name.lower(), "purpose", "officer", "requestid")
    assert "receipt" in refused.fault.problem


def test_two_proofs_of_who_calls_are_one_too_many(gate: Gate, question: str) -> None:
    usual = [("Content-Type", "text/xml"), ("Authorization", gate.basic()), ("Authorization", gate.basic("province"))]
    with gate.wire() as wire:
        reply = wire.ask(request("/soap/population", envelope(question), usual))
    assert reply.status == 500
    assert Refused(reply, "1.1").code == "malformed"


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("DELETE", 405), ("GET", 404)])
def test_other_methods(gate: Gate, question: str, method: str, status: int) -> None:
    assert gate.send("/soap/population", envelope(question), method=method).status == status


@pytest.mark.parametrize("version", VERSIONS)
def test_another_address_is_a_fault_too(gate: Gate, question: str, version: str) -> None:
    reply = gate.send("/soap/vehicles", envelope(question, version), version=version)
    refused = Refused(reply, version)
    assert refused.code == "not-found"
    assert reply.status == (500 if version == "1.1" else 400)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_language_of_a_fault_is_the_callers(gate: Gate, version: str) -> None:
    texts = {}
    for language in ("vi", "en"):
        reply = gate.ask("population", ASKED, version, {"Accept-Language": language})
        fault = Refused(reply, version).fault
        if version == "1.2":
            text = fault.body.find("{*}Reason/{*}Text")
            assert text is not None
            assert text.get("{http://www.w3.org/XML/1998/namespace}lang") == language
        texts[language] = (fault.text, fault.problem["detail"])
    assert texts["vi"] != texts["en"]
