"""Answers are as the OpenAPI document says, good ones and bad ones."""

from typing import Any

import pytest

from adapters import DATABASES
from routes.openapi import document
from tests.test_audit_rest.office import Office, asked_about
from tests.test_audit_rest.test_values import REASON
from tests.test_openapi.test_published import conforms

PUBLISHED = document(DATABASES, "http://gateway.example:8080")
SEARCH = {"subject": {"value": "001085012345"}}
ENTRY = "/v1/audit/entries/{index}"
PUBLIC = {
    *("/v1/audit/checkpoint", "/v1/audit/consistency", "/v1/audit/keys", "/v1/audit/log/checkpoint"),
    "/v1/audit/log/tile/{level}/{tile}",
}


CASES: list[tuple[str, str, Any, int]] = [
    ("/v1/audit/entries", "?limit=2", None, 200),
    ("/v1/audit/entries", "?limit=x", None, 422),
    ("/v1/audit/search", "", SEARCH, 200),
    ("/v1/audit/search", "", {}, 422),
    (ENTRY, "", None, 200),
    (ENTRY, "?x=1", None, 422),
    (f"{ENTRY}/proof", "", None, 200),
    (f"{ENTRY}/proof", "?size=1", None, 404),
    (f"{ENTRY}/values", "", REASON, 200),
    (f"{ENTRY}/values", "", {"reason": ""}, 422),
    (f"{ENTRY}/bundle", "", {}, 200),
    (f"{ENTRY}/bundle", "", {"all": True}, 422),
    ("/v1/audit/checkpoint", "", None, 200),
    ("/v1/audit/consistency", "?from=1&to=2", None, 200),
    ("/v1/audit/consistency", "?from=1", None, 422),
    ("/v1/audit/keys", "", None, 200),
    ("/v1/audit/log/checkpoint", "", None, 200),
    ("/v1/audit/log/tile/{level}/{tile}", ".p/1", None, 200),
    ("/v1/audit/log/tile/{level}/{tile}", ".p/0", None, 404),
    ("/v1/audit/log/tile/entries/{tile}", ".p/1", None, 200),
    ("/v1/audit/log/tile/entries/{tile}", ".p/0", None, 404),
]


def test_every_path_of_the_log_is_looked_at() -> None:
    assert {case[0] for case in CASES} == {path for path in PUBLISHED["paths"] if path.startswith("/v1/audit/")}


@pytest.mark.parametrize(("path", "asked", "body", "status"), CASES)
def test_answers_are_as_published(local: Office, path: str, asked: str, body: Any, status: int) -> None:
    index = local.log(asked_about("001085012345"))[0].index
    named = path.replace("{index}", str(index)).replace("{level}", "0").replace("{tile}", "000")
    told = local.ask(f"{named}{asked}", body, client=None if path in PUBLIC else "auditor")
    assert told.status == status
    conforms(PUBLISHED, path, "get" if body is None else "post", told)


@pytest.mark.parametrize(("client", "status"), [("ministry", 403), (None, 401)], ids=["no-right", "nobody"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("search", SEARCH),
        ("entries/0/values", REASON),
        ("entries/0/bundle", {"all": True, **REASON}),
        ("log/tile/entries/000", None),
    ],
    ids=["search", "values", "bundle", "tile"],
)
def test_refusals_are_as_published(local: Office, path: str, body: Any, client: str | None, status: int) -> None:
    told = local.ask(f"/v1/audit/{path}", body, client=client)
    assert told.status == status
    named = path.replace("entries/000", "entries/{tile}").replace("entries/0", "entries/{index}")
    conforms(PUBLISHED, f"/v1/audit/{named}", "get" if body is None else "post", told)
