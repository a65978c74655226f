"""The form in OpenAPI 3.0 promises what that in 3.1 does; both are what X-Road's security servers import."""

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from adapters import DATABASES
from routes.openapi import document
from routes.openapi_older import older
from routes.soap.wsdl import database_wsdl
from tests.test_commands.conftest import quick
from tests.test_xroad.double.openapi_import import import_openapi
from tests.test_xroad.double.wsdl_import import import_wsdl

URL = "https://lgsp.example"
NAMES = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]
NEWER = document(DATABASES, URL)
OLDER = older(NEWER)


def test_it_is_openapi_3_0() -> None:
    assert list(OpenAPIV30SpecValidator(OLDER).iter_errors()) == []
    assert OLDER["paths"].keys() == NEWER["paths"].keys()
    assert OLDER["components"]["schemas"].keys() == NEWER["components"]["schemas"].keys()


@pytest.mark.parametrize("form", [NEWER, OLDER], ids=["3.1", "3.0"])
def test_a_security_server_imports_it_without_a_remark(form: dict[str, Any]) -> None:
    found = import_openapi(json.dumps(form).encode(), f"{URL}/openapi.json")
    assert (found.base_url, found.warnings) == (URL, ())
    assert {("POST", f"/v1/{name}") for name in NAMES} | {("GET", "/v1/me")} <= set(found.endpoints)


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_a_security_server_imports_each_contract(database: Any) -> None:
    services = import_wsdl(database_wsdl(database, URL, ("1.1",)))
    assert {service.url for service in services} == {f"{URL}/soap/{database.name}"}
    assert len(services) == len(database.operations)


def test_service_codes_are_unique_ignoring_case_over_all_contracts() -> None:
    codes = [one.code.lower() for each in DATABASES for one in import_wsdl(database_wsdl(each, URL, ("1.1",)))]
    assert len(codes) == len(set(codes)) == len(NAMES)


def mutated(value: Any) -> list[Any]:
    """The value, and what differs from it in one place by null, another kind, an odd text or a member too many."""
    found = [value]
    if isinstance(value, dict):
        found.append({**value, "odd": 1})
        for name, inside in value.items():
            found.append({key: held for key, held in value.items() if key != name})
            found += [{**value, name: other} for other in mutated(inside)[1:]]
    elif isinstance(value, list):
        found += [[], [None]]
        found += [[other, *value[1:]] for other in (mutated(value[0])[1:] if value else ())]
    return [*found, None, 7, True, "@", [], {}]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["question", "answer"])
def test_both_forms_take_and_refuse_the_same(name: str, part: str) -> None:
    def checked(form: dict[str, Any], kind: Any) -> Any:
        post = form["paths"][f"/v1/{name}"]["post"]
        holder = post["requestBody"] if part == "question" else post["responses"]["200"]
        schema = {**copy.deepcopy(holder["content"]["application/json"]["schema"]), "components": form["components"]}
        return kind(schema), holder["content"]["application/json"]["examples"]["sandbox"]["value"]

    newer, example = checked(NEWER, Draft202012Validator)
    older_, same = checked(OLDER, OAS30Validator)
    assert example == same
    verdicts = [(newer.is_valid(each), older_.is_valid(each)) for each in mutated(example)]
    assert [one for one, other in verdicts] == [other for one, other in verdicts]
    assert {one for one, _ in verdicts} == {True, False}


@pytest.mark.parametrize(
    "schema", [{"type": ["string", "integer"]}, {"if": {}}, {"const": 1.5}, {"$ref": "#/x", "title": "T"}], ids=str
)
def test_what_the_older_words_cannot_say_is_an_error(schema: dict[str, Any]) -> None:
    broken = copy.deepcopy(NEWER)
    broken["components"]["schemas"]["Broken"] = schema
    with pytest.raises(ValueError, match=r"OpenAPI 3\.0"):
        older(broken)


def test_where_only_a_certificate_counts_nothing_is_shown_as_open() -> None:
    broken = copy.deepcopy(NEWER)
    broken["paths"]["/v1/me"]["get"]["security"] = [{"mutualTLS": []}]
    with pytest.raises(ValueError, match="open to all"):
        older(broken)


def test_the_command_prints_either() -> None:
    printed = quick("openapi", "--version", "3.0")
    assert json.loads(printed.stdout)["openapi"] == "3.0.3"
    assert json.loads(quick("openapi").stdout)["openapi"] == "3.1.0"
    refused = quick("openapi", "--version", "2.0")
    assert (refused.exit_code, "3.1 or 3.0" in refused.stderr) == (2, True)
