"""One gateway for all tests of this room; those that change something put it back."""

import json
from collections.abc import Iterator

import pytest

from sandbox.run import REGISTRIES
from sandbox.truth import dump
from tests.test_soap_face.gate import Gate, Reply
from tests.test_soap_face.messages import Fault, fault_of, person

# What must not come back in a refusal, nor stand in the log.
SECRET = "001085099999"


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    made = Gate(tmp_path_factory.mktemp("soap") / "state")
    yield made
    made.close()


@pytest.fixture(scope="session")
def known(gate: Gate) -> str:
    """The number of somebody whom the population database has."""
    population = [registry for registry in REGISTRIES if registry.name == "population"]
    for line in map(json.loads, dump(gate.registries.world, population)):
        if line["operation"] == "person" and "personal_id" in line["request"]:
            return str(line["request"]["personal_id"])
    raise LookupError("nobody has a number")


@pytest.fixture
def question(known: str) -> str:
    """A question that is answered."""
    return person(f"<personalId>{known}</personalId>")


class Refused:
    """A refusal, looked at in every way that all of them have in common."""

    def __init__(self, reply: Reply, version: str, *, secret: str = SECRET) -> None:
        self.reply = reply
        self.fault: Fault = fault_of(reply.body, version)
        assert secret.encode() not in reply.body
        media = "text/xml" if version == "1.1" else "application/soap+xml"
        assert reply.headers["content-type"] == f"{media}; charset=utf-8"
        problem = self.fault.problem
        if problem:
            assert problem["requestId"] == reply.headers["x-request-id"]
            assert problem["code"] in self.fault.text
        waits = "retry-after" in reply.headers
        assert waits == ("retryAfter" in problem)
        if waits:
            assert reply.headers["retry-after"] == problem["retryAfter"]

    @property
    def code(self) -> str:
        return str(self.fault.problem["code"])

    @property
    def pointers(self) -> list[str]:
        return [each["pointer"] for each in self.fault.problem["errors"]]
