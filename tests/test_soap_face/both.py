"""The same question over REST and over both versions of SOAP, and what each is told."""

import json
from collections.abc import Mapping
from typing import Any

from lxml import etree

from adapters import DATABASES
from tests.test_soap_face.conftest import Refused
from tests.test_soap_face.gate import Gate, Reply, request
from tests.test_soap_face.messages import VERSIONS, envelope

ORDER = {
    f"{database.name}/{operation.name}": list(operation.question.model_fields)
    for database in DATABASES
    for operation in database.operations
}
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def pascal(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in name.split("-"))


def camel(name: str) -> str:
    return name[0] + pascal(name.replace("_", "-"))[1:]


def payload_of(name: str, question: Mapping[str, Any]) -> str:
    """A question of REST as the wrapper of `database/operation`, by a writer that is not the gateway's."""
    database, _, operation = name.partition("/")
    namespace = f"urn:lgsp:{database}:1"
    wrapper = etree.Element(f"{{{namespace}}}{pascal(operation)}", nsmap={None: namespace, "i": XSI})
    for member in sorted(question, key=ORDER.get(name, [*question]).index):
        element = etree.SubElement(wrapper, f"{{{namespace}}}{camel(member)}")
        if question[member] is None:
            element.set(f"{{{XSI}}}nil", "true")
        else:
            element.text = str(question[member])
    return etree.tostring(wrapper, encoding="unicode")


def by_rest(gate: Gate, name: str, question: Mapping[str, Any], headers: Mapping[str, str | None]) -> Reply:
    usual = {"Content-Type": "application/json", "Authorization": None, "Lgsp-Purpose": "inspection", **headers}
    with gate.wire() as wire:
        form = {"Authorization": headers.get("Authorization") or gate.basic()}
        told = wire.ask(
            request(
                "/oauth2/token",
                b"grant_type=client_credentials",
                {**form, "Content-Type": "application/x-www-form-urlencoded"},
            )
        )
        usual["Authorization"] = f"Bearer {json.loads(told.body)['access_token']}"
        sent = {key: value for key, value in usual.items() if value is not None}
        return wire.ask(request(f"/v1/{name}", json.dumps(question).encode(), sent))


def by_soap(
    gate: Gate, name: str, question: Mapping[str, Any], headers: Mapping[str, str | None], version: str
) -> Reply:
    database = name.partition("/")[0]
    return gate.send(f"/soap/{database}", envelope(payload_of(name, question), version), headers, version=version)


def refused_alike(
    gate: Gate,
    name: str,
    question: Mapping[str, Any],
    headers: Mapping[str, str | None] | None = None,
) -> tuple[dict[str, Any], dict[str, Refused]]:
    """Ask in all three ways, hold the refusals to each other, return the problem of REST and the faults."""
    headers = headers or {}
    rest = by_rest(gate, name, question, headers)
    problem = json.loads(rest.body)
    assert rest.headers["content-type"] == "application/problem+json", rest.body
    faults = {}
    for version in VERSIONS:
        refused = faults[version] = Refused(by_soap(gate, name, question, headers, version), version)
        told = refused.fault.problem
        assert told["code"] == problem["code"], (problem, told)
        assert told.get("reason") == problem.get("reason")
        assert told["status"] == str(problem["status"]) == str(rest.status)
        assert told["retryable"] == str(problem["retryable"]).lower()
        assert told["title"] == problem["title"]
        assert ("retryAfter" in told) == ("retry-after" in rest.headers)
        assert ("exchange" in told) == ("exchange" in problem)
        assert ("receipt" in told) == ("receipt" in problem)
        caller = problem["status"] < 500
        assert refused.fault.code == {"1.1": ("Server", "Client"), "1.2": ("Receiver", "Sender")}[version][caller]
        if problem["status"] not in (401, 413, 415):
            assert refused.reply.status == (400 if caller and version == "1.2" else 500)
    return problem, faults
