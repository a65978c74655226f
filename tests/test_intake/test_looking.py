"""What the owner's agency sees of its dossiers: deadlines, the timeline, deliveries that a filter means."""

from datetime import datetime
from typing import Any

import pytest

from config.metrics import render
from routes.dossiers.deadlines import deadlines
from routes.dossiers.views import full, shown_time
from sync.reading import StoredVersion, Whole, whole
from sync.rows import EVENT_NAMES, Dossier, Event
from tests.test_intake.source import Source, a_code
from tests.test_intake.world import CODE, NEIGHBOUR, PROVINCE, Desk, a_dossier, a_status

DUE = "2026-12-10T17:00:00+07:00"
LATER = datetime.fromisoformat("2026-12-10T10:00:01+00:00")
SOONER = datetime.fromisoformat("2026-12-10T09:59:59+00:00")


def an_event(position: int, status: str, at: str, state: str = "delivered") -> Event:
    said: dict[str, Any] = dict.fromkeys(EVENT_NAMES) | {
        "position": position,
        "event_id": f"e{position}",
        "kind": "status",
        "client_id": "province",
        "ordinal": position,
        "behind": 0,
        "at": round(datetime.fromisoformat(at).timestamp() * 1000),
        "national": status,
        "state": state,
    }
    return Event(**said)


def told(now: datetime, *events: Event, steps: dict[str, str] | None = None, **said: Any) -> dict[str, Any]:
    version = StoredVersion(1, 0, "v1", "province", 0, True, "", 0, None)
    dossier = Dossier("c", "registered", None, None, None, 1, 0, 0, None, None, None, "portal", None, None, None)
    bodies: dict[str, Any] = {"v1": {"due_at": DUE} | said}
    bodies |= {event: {"due_at": due} for event, due in (steps or {}).items()}
    return deadlines(Whole(dossier, (version,), events, {}), bodies, now)


@pytest.mark.parametrize(
    ("now", "events", "said", "overdue"),
    [
        pytest.param(SOONER, (), {}, False, id="not-yet"),
        pytest.param(LATER, (), {}, True, id="nothing-happened"),
        pytest.param(LATER, (an_event(1, "9", "2026-12-10T16:59:59+07:00"),), {}, False, id="resolved-in-time"),
        pytest.param(LATER, (an_event(1, "9", "2026-12-10T17:00:01+07:00"),), {}, True, id="resolved-too-late"),
        pytest.param(LATER, (an_event(1, "8", "2026-12-09T09:00:00+07:00"),), {}, True, id="only-stopped"),
        pytest.param(LATER, (an_event(1, "3", "2026-12-09T09:00:00+07:00"),), {}, False, id="refused-in-time"),
        pytest.param(
            LATER, (an_event(1, "9", "2026-12-09T09:00:00+07:00", "quarantined"),), {}, True, id="not-counted"
        ),
        pytest.param(LATER, (), {"finished_at": "2026-12-09T23:00:00Z"}, False, id="said-by-the-dossier"),
    ],
)
def test_a_dossier_is_overdue_by_the_clock_of_its_source(
    now: datetime, events: tuple[Event, ...], said: dict[str, Any], overdue: bool
) -> None:
    assert told(now, *events, **said) == {"due_at": DUE, "due_on": "2026-12-10", "overdue": overdue, "steps": []}


def test_the_day_is_that_in_vietnam_and_nothing_is_due_without_a_time() -> None:
    assert told(SOONER, due_at="2026-12-31T17:30:00Z")["due_on"] == "2027-01-01"
    assert told(SOONER, due_at=None) == {"due_at": None, "due_on": None, "overdue": None, "steps": []}


def test_a_step_lasts_until_the_next_status() -> None:
    first, second = an_event(1, "4", "2026-12-01T09:00:00+07:00"), an_event(2, "5", "2026-12-03T09:00:00+07:00")
    due = {"e1": "2026-12-02T17:00:00+07:00", "e2": "2026-12-20T17:00:00+07:00"}
    steps = told(LATER, first, second, steps=due)["steps"]
    assert [(step["delivery"], step["status"], step["due_on"], step["overdue"]) for step in steps] == [
        ("e1", "4", "2026-12-02", True),
        ("e2", "5", "2026-12-20", False),
    ]


def test_deliveries_are_found_by_what_is_said_of_them(province: Source) -> None:
    code, other = a_code(), a_code()
    for each in (code, other):
        province.put(each)
        province.push(each, a_status("?"), key=f"{each}-1")
        province.push(each, a_status("4", sequence=1), key=f"{each}-2")

    def found(query: str) -> list[dict[str, Any]]:
        answer = province.ask("GET", f"/v1/deliveries?{query}")
        assert answer.status == 200, answer.body
        items: list[dict[str, Any]] = answer.json["items"]
        return items

    mine = found(f"code={code}")
    assert [item["kind"] for item in mine] == ["registration", "status", "status"]
    assert [bool(item["fingerprint"]) for item in mine] == [False, True, False]
    mark = mine[1]["fingerprint"]
    alike = found(f"fingerprint={mark}&limit=500")
    assert {code, other} <= {item["code"] for item in alike}
    assert {(item["state"], item["reason"]) for item in alike} == {("quarantined", "unknown-status")}
    assert [item["id"] for item in found(f"fingerprint={mark}&code={code}")] == [mine[1]["id"]]
    assert found(f"fingerprint={mark}&code={code}&state=waiting") == []
    assert found(f"fingerprint=000000000000&code={code}") == []
    assert [item["id"] for item in found(f"reason=unknown-status&code={code}")] == [mine[1]["id"]]
    assert [item["status"] for item in found(f"status=4&code={code}&client=province")] == ["4"]
    assert found(f"code={code}&client=somebody") == []
    first = province.ask("GET", f"/v1/deliveries?code={code}&limit=1").json
    rest = found(f"code={code}&after={first['next']}")
    assert [item["id"] for item in (*first["items"], *rest)] == [item["id"] for item in mine]


def test_the_timeline_tells_what_was_received_validated_and_queued(province: Source) -> None:
    code = a_code()
    province.put(code)
    province.push(code, a_status("4", sequence=1, due_at="2020-01-01T00:00:00+07:00"), key=f"{code}-1")
    province.push(code, a_status("?"), key=f"{code}-2")
    seen = province.ask("GET", f"/v1/dossiers/{code}").json
    by_delivery: dict[str, list[str]] = {}
    for step in seen["timeline"]:
        by_delivery.setdefault(step.get("delivery", ""), []).append(step["what"])
    assert by_delivery[""] == ["registered"]
    assert by_delivery[seen["deliveries"][1]["id"]][:3] == ["received", "validated", "queued"]
    assert by_delivery[seen["deliveries"][2]["id"]] == ["received", "quarantined"]
    assert [(step["status"], step["overdue"]) for step in seen["deadlines"]["steps"]] == [("4", True)]


async def test_the_owner_sees_who_of_other_agencies_pushed_and_how_much(desk: Desk) -> None:
    await desk.push(a_status("4"), caller=NEIGHBOUR)
    await desk.put()
    await desk.push(a_status("9"), caller=NEIGHBOUR)
    await desk.push(a_status("4"))
    found = await desk.world.storage.read(lambda connection: whole(connection, CODE, PROVINCE.agency))
    assert found is not None
    shown = full(found, {}, LATER)
    (other,) = shown["from_others"]
    rows = await desk.rows()
    assert other.pop("last_at") == shown_time(rows[2]["accepted_at"])
    assert other == {"agency": NEIGHBOUR.agency, "client": "neighbour", "deliveries": 2, "delivered": 0}
    assert [each["client"] for each in shown["deliveries"]] == ["province"] * 2


def test_pushes_are_counted_by_door_result_and_reason(province: Source) -> None:
    def counted(door: str, result: str, reason: str = "") -> float:
        wanted = f'lgsp_pushes_total{{door="{door}",reason="{reason}",result="{result}"}} '
        lines = render().decode().splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    kinds = [
        ("rest", "waiting", "unregistered"),
        ("rest", "duplicate", "unregistered"),
        ("rest", "refused", "idempotency-key-required"),
        ("rest", "refused", "invalid"),
        ("stream", "quarantined", "unknown-status"),
        ("stream", "refused", "malformed"),
    ]
    before = [counted(*kind) for kind in kinds]
    code = a_code()
    province.push(code, key=f"{code}-1")
    province.push(code, key=f"{code}-1")
    province.push(code)
    province.push(code, {"status": "4"}, key=f"{code}-2")
    province.put(code, a_dossier())
    province.stream([{"code": code, "key": f"{code}-3", **a_status("?")}, b"{"])
    assert [counted(*kind) - had for kind, had in zip(kinds, before, strict=True)] == [1.0] * len(kinds)
