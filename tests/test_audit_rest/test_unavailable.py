"""No evidence, no answer: where a reading cannot be recorded nothing is shown."""

from typing import Any

import pytest

from schemas.errors import EvidenceUnavailable
from storage.errors import StorageUnavailable
from tests.test_audit_rest.office import Office, asked_about
from tests.test_audit_rest.test_values import REASON

SEARCH = {"subject": {"value": "001085012345"}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("entries?limit=1", None, id="list"),
        pytest.param("search", SEARCH, id="search"),
        pytest.param("entries/{index}", None, id="entry"),
        pytest.param("entries/{index}/proof", None, id="proof"),
        pytest.param("entries/{index}/values", REASON, id="values"),
        pytest.param("entries/{index}/bundle", {}, id="bundle"),
        pytest.param("log/tile/entries/000.p/1", None, id="tile"),
    ],
)
def test_what_cannot_be_recorded_is_not_shown(
    local: Office, monkeypatch: pytest.MonkeyPatch, path: str, body: Any
) -> None:
    receipt = local.log(asked_about("001085012345"))[0]

    async def full(*_: object, **__: object) -> None:
        raise EvidenceUnavailable

    monkeypatch.setattr(local.gateway.log, "record", full)
    told = local.ask(f"/v1/audit/{path.replace('{index}', str(receipt.index))}", body)
    assert (told.status, told.json["code"]) == (503, "evidence-unavailable")
    assert "Retry-After" in told.headers
    assert told.json.keys().isdisjoint({"items", "index", "leaf", "at"})


@pytest.mark.parametrize("path", ["checkpoint", "keys", "consistency?from=1&to=2", "log/tile/0/000.p/1"])
def test_a_database_that_does_not_answer_is_told_of(local: Office, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    async def lost(_: object) -> None:
        raise StorageUnavailable("gone")

    monkeypatch.setattr(local.gateway.storage, "read", lost)
    told = local.ask(f"/v1/audit/{path}", client=None)
    assert (told.status, told.json["code"]) == (503, "evidence-unavailable")
