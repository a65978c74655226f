"""What people type when they look for somebody finds the entries that hold it as sources write it."""

from dataclasses import replace

import pytest

from schemas.audit import sought
from security.audit.entries import Subject
from tests.test_audit_rest.office import Office, asked_about
from tests.test_audit_rest.test_lists import indexes

PERSON, CARD, BRANCH = "079077972257", "DN5797961770944", "0100109106-001"


@pytest.mark.parametrize(
    ("kind", "held", "typed"),
    [
        pytest.param("personal-id", PERSON, f" {PERSON}", id="a-space-before"),
        pytest.param("personal-id", PERSON, "079 077.972-257\t", id="in-groups"),
        pytest.param("health-card", CARD, "dn 5797961770944", id="small-letters"),
        pytest.param("enterprise", BRANCH, BRANCH.replace("-", ""), id="without-its-dash"),
        pytest.param("enterprise", BRANCH.replace("-", ""), BRANCH, id="with-a-dash"),
        pytest.param("household", "Hộ 12.a", " Hộ 12.a", id="any-text"),
        pytest.param("identity-document", "B1234567", "b1234567", id="a-passport"),
    ],
)
@pytest.mark.parametrize("told", [True, False], ids=["told-its-kind", "not-told"])
def test_an_identifier_is_found_as_it_is_held(kind: str, held: str, typed: str, told: bool) -> None:
    assert (kind, held) in sought(typed, kind if told else None)


def test_a_typed_identifier_finds_the_entries(local: Office) -> None:
    plain = local.log(asked_about(PERSON))[0].index
    card = local.log(replace(asked_about(PERSON), subjects=[Subject("disclosed", "health-card", CARD)]))[0].index
    for value, index in ((f" {PERSON}", plain), ("079 077 972 257", plain), (CARD.lower(), card)):
        found = local.ask("/v1/audit/search", {"subject": {"value": value}, "since": "2020-01-01"})
        assert index in indexes(found.json), value


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        pytest.param(PERSON, "enterprise", "no value of this kind looks like this", id="of-another-kind"),
        pytest.param("demo.officer", "officer", "list those of the caller", id="an-officer"),
        pytest.param(" -. ", None, "holds no identifier", id="nothing"),
    ],
)
def test_what_can_be_nobody_is_refused(local: Office, value: str, kind: str | None, said: str) -> None:
    subject = {"value": value} | ({} if kind is None else {"kind": kind})
    for path in ("search", "entries/0/bundle"):
        body = {"subject": subject} | ({} if path == "search" else {"reason": "Thanh tra 12/2026"})
        told = local.ask(f"/v1/audit/{path}", body, **{"Accept-Language": "en"})
        assert (told.status, told.json["errors"][0]["pointer"]) == (422, "/subject/value")
        assert said in told.json["errors"][0]["detail"]
        assert value.encode() not in told.body


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param('{"079046291792": 1}', ["/subject", "/[masked]"], id="unknown"),
        pytest.param(
            '{"subject": {"value": "x", "079046291792": {"a": 1}}}', ["/subject/[masked]"], id="unknown-below"
        ),
        pytest.param('{"079046291792": 1, "079046291792": 2}', ["/[masked]"], id="twice"),
        pytest.param('{"079046291792": "\\u0000"}', ["/[masked]"], id="not-text"),
    ],
)
def test_a_number_that_names_a_member_is_not_repeated(local: Office, body: str, pointers: list[str]) -> None:
    told = local.ask("/v1/audit/search", body.encode())
    assert [flaw["pointer"] for flaw in told.json["errors"]] == pointers
    assert b"079046291792" not in told.body
