"""Who signs is known by the message alone: its key and its events are what was signed, and it counts once."""

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from security.signature_key import SigningKey
from security.soap_callers import GATEWAY
from security.soap_signing import sign_soap_parts, text_header
from tests.test_intake.source import Source, a_code
from tests.test_intake.world import a_dossier, a_status
from tests.test_soap_dossiers.door import Door, Heard, message, ordered


def signed(door: Door, payload: str, **blocks: str) -> bytes:
    papers = door.deployed.clients["province"]
    key = SigningKey.load(Path(papers["key"]), Path(papers["certificate"]))
    parts = [text_header(GATEWAY, name, text) for name, text in blocks.items()]
    return sign_soap_parts(
        payload.encode(), key, version="1.2" if door.version == "1.2" else "1.1", headers=parts
    ).envelope


def send(door: Door, document: bytes, **headers: str) -> Heard:
    """Nothing but the message says who sends it."""
    return door.send(document, Authorization="", **headers)


def push(code: str, key: str, **said: Any) -> str:
    return message("PushStatus", **ordered("event", {"code": code, "key": key, **a_status(**said)}))


def is_signed(heard: Heard) -> bool:
    return etree.fromstring(heard.body).find(".//{http://www.w3.org/2000/09/xmldsig#}SignatureValue") is not None


def test_a_signed_push_is_taken_and_answered_signed(door: Door, rest: Source) -> None:
    code = a_code()
    rest.put(code, a_dossier())
    first = send(door, signed(door, push(code, f"{code}-1")))
    assert (first.answer["result"], first.answer["replayed"], is_signed(first)) == ("accepted", "false", True)
    again = send(door, signed(door, push(code, f"{code}-1"), RequestId="anew"))
    assert (again.answer["replayed"], again.headers["X-Request-Id"]) == ("true", "anew")
    reused = send(door, signed(door, push(code, f"{code}-1", status="9")))
    assert (reused.code, is_signed(reused)) == ("idempotency-key-reused", True)
    seen = send(door, signed(door, message("GetDossier", code=code)))
    assert (seen.answer["code"], is_signed(seen)) == (code, True)
    many = f'<PushStatuses xmlns="urn:lgsp:dossiers:1"><events>{push(code, f"{code}-2")}</events></PushStatuses>'
    taken = send(
        door,
        signed(door, many.replace('PushStatus xmlns="urn:lgsp:dossiers:1"', "item").replace("/PushStatus>", "/item>")),
    )
    assert [result["result"] for result in taken.answer["results"]] == ["accepted"]


def test_what_was_changed_on_the_way_is_refused(soap11: Door) -> None:
    code = a_code()
    document = signed(soap11, push(code, f"{code}-1"))
    for old, new in ((f"{code}-1", f"{code}-2"), ("<status>4<", "<status>9<")):
        heard = send(soap11, document.replace(old.encode(), new.encode()))
        assert (heard.code, heard.problem["reason"]) == ("signature-rejected", "altered")
    assert send(soap11, document).answer["replayed"] == "false"


def test_a_signed_message_counts_once(soap11: Door) -> None:
    document = signed(soap11, push(a_code(), a_code()))
    assert send(soap11, document).status == 200
    again = send(soap11, document)
    assert (again.code, again.problem["reason"]) == ("signature-rejected", "replayed")
    # What is wrong with the question uses nothing up, as over REST.
    wrong = signed(soap11, message("GetDossier", code="x"))
    assert [send(soap11, wrong).code for _ in range(2)] == ["invalid", "invalid"]


@pytest.mark.parametrize("header", ["other", "none"])
def test_a_header_that_nobody_signed_says_nothing_else(soap11: Door, header: str) -> None:
    code = a_code()
    document = signed(soap11, push(code, f"{code}-1"))
    if header == "other":
        assert send(soap11, document, Idempotency_Key=f"{code}-2").code == "malformed"
        return
    unkeyed = push(code, "k").replace("<key>k</key>", "")
    assert send(soap11, signed(soap11, unkeyed), Idempotency_Key=f"{code}-1").code == "idempotency-key-required"
    assert send(soap11, document, Idempotency_Key=f"{code}-1").status == 200
