"""Entries by what they say: who sees which, in pages that lose nothing and come to an end."""

from typing import Any

import pytest

from security.audit.entries import Outcome
from tests.test_audit_rest.office import Office, asked_about, at


def indexes(page: dict[str, Any]) -> list[int]:
    return [item["index"] for item in page["items"]]


def every(office: Office, path: str, client: str = "auditor") -> list[int]:
    """Follow the pages to their end."""
    found: list[int] = []
    page = office.get(path, client)
    for _ in range(200):
        found += indexes(page)
        if page["next"] is None:
            return found
        page = office.get(f"{path}&after={page['next']}", client)
    raise AssertionError("the list does not end")


def test_filters_mean_what_they_say(office: Office) -> None:
    plain = asked_about("001085012345", request_id="lists-plain")
    events = (
        plain,
        asked_about("001085012345", client="limited", request_id="lists-client"),
        asked_about("001085012345", request_id="lists-other", purpose="tax-administration", database="tax"),
        asked_about("001085012345", request_id="lists-kind", kind="refusal", outcome=Outcome("no-record", 404)),
        asked_about("001085012345", request_id="lists-dossier", dossier="000.00.00.H26-260105-0001"),
        asked_about("001085012345", request_id="lists-when", at=at("2024-02-29T16:59:59.5+00:00")),
        asked_about("001085012345", request_id="lists-next", at=at("2024-02-29T17:00:00+00:00")),
    )
    numbers = {event.request_id: receipt.index for event, receipt in zip(events, office.log(*events), strict=True)}

    def found(query: str) -> set[str]:
        listed = set(every(office, f"/v1/audit/entries?limit=500&{query}"))
        return {str(name) for name, index in numbers.items() if index in listed}

    everything = {str(name) for name in numbers}
    assert found("caller=limited") == {"lists-client"}
    assert found("database=tax") == {"lists-other"}
    assert found("purpose=tax-administration") == {"lists-other"}
    assert found("operation=person") == everything
    assert found("kind=refusal") == found("outcome=no-record") == {"lists-kind"}
    assert found("dossier=000.00.00.H26-260105-0001") == {"lists-dossier"}
    assert found("request_id=lists-plain") == {"lists-plain"}
    assert found("database=tax&kind=refusal") == set()
    # A day is one of Vietnam, and its end is part of it; a time is an instant.
    assert found("since=2024-02-29&until=2024-02-29") == {"lists-when"}
    assert found("since=2024-03-01&until=2024-03-01") == {"lists-next"}
    assert found("since=2024-03-01T00:00:00%2B07:00&until=2024-02-29T17:00:00.5Z") == {"lists-next"}
    assert found("until=2024-02-29T17:00:00Z") == {"lists-when"}


def test_callers_see_their_own_entries_and_no_others(office: Office) -> None:
    own, foreign = office.log(asked_about("001085012345", client="limited"), asked_about("001085012345"))
    seen = every(office, "/v1/audit/entries?limit=500", client="limited")
    assert own.index in seen
    assert foreign.index not in seen
    assert all(office.entry(index)["caller"]["client"] == "limited" for index in seen)
    assert indexes(office.get("/v1/audit/entries?caller=ministry", client="limited")) == []
    assert own.index in every(office, "/v1/audit/entries?limit=500&caller=limited", client="limited")


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_pages_end_and_lose_nothing_while_others_write(office: Office, limit: int) -> None:
    before = [receipt.index for receipt in office.log(*(asked_about("001085012345") for _ in range(9)))]
    path = f"/v1/audit/entries?limit={limit}"
    found: list[int] = []
    cursor, last = str(before[0] - 1), None
    written: list[int] = []
    for _ in range(100):
        page = office.get(f"{path}&after={cursor}")
        found += indexes(page)
        if len(written) < 3:
            written += [office.log(asked_about("001085012346"))[0].index]
        if page["next"] is None:
            break
        cursor = last = page["next"]
    else:
        raise AssertionError("the list does not end")
    assert found == sorted(set(found))
    assert set(before) <= set(found)
    # Who keeps the last cursor goes on from there.
    late = office.log(asked_about("001085012347"))[0].index
    again: list[int] = []
    for _ in range(100):
        page = office.get(f"{path}&after={last}")
        again += indexes(page)
        if late in again:
            break
        last = page["next"]
    assert late in again
    assert {*before, *written, late} <= {*found, *again}
    assert set(range(again[0], late + 1)) <= {*found, *again}


def test_own_looks_of_before_are_entries_like_others(office: Office) -> None:
    path = "/v1/audit/entries?kind=reading&caller=auditor&database=audit&limit=2"
    looks = [int(office.ask("/v1/audit/entries?limit=1").headers["Lgsp-Reading"]) for _ in range(5)]
    found = every(office, f"{path}&since=2020-01-01")
    assert set(looks) <= set(found)


def test_a_page_is_recorded_with_what_it_showed_before_it_is_shown(office: Office) -> None:
    first = office.log(asked_about("001085012345", request_id="page-1"))[0].index
    told = office.ask("/v1/audit/entries?request_id=page-1&since=2020-01-01", X_Request_Id="list-reader")
    assert indexes(told.json) == [first]
    entry = office.entry(int(told.headers["Lgsp-Reading"]))
    assert (entry["kind"], entry["caller"]["client"], entry["request_id"]) == ("reading", "auditor", "list-reader")
    assert entry["details"] == {
        "action": "audit-list",
        "entries": [first],
        "filters": {"request_id": "page-1", "since": "2019-12-31T17:00:00.000000Z"},
    }


def test_items_are_the_entries_themselves(office: Office) -> None:
    receipt = office.log(asked_about("001085012345"))[0]
    (item,) = office.get(f"/v1/audit/entries?limit=1&after={receipt.index - 1}")["items"]
    assert item == {
        "index": receipt.index,
        "leaf": receipt.as_json()["leaf"],
        "redacted": False,
        "entry": office.entry(receipt.index),
    }


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        pytest.param("limit=0", "limit", id="no-items"),
        pytest.param("limit=501", "limit", id="too-many"),
        pytest.param("limit=5&limit=6", "limit", id="twice"),
        pytest.param("after=-1", "after", id="negative-cursor"),
        pytest.param("after=01", "after", id="zero-before"),
        pytest.param("after=5.", "after", id="half-a-cursor"),
        pytest.param(f"after={'9' * 19}", "after", id="endless-cursor"),
        pytest.param("since=2026-02-30", "since", id="no-such-day"),
        pytest.param("until=2026-01-01T00:00:00", "until", id="no-zone"),
        pytest.param("since=2026-01-01T00:00:00+07:00", "since", id="plus-not-escaped"),
        pytest.param("since=yesterday", "since", id="a-word"),
        pytest.param("kind=everything", "kind", id="no-such-kind"),
        pytest.param("caller=001085012345", "caller", id="a-person-as-caller"),
        pytest.param("purpose=%00", "purpose", id="nul"),
        pytest.param("database=a'%20or%20'1'='1", "database", id="quotes"),
        pytest.param("outcome=" + "a" * 65, "outcome", id="too-long"),
        pytest.param("dossier=001085012345", "dossier", id="a-person-as-dossier"),
        pytest.param("request_id=001085012345", "request_id", id="a-person-as-request"),
        pytest.param("operation=nh%C3%A2n", "operation", id="not-ascii"),
    ],
)
def test_parameters_that_mean_nothing_are_refused_and_not_repeated(local: Office, query: str, parameter: str) -> None:
    told = local.ask(f"/v1/audit/entries?{query}")
    assert (told.status, told.json["code"]) == (422, "invalid")
    assert [flaw.get("parameter") for flaw in told.json["errors"]] == [parameter]
    assert b"001085012345" not in told.body


def test_unknown_parameters_are_refused(local: Office) -> None:
    told = local.ask("/v1/audit/entries?subject=001085012345")
    assert (told.status, "parameter" in told.json["errors"][0]) == (422, False)
    assert b"001085012345" not in told.body
