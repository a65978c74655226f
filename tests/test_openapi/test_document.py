"""What the OpenAPI document promises, held against the declarations and the truth of the sandbox."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from adapters import DATABASES
from routes.openapi import document, sandbox_examples
from sandbox.examples import PEOPLE, SEED, examples
from sandbox.run import REGISTRIES
from sandbox.world.world import World
from schemas.errors import MethodNotAllowed, leaves
from schemas.exchange import Database, Operation
from schemas.fields import Record, said, shape_of
from tests.test_openapi.vehicle import VEHICLE

URL = "https://lgsp.example"
OPERATIONS = [(database, operation) for database in DATABASES for operation in database.operations]
NAMES = [f"{database.name}/{operation.name}" for database, operation in OPERATIONS]
PUSHED = {
    *("/v1/dossiers/{code}", "/v1/dossiers/{code}/statuses", "/v1/dossiers/statuses", "/v1/deliveries"),
    *("/v1/deliveries/{id}/retry", "/v1/deliveries/retry", "/v1/deliveries/discard", "/v1/destinations"),
    *("/v1/inbox/dossiers", "/v1/inbox/dossiers/{code}", "/v1/inbox/dossiers/{code}/ack"),
    *("/v1/reconciliations", "/v1/reconciliations/{id}", "/v1/statistics"),
}
AUDIT = {
    *("/v1/audit/entries", "/v1/audit/search", "/v1/audit/entries/{index}", "/v1/audit/entries/{index}/proof"),
    *("/v1/audit/entries/{index}/values", "/v1/audit/entries/{index}/bundle", "/v1/audit/log/tile/entries/{tile}"),
}
PUBLIC = {
    *("/v1/public/dossiers/{code}", "/v1/audit/checkpoint", "/v1/audit/consistency", "/v1/audit/keys"),
    *("/v1/audit/log/checkpoint", "/v1/audit/log/tile/{level}/{tile}"),
}


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return document(DATABASES, URL)


def checker(published: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": published["components"]})


def post(published: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = published["paths"][f"/v1/{name}"]["post"]
    return found


def response(published: dict[str, Any], operation: dict[str, Any], status: str) -> dict[str, Any]:
    found: dict[str, Any] = operation["responses"][status]
    if "$ref" in found:
        found = published["components"]["responses"][found["$ref"].rpartition("/")[2]]
    return found


def responses(published: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in published["paths"].items():
        for operation in item.values():
            for status in operation["responses"]:
                yield path, status, response(published, operation, status)


def test_it_is_openapi(published: dict[str, Any]) -> None:
    assert published["openapi"].startswith("3.1.")
    validate(published)


def test_it_has_every_operation_and_no_other(published: dict[str, Any]) -> None:
    paths = {path for path in published["paths"] if path.startswith("/v1/")} - {"/v1/me"} - PUSHED - AUDIT - PUBLIC
    assert paths == {f"/v1/{name}" for name in NAMES}
    identifiers = [operation["operationId"] for item in published["paths"].values() for operation in item.values()]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize(("database", "operation"), OPERATIONS, ids=NAMES)
def test_operations_speak_both_languages(published: dict[str, Any], database: Database, operation: Operation) -> None:
    shown = post(published, f"{database.name}/{operation.name}")
    assert shown["summary"] == operation.title.vi
    assert operation.title.en in shown["description"]
    (tag,) = [tag for tag in published["tags"] if tag["name"] == shown["tags"][0]]
    for text in (*database.title, *database.owner):
        assert text in tag["description"]


def test_every_member_has_a_vietnamese_title_and_an_english_description(published: dict[str, Any]) -> None:
    fixed = document((), URL)["components"]["schemas"].keys()
    checked = 0
    for name, schema in published["components"]["schemas"].items():
        if name in fixed:
            continue
        assert schema["description"], name
        for member, shown in schema["properties"].items():
            assert shown["title"], f"{name}.{member}"
            assert shown["description"], f"{name}.{member}"
            assert "default" not in shown, f"{name}.{member}"
            checked += 1
    assert checked > 250


@pytest.mark.parametrize(("database", "operation"), OPERATIONS, ids=NAMES)
def test_answers_promise_no_member(published: dict[str, Any], database: Database, operation: Operation) -> None:
    told = post(published, f"{database.name}/{operation.name}")["responses"]["200"]["content"]["application/json"]
    check = checker(published, told["schema"]["properties"]["data"])
    assert check.is_valid({})
    for member in shape_of(operation.answer).members:
        assert check.is_valid({member.name: [] if member.many else None}), member.name
    assert not check.is_valid({"no_such_member": None})


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.name)
def test_every_truth_of_the_sandbox_has_the_published_form(published: dict[str, Any], registry: Any) -> None:
    checkers: dict[str, tuple[Draft202012Validator, Draft202012Validator]] = {}
    for true in registry.truth(World(SEED, PEOPLE)):
        if true.operation not in checkers:
            shown = post(published, f"{registry.name}/{true.operation}")
            told = shown["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]
            asked = shown["requestBody"]["content"]["application/json"]["schema"]
            checkers[true.operation] = checker(published, asked), checker(published, told)
        asked_check, told_check = checkers[true.operation]
        asked_check.validate(true.request)
        told_check.validate(true.answer)
    assert len(checkers) == len([name for name in NAMES if name.startswith(f"{registry.name}/")])


def test_questions_refuse_what_the_gateway_refuses(published: dict[str, Any]) -> None:
    check = checker(published, {"$ref": "#/components/schemas/PopulationRelationQuestion"})
    right = {"personal_id": "001085012345", "relative_id": "001085012346"}
    assert check.is_valid(right)
    assert check.is_valid(right | {"relation": None})
    for wrong in (
        {"personal_id": "001085012345"},
        right | {"personal_id": "1"},
        right | {"personal_id": None},
        right | {"relation": "aunt"},
        right | {"more": 1},
    ):
        assert not check.is_valid(wrong), wrong


def test_text_that_is_passed_on_promises_no_form(published: dict[str, Any]) -> None:
    schemas = published["components"]["schemas"]
    assert "pattern" in schemas["PopulationPersonQuestion"]["properties"]["personal_id"]
    assert "pattern" not in schemas["PopulationPerson"]["properties"]["personal_id"]
    assert "pattern" in schemas["PopulationPerson"]["properties"]["birth_date"]


def test_every_code_is_published_where_it_can_occur(published: dict[str, Any]) -> None:
    seen: dict[str, set[int]] = {}
    for _, status, told in responses(published):
        schema = told["content"].get("application/problem+json", {}).get("schema")
        for code in schema["allOf"][1]["properties"]["code"]["enum"] if schema else ():
            seen.setdefault(code, set()).add(int(status))
    # Of methods that no document names.
    unpublished = {MethodNotAllowed.code}
    assert seen == {error.code: {error.status} for error in leaves() if error.code not in unpublished}


def test_only_sources_that_sign_have_their_signature_rejected(published: dict[str, Any]) -> None:
    for database, operation in OPERATIONS:
        shown = post(published, f"{database.name}/{operation.name}")
        codes = response(published, shown, "502")["content"]["application/problem+json"]["examples"]
        assert ("upstream-signature-rejected" in codes) is operation.signed


def test_every_example_has_the_form_it_illustrates(published: dict[str, Any]) -> None:
    checked = 0
    contents = [content for _, _, told in responses(published) for content in told["content"].values()]
    for name in NAMES:
        contents.append(post(published, name)["requestBody"]["content"]["application/json"])
        assert "sandbox" in contents[-1]["examples"]
    for content in contents:
        for example in content.get("examples", {}).values():
            checker(published, content["schema"]).validate(example["value"])
            checked += 1
    assert checked > 2 * len(NAMES)


def test_examples_are_those_of_the_sandbox() -> None:
    held = resources.files("schemas").joinpath("examples.json").read_text(encoding="utf-8")
    assert held == examples(), "run: python -m sandbox.examples > schemas/examples.json"
    assert list(sandbox_examples()) == NAMES


def test_callers_find_how_to_log_in(published: dict[str, Any]) -> None:
    schemes = published["components"]["securitySchemes"]
    assert schemes["oauth2"]["flows"] == {"clientCredentials": {"tokenUrl": f"{URL}/oauth2/token", "scopes": {}}}
    assert schemes["mutualTLS"]["type"] == "mutualTLS"
    assert published["security"] == [{"oauth2": []}, {"mutualTLS": []}]
    protected = {path for path, item in published["paths"].items() for op in item.values() if op.get("security") != []}
    assert {path for path in protected if not path.startswith("/oauth2/")} == {
        "/v1/me",
        *PUSHED,
        *AUDIT,
        *(f"/v1/{name}" for name in NAMES),
    }


def test_fields_that_may_be_asked_for_are_those_that_exist(published: dict[str, Any]) -> None:
    for database, operation in OPERATIONS:
        shown = post(published, f"{database.name}/{operation.name}")["parameters"]
        (fields,) = [item for item in shown if item.get("name") == "fields"]
        assert fields["schema"]["items"]["enum"] == list(shape_of(operation.answer).paths())


def test_health_on_another_port_is_not_published() -> None:
    assert "/readyz" in document(DATABASES, URL)["paths"]
    assert not {"/livez", "/readyz", "/metrics"} & document(DATABASES, URL, health=False)["paths"].keys()


def test_a_database_without_examples_is_published_without() -> None:
    made = document((VEHICLE,), URL)
    validate(made)
    assert "examples" not in post(made, "vehicle/registered-vehicle")["requestBody"]["content"]["application/json"]


class Vehicle(Record):
    """Another record of that name."""

    hull: str | None = said("Số hiệu thân", "Hull number", "soThan")


def test_models_of_one_name_in_two_databases_stay_apart() -> None:
    (first,) = VEHICLE.operations
    boat = replace(VEHICLE, name="boat", operations=(replace(first, answer=Vehicle),))
    schemas = document((VEHICLE, boat), URL)["components"]["schemas"]
    assert "seats" in schemas["VehicleVehicle"]["properties"]
    assert list(schemas["BoatVehicle"]["properties"]) == ["hull"]


def test_two_models_of_one_name_in_a_database_are_refused() -> None:
    (first,) = VEHICLE.operations
    twice = replace(VEHICLE, operations=(first, replace(first, name="other", answer=Vehicle)))
    with pytest.raises(ValueError, match="two models"):
        document((twice,), URL)
