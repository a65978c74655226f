"""Whom the log was asked about stands in no line that the gateway writes; whose token is over reads nothing."""

import json
import time
from collections.abc import Iterator
from io import StringIO

import pytest

from config.logging import configure
from schemas.ids import new_id
from security.tokens import Tokens
from tests.test_audit_rest.office import Office, asked_about
from tests.test_audit_rest.test_values import REASON

PERSON, TOLD = "001085000091", "001085000092"


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What is logged meanwhile."""
    stream = StringIO()
    configure(stream=stream)
    yield stream
    configure()


def test_lines_of_the_log_name_no_person(local: Office, lines: StringIO) -> None:
    index = local.log(asked_about(PERSON, TOLD))[0].index
    request_id = new_id()
    for subject in ({"value": PERSON}, {"value": TOLD, "kind": "personal-id"}):
        assert local.ask("/v1/audit/search", {"subject": subject}, X_Request_Id=request_id).status == 200
    assert local.ask(f"/v1/audit/entries/{index}/values", REASON).status == 200
    opening = {"subject": {"value": PERSON}, "answer": {"full_name": TOLD}, **REASON}
    assert local.ask(f"/v1/audit/entries/{index}/bundle", opening).status == 422
    # Nor where somebody wrote them into an address.
    assert local.ask(f"/v1/audit/entries?dossier={PERSON}").status == 422
    assert local.ask(f"/v1/audit/entries/{PERSON}").status == 404
    assert local.ask(f"/v1/audit/log/tile/0/{PERSON}", client=None).status == 404
    said = lines.getvalue()
    assert request_id in said
    assert PERSON not in said
    assert TOLD not in said
    assert "12/QĐ" not in said


def test_entries_of_readings_name_no_person(local: Office) -> None:
    index = local.log(asked_about(PERSON, TOLD))[0].index
    before = local.size()
    local.ask("/v1/audit/search", {"subject": {"value": PERSON}})
    local.ask(f"/v1/audit/entries/{index}/values", REASON)
    local.ask(f"/v1/audit/entries/{index}/values", {"reason": f"về {PERSON}"})
    local.ask(f"/v1/audit/entries?request_id={PERSON}")
    local.ask(f"/v1/audit/entries/{index}/bundle", {"subject": {"value": TOLD}, **REASON})
    local.ask(f"/v1/audit/entries/{index}/bundle", {"answer": {"full_name": TOLD}, "fields": [f"/{PERSON}"], **REASON})
    written = [local.entry(number) for number in range(before, local.size())]
    assert [entry["kind"] for entry in written] == [
        *("reading", "reading", "unreadable", "unreadable", "reading", "reading", "unreadable"),
    ]
    assert not [entry for entry in written if PERSON in json.dumps(entry) or TOLD in json.dumps(entry)]


def test_a_token_that_is_over_reads_nothing(local: Office) -> None:
    gateway = local.gateway
    client = gateway.identity.registry.get("auditor")
    assert client is not None
    late = Tokens(gateway.keys, gateway.identity.tokens.issuer, 60, clock=lambda: time.time() - 3600)
    token, _ = late.issue(client, client.credentials[0])
    told = local.ask("/v1/audit/entries", client=None, Authorization=f"Bearer {token}")
    assert (told.status, told.json["reason"]) == (401, "expired")
