"""The JAX-WS reference implementation with the classes that wsimport makes; it tells absent, nil and empty apart."""

import json
from pathlib import Path

import pytest

from tests.test_soap_clients.calls import CONTRACTS, Job, Papers, as_lines, told
from tests.test_soap_clients.jdk import Java
from tests.test_soap_clients.material import VERSIONS, Tree, pascal
from tests.test_soap_clients.suite import Suite, elements


@pytest.fixture(scope="module")
def imported(java: Java, contracts: Path) -> Tree:
    """What wsimport said of each contract, and the compiler of all that it wrote."""
    files = [str(contracts / f"{service}.wsdl") for service in CONTRACTS]
    one_port = [str(contracts / f"{service}.1.1.wsdl") for service in CONTRACTS]
    # Last those with both ports: their classes are the ones that stay.
    said: Tree = json.loads(java.run(*java.program("Contracts"), "import", str(java.folder), *one_port, *files))
    return {Path(name).name: text for name, text in said.items()}


@pytest.fixture(scope="module")
def done(java: Java, imported: Tree, job: Job, papers: Papers) -> dict[str, Tree]:
    assert imported["javac"] == ""
    return told(java.program("Calls"), as_lines(job.calls.values(), papers))


@pytest.mark.parametrize("service", CONTRACTS)
def test_a_contract_is_imported_without_a_warning(imported: Tree, service: str) -> None:
    assert imported[f"{service}.1.1.wsdl"].split() == ["parsing", "WSDL...", "Generating", "code..."]


@pytest.mark.parametrize("service", CONTRACTS)
def test_of_both_ports_it_is_only_said_that_soap_12_is_no_standard(imported: Tree, service: str) -> None:
    # wsimport says so of every port of SOAP 1.2, whatever the contract.
    complaints = [line for line in imported[f"{service}.wsdl"].splitlines() if line.startswith("[")]
    assert complaints == [f'[WARNING] SOAP port "{pascal(service)}Soap12": uses a non-standard SOAP 1.2 binding.']


def test_what_is_written_compiles_without_a_word(java: Java, imported: Tree) -> None:
    assert imported["javac"] == ""
    for service in CONTRACTS:
        classes = java.folder / "lgsp" / service.replace("-", "_") / "_1"
        assert {f"{element}.class" for element in elements(service)} <= {path.name for path in classes.iterdir()}


class TestJaxWs(Suite):
    # The reference implementation throws away the body of every answer with 401.
    HIDDEN = frozenset({"unauthenticated"})

    def problem(self, fault: Tree) -> Tree:
        # A checked exception, made of the contract, with the Problem as an object.
        assert fault["class"] == "lgsp.population._1.Problem"
        problem: Tree = fault["problem"]
        return problem


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_asked_for_is_spoken(done: dict[str, Tree], version: str) -> None:
    bindings = {
        "1.1": "http://schemas.xmlsoap.org/wsdl/soap/http",
        "1.2": "http://www.w3.org/2003/05/soap/bindings/HTTP/",
    }
    assert done[f"tax/taxpayer {version}"]["binding"] == bindings[version]
