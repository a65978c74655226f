"""What a developer gets from a running gateway: the document, the page, the catalogue, and answers as published."""

import hashlib
import re
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters import DATABASES
from routes.openapi import document
from routes.openapi_older import older
from sandbox.examples import PEOPLE, SEED
from sandbox.run import REGISTRIES
from sandbox.truth import cases
from sandbox.world.world import World
from tests.test_openapi.deployment import PUBLIC, Answer, Deployment

NAMES = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]
HEADERS = {"Lgsp_Purpose": "dossier-processing"}


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return document(DATABASES, PUBLIC)


@pytest.fixture(scope="module")
def bearer(deployed: Deployment) -> str:
    return f"Bearer {deployed.token('ministry')}"


def conforms(published: dict[str, Any], path: str, method: str, answer: Answer) -> None:
    """Fail unless status, content type, headers and body of an answer are published for the operation."""
    told = published["paths"][path][method]["responses"][str(answer.status)]
    if "$ref" in told:
        told = published["components"]["responses"][told["$ref"].rpartition("/")[2]]
    kind = answer.headers["Content-Type"].partition(";")[0]
    if kind.endswith("json"):
        schema = {**told["content"][kind]["schema"], "components": published["components"]}
        Draft202012Validator(schema).validate(answer.json)
    else:
        assert kind in told["content"]
    for name, shown in told["headers"].items():
        header = published["components"]["headers"][shown["$ref"].rpartition("/")[2]]
        assert name in answer.headers or not header.get("required"), name


def test_the_document_is_served(deployed: Deployment, published: dict[str, Any]) -> None:
    answer = deployed.ask("GET", "/openapi.json")
    assert answer.json == published
    assert answer.headers["Content-Type"] == "application/json"


def test_the_older_form_is_served_where_it_is_asked_for(deployed: Deployment, published: dict[str, Any]) -> None:
    assert deployed.ask("GET", "/openapi.json?version=3.0").json == older(published)
    assert deployed.ask("GET", "/openapi.json?version=3.1").json == published
    refused = deployed.ask("GET", "/openapi.json?version=2.0")
    assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "version")


@pytest.mark.parametrize("name", NAMES)
def test_every_published_example_is_answered_as_it_says(
    deployed: Deployment, bearer: str, published: dict[str, Any], name: str
) -> None:
    shown = published["paths"][f"/v1/{name}"]["post"]
    body = shown["requestBody"]["content"]["application/json"]["examples"]["sandbox"]["value"]
    told = shown["responses"]["200"]["content"]["application/json"]["examples"]["sandbox"]["value"]
    for receipt in ("short", "full"):
        answer = deployed.ask("POST", f"/v1/{name}", body, Authorization=bearer, Lgsp_Receipt=receipt, **HEADERS)
        assert answer.status == 200, answer.body
        assert answer.json["data"] == told["data"]
        assert answer.json["exchange"]["fields"] == told["exchange"]["fields"]
        assert answer.json["receipt"].keys() - {"entry", "proof"} == told["receipt"].keys()
        assert ("proof" in answer.json["receipt"]) is (receipt == "full")
        conforms(published, f"/v1/{name}", "post", answer)


def test_test_persons_get_what_is_published(deployed: Deployment, bearer: str, published: dict[str, Any]) -> None:
    statuses = set()
    for name, several in cases(World(SEED, PEOPLE), REGISTRIES).items():
        for case in several:
            answer = deployed.ask("POST", f"/v1/{name}", case["body"], Authorization=bearer, **HEADERS)
            assert answer.status == case["status"], (name, case["name"])
            conforms(published, f"/v1/{name}", "post", answer)
            statuses.add(answer.status)
    assert {200, 404, 409} <= statuses


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", HEADERS, 400, "malformed"),
        ({"personal_id": "079077972257"}, {}, 400, "purpose-required"),
        ({"personal_id": "079077972257"}, HEADERS | {"Authorization": "Bearer x"}, 401, "unauthenticated"),
        ({"personal_id": "079077972257"}, {"Lgsp_Purpose": "curiosity"}, 403, "purpose-refused"),
        (b'"' + b"x" * 1_100_000 + b'"', HEADERS, 413, "too-large"),
        (b"personal_id=1", HEADERS | {"Content_Type": "text/plain"}, 415, "unsupported-media-type"),
        ({"personal_id": "1"}, HEADERS, 422, "invalid"),
    ],
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_refusals_are_as_published(
    deployed: Deployment,
    bearer: str,
    published: dict[str, Any],
    body: Any,
    headers: dict[str, str],
    status: int,
    code: str,
    language: str,
) -> None:
    sent = {"Authorization": bearer, "Accept_Language": language} | headers
    answer = deployed.ask("POST", "/v1/population/person", body, **sent)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["Content-Language"] == language
    conforms(published, "/v1/population/person", "post", answer)


@pytest.mark.parametrize(
    ("name", "fault", "status", "codes"),
    [
        ("land/parcel", "tampered", 502, {"upstream-signature-rejected"}),
        ("enterprise/enterprise", "malformed", 502, {"upstream-unreadable"}),
        ("tax/taxpayer", "down", 503, {"upstream-unavailable", "circuit-open"}),
    ],
)
def test_failures_of_a_source_are_as_published(
    deployed: Deployment, bearer: str, published: dict[str, Any], name: str, fault: str, status: int, codes: set[str]
) -> None:
    body = published["paths"][f"/v1/{name}"]["post"]["requestBody"]["content"]["application/json"]
    faults = deployed.registries.faults[name.partition("/")[0]]
    faults.set(fault)
    try:
        question = body["examples"]["sandbox"]["value"]
        answer = deployed.ask("POST", f"/v1/{name}", question, Authorization=bearer, **HEADERS)
    finally:
        faults.set(None)
    assert answer.status == status
    assert answer.json["code"] in codes
    conforms(published, f"/v1/{name}", "post", answer)


def test_every_published_page_is_there(deployed: Deployment, bearer: str, published: dict[str, Any]) -> None:
    asked = 0
    for path, item in published["paths"].items():
        # Dossiers and the log are not published, and who asks here has none and reads little.
        if "get" in item and item["get"]["tags"] not in (["dossiers"], ["audit"]):
            answer = deployed.ask("GET", path.replace("{code}", "no-record"), Authorization=bearer)
            assert answer.status == 200, path
            conforms(published, path, "get", answer)
            asked += 1
    assert asked > 8
    conforms(published, "/problems/{code}", "get", deployed.ask("GET", "/problems/unheard-of"))


def test_the_token_endpoint_is_as_published(deployed: Deployment, published: dict[str, Any]) -> None:
    known = deployed.clients["ministry"]
    right = f"grant_type=client_credentials&client_id={known['client_id']}&client_secret={known['client_secret']}"
    for form, status in ((right, 200), (right + "x", 401), ("grant_type=password", 401), ("%", 400)):
        answer = deployed.ask("POST", "/oauth2/token", form.encode(), Content_Type="application/x-www-form-urlencoded")
        assert answer.status == status
        conforms(published, "/oauth2/token", "post", answer)


def test_the_page_loads_from_the_gateway_alone(deployed: Deployment) -> None:
    page = deployed.ask("GET", "/docs")
    directives = [part.split() for part in page.headers["Content-Security-Policy"].split(";")]
    policy = {name: sources for name, *sources in directives}
    assert policy["default-src"] == ["'none'"]
    assert {source for name, sources in policy.items() for source in sources if name != "img-src"} == {
        "'none'",
        "'self'",
    }
    text = page.body.decode()
    assert "<script>" not in text
    assert "style=" not in text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(loaded) == 6
    kinds = {"js": "text/javascript", "css": "text/css", "png": "image/png", "json": "application/json"}
    for address in loaded:
        assert "//" not in address
        file = deployed.ask("GET", f"/{address}")
        assert file.status == 200
        assert file.headers["Content-Type"].partition(";")[0] == kinds.get(address.rpartition(".")[2], "text/html")
        assert file.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_vendored_is_what_was_published_by_its_makers() -> None:
    folder = resources.files("routes").joinpath("static", "swagger-ui")
    listed = dict(reversed(line.split("  ")) for line in folder.joinpath("SHA256SUMS").read_text().splitlines())
    present = {file.name for file in folder.iterdir()} - {"SHA256SUMS"}
    assert present == listed.keys()
    for name, digest in listed.items():
        assert hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() == digest, name
    assert "Apache License" in folder.joinpath("LICENSE").read_text()


def test_only_the_files_of_the_page_are_served(deployed: Deployment) -> None:
    for name in ("", "LICENSE", "README.md", "../openapi.py", "%2e%2e/openapi.py", "swagger-ui/swagger-ui.css"):
        assert deployed.ask("GET", f"/docs/{name}").status == 404, name


def test_the_catalogue_leads_to_every_database(deployed: Deployment) -> None:
    answer = deployed.ask("GET", "/.well-known/api-catalog")
    first, *others = answer.json["linkset"]
    assert first["anchor"] == f"{PUBLIC}/.well-known/api-catalog"
    names = [*(database.name for database in DATABASES), "me", "dossiers"]
    assert [item["href"] for item in first["item"]] == [
        f"{PUBLIC}/{face}/{name}" for face in ("v1", "soap") for name in names
    ]
    assert [other["anchor"] for other in others] == [item["href"] for item in first["item"]]
    for other in others:
        for relation in ("service-desc", "service-doc", "status"):
            (link,) = other[relation]
            found = deployed.ask("GET", link["href"].removeprefix(PUBLIC))
            assert found.status == 200
            assert found.headers["Content-Type"].startswith(link["type"])
            if relation == "service-desc" and "/soap/" in other["anchor"]:
                assert f'location="{other["anchor"]}"'.encode() in found.body
    head = deployed.ask("HEAD", "/.well-known/api-catalog")
    assert head.headers["Link"] == f'<{PUBLIC}/.well-known/api-catalog>; rel="api-catalog"'
    assert head.headers["Content-Type"] == 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
