"""What `/soap/dossiers` refuses, how it says so, and what that leaves behind."""

import json
from typing import Any

import pytest

from routes.soap import dossiers
from tests.test_intake.source import a_code
from tests.test_intake.test_stream import entry
from tests.test_intake.world import PERSON, a_dossier, a_status
from tests.test_openapi.deployment import Deployment
from tests.test_soap_dossiers.door import NAMESPACE, Door, an_event, message, written


@pytest.mark.parametrize(
    ("key", "code"),
    [
        pytest.param(None, "idempotency-key-required", id="missing"),
        pytest.param("", "idempotency-key-required", id="empty"),
        pytest.param('""', "idempotency-key-required", id="empty-string"),
        pytest.param("x" * 256, "malformed", id="too-long"),
        pytest.param('"x', "malformed", id="half-a-string"),
        pytest.param("kho\u00e1", "malformed", id="not-ascii"),
    ],
)
def test_a_key_that_is_none(soap11: Door, key: str | None, code: str) -> None:
    heard = soap11.push(a_code(), a_status(), key)
    assert (heard.code, heard.problem["status"], heard.pointers) == (code, "400", ["/PushStatus/key"])
    assert heard.problem["receipt"]["index"]


def test_an_http_header_cannot_say_another_key(soap11: Door) -> None:
    code = a_code()
    assert soap11.push(code, a_status(), f"{code}-1", Idempotency_Key=f'"{code}-1"').status == 200
    other = soap11.push(code, a_status("9"), f"{code}-2", Idempotency_Key=f"{code}-3")
    assert other.code == "malformed"
    assert other.problem["errors"][0]["header"] == "Idempotency-Key"
    # The header alone is no key.
    assert soap11.push(code, a_status("9"), None, Idempotency_Key=f"{code}-3").code == "idempotency-key-required"
    only = soap11.register(code, a_dossier(), None, Idempotency_Key=f"{code}-4")
    assert only.code == "malformed"


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        pytest.param(a_status(at="2026-11-30T09:00:00"), "/PushStatus/at", id="no-offset"),
        pytest.param(a_status(at="2026-02-30T09:00:00Z"), "/PushStatus/at", id="no-such-day"),
        pytest.param(a_status(sequence=0), "/PushStatus/sequence", id="sequence-0"),
        pytest.param(a_status(sequence="một"), "/PushStatus/sequence", id="sequence-text"),
        pytest.param(a_status(sequence=10**15), "/PushStatus/sequence", id="sequence-large"),
        pytest.param(a_status(more=1), "/PushStatus", id="unknown-member"),
        pytest.param({"at": "2026-11-30T09:00:00Z"}, "/PushStatus/status", id="no-status"),
        pytest.param(a_status(status=""), "/PushStatus/status", id="empty-status"),
        pytest.param(a_status(status=["4"]), "/PushStatus/status", id="nested"),
        pytest.param(a_status(vocabulary=None), "/PushStatus/vocabulary", id="nil-where-none-may-be"),
    ],
)
def test_a_wrong_status_is_refused_with_its_place(door: Door, event: dict[str, Any], pointer: str) -> None:
    key = a_code()
    heard = door.push(a_code(), event, key)
    assert (heard.code, heard.pointers) == ("invalid", [pointer])
    # Nothing was taken: the key is free.
    assert door.push(a_code(), a_status(), key).answer["replayed"] == "false"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        pytest.param(
            {"owner_identities": [{"number": PERSON}, {"number": "12"}]}, "/ownerIdentities/1/number", id="no"
        ),
        pytest.param({"owner_kind": "cat"}, "/ownerKind", id="word"),
        pytest.param(
            {"supplements": [{"papers": [{"name": "x", "copies": 10_000}]}]},
            "/supplements/0/papers/0/copies",
            id="deep",
        ),
        pytest.param({"fees": [{"name": "x", "amount": "1", "more": "x"}]}, "/fees/0", id="unknown-below"),
        pytest.param({"fees": "x"}, "/fees", id="text-for-a-list"),
        pytest.param({"deliver": "yes"}, "/deliver", id="no-boolean"),
        pytest.param({"received_at": None}, "", id="fits-together"),
    ],
)
def test_a_wrong_dossier_is_refused_with_its_place(soap11: Door, wrong: dict[str, Any], pointer: str) -> None:
    heard = soap11.register(a_code(), a_dossier() | wrong, Accept_Language="en")
    assert (heard.code, heard.pointers) == ("invalid", [f"/RegisterDossier/dossier{pointer}"])
    assert PERSON.encode() not in heard.body
    if not pointer:
        assert heard.problem["errors"][0]["detail"] == "give submittedAt or receivedAt"


def test_members_out_of_order_or_doubled_or_foreign_are_said_so(soap11: Door) -> None:
    code = a_code()
    named = f"{written('code', code)}{written('key', code)}"
    at, status = written("at", a_status()["at"]), written("status", "4")
    for inside, pointer in (
        (f"{named}{status}{at}", "/PushStatus/at"),
        (f"{named}{at}{at}{status}", "/PushStatus/at"),
        (f"{named}{at}<status xmlns='urn:x'>4</status>", "/PushStatus/status"),
        (f"{named}{named}{at}{status}", "/PushStatus/code"),
        (f"{named}x{at}{status}", "/PushStatus"),
    ):
        heard = soap11.ask(f'<PushStatus xmlns="{NAMESPACE}">{inside}</PushStatus>')
        assert (heard.code, heard.pointers[0]) == ("invalid", pointer), inside
    assert soap11.push(code, a_status(), code).answer["replayed"] == "false"


def test_refusals_leave_the_evidence_that_they_leave_over_rest(soap11: Door, deployed: Deployment) -> None:
    code = a_code()
    soap11.push_many([an_event(code, "1", more="x"), {"code": code, **a_status()}])
    refused = soap11.push(code, a_status(at="x"), f"{code}-1")
    index = int(refused.problem["receipt"]["index"])
    path = deployed.gateway.storage.url.database or ""
    many, one = json.loads(entry(path, index - 1)), json.loads(entry(path, index))
    assert (many["kind"], many["operation"], many["details"]) == (
        "unreadable",
        "statuses",
        {"refused_lines": {"invalid": 2}},
    )
    assert (one["caller"]["client"], one["database"], one["operation"]) == ("province", "dossiers", "status")
    assert one["outcome"]["code"] == "invalid"


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"state": "gone"}, "/state"),
        ({"limit": 0}, "/limit"),
        ({"limit": 501}, "/limit"),
        ({"limit": "x"}, "/limit"),
        ({"after": "7"}, "/after"),
        ({"after": "d07"}, "/after"),
        ({"more": PERSON}, ""),
    ],
    ids=["state", "limit-0", "limit-501", "limit-x", "after-7", "after-d07", "more"],
)
def test_a_wrong_page_is_refused(soap11: Door, members: dict[str, Any], pointer: str) -> None:
    heard = soap11.list(**members)
    assert (heard.code, heard.pointers) == ("invalid", [f"/ListDeliveries{pointer}"])
    assert PERSON.encode() not in heard.body


def test_what_is_not_there_is_not_found(door: Door) -> None:
    waiting = a_code()
    door.push(waiting, a_status(), f"{waiting}-1")
    for code in (waiting, a_code()):
        heard = door.get(code)
        assert (heard.code, heard.problem["status"]) == ("not-found", "404")
    assert door.get("x").pointers == ["/GetDossier/code"]


def test_who_may_not_push_may_not_look_either(deployed: Deployment) -> None:
    ministry = Door(deployed, "ministry")
    code = a_code()
    for heard in (
        ministry.register(code, a_dossier()),
        ministry.push(code, a_status(), "k"),
        # Who may not ask at all is not taught how to.
        ministry.push(code, {"more": "x"}),
        ministry.push_many([]),
        ministry.get(code),
        ministry.list(),
    ):
        assert (heard.code, heard.problem["status"], heard.problem["reason"]) == ("refused", "403", "no-right")
        assert heard.problem["receipt"]["index"]
    nobody = ministry.send(b"", Authorization="")
    assert (nobody.status, nobody.code) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', id="entity"),
        pytest.param(b"<x" * 200_000, id="unclosed"),
        pytest.param(b"<x>" * 100_000, id="deep"),
        pytest.param(b"\xff\xfe<\x00x\x00", id="utf-16"),
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="json"),
    ],
)
def test_what_is_no_message_is_malformed(soap11: Door, document: bytes) -> None:
    heard = soap11.send(document)
    assert heard.code == "malformed"
    assert b"root:" not in heard.body


def test_hostile_insides_are_refused(soap11: Door) -> None:
    code = a_code()
    good = message("PushStatus", code=code, key=code, at=a_status()["at"], status="4")
    assert soap11.ask(good.replace("<status>", "<status><?x y?>")).code == "malformed"
    assert soap11.ask(good + good).code == "malformed"
    assert soap11.ask(good.replace("PushStatus", "DropTables")).code == "not-found"
    assert soap11.ask(good.replace(NAMESPACE, "urn:lgsp:dossiers:2")).code == "not-found"
    assert soap11.ask(good.replace("<PushStatus", '<PushStatus xmlns:t="urn:x" t:x="1"')).code == "invalid"
    assert soap11.ask(good, SOAPAction=f'"{NAMESPACE}/GetDossier"').code == "malformed"
    many = "".join(f"<item><x{place}/></item>" for place in range(60_000))
    assert soap11.ask(f'<PushStatuses xmlns="{NAMESPACE}"><events>{many}</events></PushStatuses>').code == "malformed"
    big = "x" * (4 * 1024 * 1024)
    assert soap11.push(code, a_status(note=big), code).status == 413
    assert soap11.ask(good, "<g:Fields>code</g:Fields>").problem["errors"][0]["header"] == "Fields"
    assert soap11.ask(good).answer["replayed"] == "false"


def test_only_so_many_large_messages_at_once(soap11: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [an_event(a_code(), "1", note="x" * 3_900) for _ in range(300)]
    with monkeypatch.context() as patched:
        patched.setattr(dossiers, "AT_ONCE", 0)
        refused = soap11.push_many(events)
        assert (refused.code, refused.problem["status"], refused.headers["Retry-After"]) == ("overloaded", "503", "2")
        assert soap11.push_many(events[:9]).status == 200
    assert len(soap11.push_many(events).answer["results"]) == 300
