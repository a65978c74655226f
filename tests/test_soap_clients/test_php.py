"""PHP's SoapClient, made from the published contracts; it tells absent, nil and empty apart."""

from pathlib import Path

import pytest

from tests.test_soap_clients.calls import CONTRACTS, FAULTS, Job, Papers, as_json, told
from tests.test_soap_clients.material import ENVELOPES, VERSIONS, Tree
from tests.test_soap_clients.suite import Suite, elements

DRIVER = Path(__file__).with_name("php") / "calls.php"


@pytest.fixture(scope="module")
def done(job: Job, papers: Papers) -> dict[str, Tree]:
    return told(["php", DRIVER], as_json(job.calls.values(), papers))


@pytest.fixture(scope="module")
def loaded(contracts: Path) -> dict[str, Tree]:
    """What PHP made of each contract; the driver ends with an error at the first warning or notice."""
    return told(["php", DRIVER, *[contracts / f"{service}.wsdl" for service in CONTRACTS]], "[]")


@pytest.mark.parametrize("service", CONTRACTS)
def test_a_contract_is_loaded_without_a_warning(loaded: dict[str, Tree], service: str) -> None:
    functions = loaded[f"{service}.wsdl"]["functions"]
    # Once for each port.
    assert sorted(functions) == sorted(2 * [f"{one}Response {one}({one} $parameters)" for one in elements(service)])


class TestPhp(Suite):
    def problem(self, fault: Tree) -> Tree:
        problem: Tree = fault["detail"]["Problem"]
        return problem


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_asked_for_is_spoken(done: dict[str, Tree], version: str) -> None:
    assert done[f"tax/taxpayer {version}"]["envelope"] == ENVELOPES[version]
    for code in FAULTS:
        fault = done[f"{code} {version}"]["fault"]
        assert fault["code"].rpartition(":")[2] == {"1.1": "Client", "1.2": "Sender"}[version]
        assert fault["text"].startswith(f"{code}: ")
