"""zeep, made from the published contracts.

It tells no difference between absent, nil and empty text, nor between a record that is nil and one whose members are.
"""

from pathlib import Path
from typing import Any

import pytest
import zeep
from requests import Session
from requests.auth import AuthBase, HTTPBasicAuth
from zeep.exceptions import Fault
from zeep.helpers import serialize_object

from tests.test_soap_clients.calls import CONTRACTS, Job, Papers
from tests.test_soap_clients.material import VERSIONS, Call, Tree, pascal
from tests.test_soap_clients.suite import Suite, elements


class Bearer(AuthBase):
    """A token instead of what requests finds in the user's netrc."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@pytest.fixture(scope="module")
def clients(contracts: Path) -> dict[str, zeep.Client]:
    """A client for each contract; a warning would be an error."""
    return {service: zeep.Client(str(contracts / f"{service}.wsdl")) for service in CONTRACTS}


def made(client: zeep.Client, call: Call, papers: Papers) -> Tree:
    with Session() as session:
        session.trust_env = False
        session.headers.update(call.http)
        if call.basic is not None:
            session.auth = HTTPBasicAuth(*call.basic)
        if call.bearer is not None:
            session.auth = Bearer(call.bearer)
        if call.tls is not None:
            session.cert, session.verify = (str(papers.certificate), str(papers.key)), str(papers.ca)
        client.transport.session = session
        binding = f"{{{call.namespace}}}{call.port}"
        operation = client.create_service(binding, call.location)[call.operation]
        try:
            answer = operation(**call.body, _soapheaders=dict(call.blocks))
        except Fault as fault:
            problem = serialize_object(client.wsdl.types.deserialize(fault.detail[0]), dict)
            return {"fault": {"code": fault.code, "text": fault.message, "problem": problem}}
        return {"answer": serialize_object(answer, dict)}


@pytest.fixture(scope="module")
def done(clients: dict[str, zeep.Client], job: Job, papers: Papers) -> dict[str, Tree]:
    return {call.id: made(clients[call.service], call, papers) for call in job.calls.values()}


@pytest.mark.parametrize("service", CONTRACTS)
def test_a_contract_is_loaded_without_a_warning(clients: dict[str, zeep.Client], service: str) -> None:
    ports = clients[service].wsdl.services[f"{pascal(service)}Service"].ports
    assert {name: set(port.binding.all()) for name, port in ports.items()} == {
        f"{pascal(service)}Soap{version.replace('.', '')}": elements(service) for version in VERSIONS
    }


def blurred(value: Any) -> Any:
    if isinstance(value, dict):
        members = {name: blurred(member) for name, member in value.items()}
        known = {name: member for name, member in members.items() if member is not None}
        return known or None
    if isinstance(value, list):
        return [blurred(item) for item in value]
    return None if value == "" else value


class TestZeep(Suite):
    def blur(self, value: Any) -> Any:
        return blurred(value)

    def problem(self, fault: Tree) -> Tree:
        assert fault["code"].rpartition(":")[2] in ("Client", "Sender")
        problem: Tree = fault["problem"]
        assert fault["text"].startswith(f"{problem['code']}: ")
        return problem
