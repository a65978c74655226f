"""Who read citizen X: found by identifier, never named outside the body of the question."""

from typing import Any

import pytest

from tests.test_audit_rest.office import Office, asked_about, at
from tests.test_audit_rest.test_lists import indexes


def sought(office: Office, value: str, kind: str | None = None, query: str = "", **period: str) -> Any:
    subject = {"value": value} | ({"kind": kind} if kind else {})
    told = office.ask(f"/v1/audit/search{query}", {"subject": subject, **period})
    assert told.status == 200, told.body
    return told


def test_asked_and_disclosed_are_found(office: Office) -> None:
    asked, told, other = office.log(
        asked_about("001085000001", "001085000002"),
        asked_about("001085000003", "001085000001", client="limited"),
        asked_about("001085000004"),
    )
    for kind in (None, "personal-id", "identity-document", "tax-code"):
        assert {asked.index, told.index} <= set(indexes(sought(office, "001085000001", kind).json)), kind
        assert other.index not in indexes(sought(office, "001085000001", kind).json)


def test_a_period_bounds_the_search(office: Office) -> None:
    early, late = office.log(
        asked_about("001085000011", at=at("2024-02-29T16:59:59+00:00")),
        asked_about("001085000011", at=at("2024-02-29T17:00:00+00:00")),
    )
    assert indexes(sought(office, "001085000011", since="2024-02-29", until="2024-02-29").json) == [early.index]
    assert indexes(sought(office, "001085000011", since="2024-03-01", until="2024-03-01").json) == [late.index]


@pytest.mark.parametrize("limit", [1, 4])
def test_pages_of_a_search_end_although_searches_are_about_the_person_too(office: Office, limit: int) -> None:
    person = f"00108500002{limit}"
    wanted = [receipt.index for receipt in office.log(*(asked_about(person) for _ in range(6)))]
    found: list[int] = []
    query = f"?limit={limit}"
    for _ in range(50):
        page = sought(office, person, query=query).json
        found += indexes(page)
        if page["next"] is None:
            break
        query = f"?limit={limit}&after={page['next']}"
    else:
        raise AssertionError("the search does not end")
    assert found[:6] == wanted
    assert found == sorted(set(found))
    # Who searches for somebody is found by the next who does.
    assert len(indexes(sought(office, person).json)) > 6


def test_the_search_is_recorded_without_the_identifier(office: Office) -> None:
    asked = office.log(asked_about("001085000031"))[0].index
    told = sought(office, "001085000031", "personal-id", since="2020-01-01")
    entry = office.entry(int(told.headers["Lgsp-Reading"]))
    assert entry["details"] == {
        "action": "audit-search",
        "entries": [asked],
        "filters": {"since": "2019-12-31T17:00:00.000000Z"},
    }
    assert [(each["role"], each["kind"]) for each in entry["subjects"]] == [("asked", "personal-id")]
    assert "001085000031" not in str(entry)


def test_only_auditors_search(local: Office) -> None:
    told = local.ask("/v1/audit/search", {"subject": {"value": "001085012345"}}, client="ministry")
    assert (told.status, told.json["code"], told.json["reason"]) == (403, "refused", "no-right")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({}, "/subject", id="nobody"),
        pytest.param({"subject": {"kind": "personal-id"}}, "/subject/value", id="no-value"),
        pytest.param({"subject": {"value": 1085012345}}, "/subject/value", id="a-number"),
        pytest.param({"subject": {"value": ""}}, "/subject/value", id="empty"),
        pytest.param({"subject": {"value": "0" * 65}}, "/subject/value", id="too-long"),
        pytest.param({"subject": {"value": "00108501\u00852345"}}, "/subject/value", id="control"),
        pytest.param({"subject": {"value": "001085012345", "kind": "citizen"}}, "/subject/kind", id="no-such-kind"),
        pytest.param({"subject": {"value": "001085012345"}, "since": "2026"}, "/since", id="half-a-day"),
        pytest.param({"subject": {"value": "001085012345"}, "more": 1}, "/more", id="unknown"),
    ],
)
def test_bodies_that_mean_nothing_are_refused_and_not_repeated(local: Office, body: Any, pointer: str) -> None:
    told = local.ask("/v1/audit/search", body)
    assert (told.status, [flaw["pointer"] for flaw in told.json["errors"]]) == (422, [pointer])
    assert b"001085012345" not in told.body
