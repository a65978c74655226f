"""`/soap/dossiers` message by message: what it answers is what REST answers, and what it refuses as well."""

import base64
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import EvidenceUnavailable
from security.audit.log import AuditLog
from tests.test_intake.source import Source, a_code
from tests.test_intake.world import NAME, PERSON, a_dossier, a_status
from tests.test_soap_dossiers.door import GOLDEN, NAMESPACE, Door, an_event, as_rest, camelled, message, written

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


def test_a_long_quoted_key_is_the_same_as_the_bare_one(soap11: Door) -> None:
    code = a_code()
    key = (f'{code}-"' + "k" * 255)[:255]
    quoted = '"' + key.replace('"', '\\"') + '"'
    assert soap11.push(code, a_status(), quoted).answer["replayed"] == "false"
    assert soap11.push(code, a_status(), key).answer["replayed"] == "true"


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
    for name, value in {"code": code, "client": "province", "reason": "gap", "status": "4"}.items():
        same(door.list(**{name: value}).answer, rest.ask("GET", f"/v1/deliveries?{name}={value}").json)
    same(door.list(state="dead").answer, rest.ask("GET", "/v1/deliveries?state=dead").json)


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
