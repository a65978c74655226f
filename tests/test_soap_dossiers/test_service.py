"""`/soap/dossiers` message by message: what it answers is what REST answers, and what it refuses as well."""

import base64
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from routes.soap import dossiers
from schemas.errors import EvidenceUnavailable
from security.audit.log import AuditLog
from tests.test_intake.source import Source, a_code
from tests.test_intake.test_stream import entry
from tests.test_intake.world import NAME, PERSON, a_dossier, a_status
from tests.test_openapi.deployment import Deployment
from tests.test_soap_dossiers.door import GOLDEN, NAMESPACE, Door, as_rest, camelled, message, written

FILE = Path(__file__).parents[2] / "docs" / "clients" / "soap_answer.py"


@pytest.fixture(scope="module")
def contract() -> Any:
    """The script that callers copy, over the promised contract."""
    spec = importlib.util.spec_from_file_location("soap_answer", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Contract(GOLDEN.read_bytes())


WHOLE = {
    "procedure_name": "Cấp <bản sao> & trích lục",
    "owner_identities": [{"number": PERSON}, {"number": "123456789"}],
    "summary": "Hồ sơ\u00a0thử",
    "due_at": "2026-12-10T17:00:00+07:00",
    "note": "hai\ndòng",
    "fees": [{"name": "Lệ phí", "amount": "50000.50"}],
    "supplements": [{"request": "bổ sung", "papers": [{"name": "giấy", "copies": 2}], "fees": []}],
}


def an_event(code: str, key: str, status: str = "4", **said: Any) -> dict[str, Any]:
    return {"code": code, "key": f"{code}-{key}", **a_status(status, **said)}


def same(answer: Any, rest: dict[str, Any]) -> None:
    """Whole answers are equal but for what REST has in a header and for receipts of looks of their own."""
    shown = camelled(rest)
    assert as_rest(answer, shown) == shown


def test_a_dossier_is_registered_and_amended_as_over_rest(door: Door, rest: Source) -> None:
    code = a_code()
    first = door.register(code, a_dossier(**WHOLE))
    assert (first.status, first.answer["result"], first.answer["version"]) == (200, "accepted", "1")
    # The same body over the other door is no new version: it was read as the same.
    again = rest.put(code, a_dossier(**WHOLE))
    assert (again.status, again.json["version"]) == (200, 1)
    assert again.json["delivery"] == first.answer["delivery"]
    assert again.json["receipt"]["leaf"] == first.answer["receipt"]["leaf"]
    amended = door.register(code, a_dossier(**WHOLE | {"summary": "Khác"}), key=f"{code}-2")
    assert amended.answer["version"] == "2"
    replayed = door.register(code, a_dossier(**WHOLE | {"summary": "Khác"}), key=f"{code}-2")
    assert (replayed.answer["replayed"], replayed.headers["Idempotency-Replayed"]) == ("true", "true")
    adopted = door.register(a_code(), a_dossier(deliver=False))
    assert adopted.answer["delivery"] is None


def test_a_status_is_taken_once_whichever_door_it_comes_through(door: Door, rest: Source) -> None:
    code = a_code()
    rest.put(code)
    event = a_status("4", sequence=1, officer="Trần Văn Bé", note="một\nhai")
    first = door.push(code, event, f"{code}-1")
    assert {"code": code, "result": "accepted", "reason": None, "replayed": "false"}.items() <= first.answer.items()
    assert "Idempotency-Replayed" not in first.headers
    again = door.push(code, event, f'"{code}-1"')
    assert (again.answer["replayed"], again.headers["Idempotency-Replayed"]) == ("true", "true")
    assert {**again.answer, "replayed": "false"} == first.answer
    over_rest = rest.push(code, event, key=f"{code}-1")
    assert over_rest.headers["Idempotency-Replayed"] == "true"
    same({**first.answer, "replayed": "true"}, over_rest.json | {"replayed": True})
    other = door.push(code, a_status("9"), f"{code}-1")
    assert (other.code, other.problem["status"]) == ("idempotency-key-reused", "422")
    assert other.problem["receipt"]["index"]
    sequence = door.push(code, a_status("9", sequence=1), f"{code}-other")
    assert (sequence.code, sequence.problem["reason"]) == ("conflict", "sequence-reused")
    assert sequence.pointers == ["/PushStatus/sequence"]
    unknown = door.push(a_code(), a_status(), "k" + code)
    assert (unknown.answer["result"], unknown.answer["reason"]) == ("waiting", "unregistered")


def test_a_receipt_proves_what_was_taken(soap11: Door) -> None:
    code = a_code()
    answer = soap11.ask(
        message("PushStatus", code=code, key=f"{code}-1", at=a_status()["at"], status="4"),
        "<g:Receipt>full</g:Receipt>",
    ).answer
    receipt = answer["receipt"]
    entry = base64.b64decode(receipt["entry"])
    assert base64.b64encode(hashlib.sha256(b"\0" + entry).digest()).decode() == receipt["leaf"]
    recorded = json.loads(entry)
    assert (recorded["id"], recorded["kind"], recorded["dossier"]) == (answer["delivery"], "intake", code)
    assert (recorded["operation"], recorded["caller"]["client"]) == ("status", "province")
    assert receipt["proof"]


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


def test_a_long_quoted_key_is_the_same_as_the_bare_one(soap11: Door) -> None:
    code = a_code()
    key = (f'{code}-"' + "k" * 255)[:255]
    quoted = '"' + key.replace('"', '\\"') + '"'
    assert soap11.push(code, a_status(), quoted).answer["replayed"] == "false"
    assert soap11.push(code, a_status(), key).answer["replayed"] == "true"


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


def test_every_event_of_many_ends_by_itself_and_in_order(door: Door, rest: Source) -> None:
    code, other = a_code(), a_code()
    rest.put(code)
    events = [
        an_event(code, "1", sequence=1),
        an_event(code, "1", sequence=1),
        an_event(code, "1", "9", sequence=1),
        an_event(code, "3", "9", sequence=3),
        an_event(other, "1"),
        an_event(code, "4", "?"),
        {"code": "x", "key": f"{code}-5", **a_status()},
        {"code": code, **a_status()},
        {"code": code, "key": '"half', **a_status()},
        an_event(code, "6", more="x"),
        "<item>text</item>",
        f"<item a='x'>{written('code', code)}{written('key', code)}</item>",
        an_event(code, "7", "4", sequence=1),
        an_event(code, "2", sequence=2),
    ]
    results = door.push_many(events).answer["results"]
    assert [result["line"] for result in results] == [str(place + 1) for place in range(len(events))]
    words = [(result["result"], result.get("reason") or result.get("problem", {}).get("code")) for result in results]
    assert words == [
        ("accepted", None),
        ("duplicate", None),
        ("refused", "idempotency-key-reused"),
        ("waiting", "gap"),
        ("waiting", "unregistered"),
        ("quarantined", "unknown-status"),
        *[("refused", "invalid")] * 6,
        ("duplicate", None),
        ("accepted", None),
    ]
    assert results[1]["receipt"] == results[0]["receipt"]
    assert all(("receipt" in result) is (result["result"] != "refused") for result in results)
    assert all(("delivery" in result) is (result["result"] != "refused") for result in results)
    assert (results[0]["code"], results[0]["key"]) == (code, f"{code}-1")
    assert (results[6]["code"], results[7]["key"], results[8]["key"]) == ("x", None, '"half')
    assert results[7]["problem"]["errors"][0]["pointer"] == "/key"
    # The stream of lines says the same of what both can be asked.
    lines = [one for one in events[:6] if isinstance(one, dict)]
    assert [result["result"] for result in rest.stream(lines)] == ["duplicate", "duplicate", "refused"] + [
        "duplicate"
    ] * 3
    again = door.push_many(events).answer["results"]
    assert {result["result"] for result in again} == {"duplicate", "refused"}


def test_a_thousand_events_are_taken_and_one_more_is_not(soap11: Door, rest: Source) -> None:
    codes = [a_code() for _ in range(100)]
    for code in codes[:2]:
        rest.put(code)
    note = "Đã chuyển hồ sơ đến bộ phận chuyên môn để thẩm định nội dung. " * 20
    events = [an_event(code, str(place), sequence=place, note=note) for place in range(1, 11) for code in codes]
    refused = soap11.push_many([*events, an_event(a_code(), "1")])
    assert (refused.status, refused.code, refused.problem["status"]) == (413, "too-large", "413")
    results = soap11.push_many(events).answer["results"]
    assert len(results) == 1_000
    assert [result["code"] for result in results] == [event["code"] for event in events]
    assert {result["result"] for result in results} == {"accepted", "waiting"}
    assert [one["sequence"] for one in rest.ask("GET", f"/v1/dossiers/{codes[1]}").json["deliveries"]] == [
        None,
        *range(1, 11),
    ]


def test_no_event_is_no_result(soap11: Door) -> None:
    assert soap11.push_many([]).answer == {"results": ""}
    for inside, pointer in (
        ("", "/PushStatuses/events"),
        ("<item/>", "/PushStatuses"),
        ("<events/>x", "/PushStatuses"),
    ):
        heard = soap11.ask(f'<PushStatuses xmlns="{NAMESPACE}">{inside}</PushStatuses>')
        assert (heard.code, heard.pointers) == ("invalid", [pointer]), inside


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


def test_the_owner_sees_what_rest_shows(door: Door, rest: Source, contract: Any) -> None:
    code = a_code()
    rest.put(code, a_dossier(**WHOLE))
    rest.put(code, a_dossier(deliver=False, summary="Khác"))
    rest.push(code, a_status("9", sequence=2, officer="Trần Văn Bé", note="hai\ndòng"), key=f"{code}-2")
    heard = door.get(code)
    answer = heard.answer
    shown = rest.ask("GET", f"/v1/dossiers/{code}").json
    # What the script for callers makes of it is what REST tells, to the type of each value.
    made = contract.answer(heard.body)
    assert made.pop("receipt")["salt"]
    assert made == {name: value for name, value in shown.items() if name != "receipt"}
    for one in shown["deliveries"]:
        one["dossier" if one["kind"] == "registration" else "event"] = event = one.pop("event")
        assert event is not None
    receipt = answer.pop("receipt")
    assert int(receipt["index"]) < shown.pop("receipt")["index"]
    same(answer, shown)
    assert NAME in answer["versions"][0]["dossier"]["ownerName"]


def test_deliveries_are_listed_as_over_rest(door: Door, rest: Source) -> None:
    code = a_code()
    rest.put(code)
    for sequence in range(1, 4):
        rest.push(code, a_status("4", sequence=sequence), key=f"{code}-{sequence}")
    after: dict[str, str] = {}
    for _ in range(2):
        page = door.list(limit=2, **after).answer
        query = "".join(f"&{name}={value}" for name, value in after.items())
        same(page, rest.ask("GET", f"/v1/deliveries?limit=2{query}").json)
        after = {"after": page["next"]}
    mine: list[Any] = []
    while page["next"] is not None:
        page = door.list(limit=500, after=page["next"]).answer
        mine += [one["sequence"] for one in page["items"] if one["code"] == code]
    assert mine[-3:] == ["1", "2", "3"]
    same(door.list(state="waiting").answer, rest.ask("GET", "/v1/deliveries?state=waiting").json)
    same(door.list(state="dead").answer, rest.ask("GET", "/v1/deliveries?state=dead").json)


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


def test_nothing_durable_is_503_and_a_failure_on_the_way_is_told_event_by_event(
    soap11: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = a_code()
    events = [an_event(code, str(place)) for place in range(300)]
    genuine, calls = AuditLog.record_together, 0

    async def failing(self: AuditLog, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise EvidenceUnavailable(retry_after=2)
        return await genuine(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(AuditLog, "record_together", failing)
        results = soap11.push_many(events).answer["results"]
        assert [result["result"] for result in results[:256]] == ["waiting"] * 256
        assert {result["problem"]["code"] for result in results[256:]} == {"evidence-unavailable"}
        refused = soap11.push(code, a_status(), f"{code}-x")
        assert (refused.status, refused.code, refused.problem["retryAfter"]) == (500, "evidence-unavailable", "2")
    again = soap11.push_many(events).answer["results"]
    assert [result["result"] for result in again] == ["duplicate"] * 256 + ["waiting"] * 44
