"""node's `soap`, made from the published contracts; it tells absent, nil and empty apart if it is told to.

Without `handleNilAsNull` it hands out nothing for nil, without `preserveWhitespace` it trims texts.
"""

from pathlib import Path

import pytest

from tests.test_soap_clients.calls import CONTRACTS, Job, Papers, as_json, told
from tests.test_soap_clients.material import ENVELOPES, VERSIONS, Tree, pascal
from tests.test_soap_clients.suite import Suite, elements

DRIVER = Path(__file__).with_name("node") / "calls.mjs"


@pytest.fixture(scope="module")
def done(job: Job, papers: Papers, modules: str) -> dict[str, Tree]:
    return told(["node", DRIVER], as_json(job.calls.values(), papers), NODE_MODULES=modules)


@pytest.fixture(scope="module")
def loaded(contracts: Path, modules: str) -> dict[str, Tree]:
    files = [contracts / f"{service}.wsdl" for service in CONTRACTS]
    return told(["node", DRIVER, *files], "[]", NODE_MODULES=modules)


@pytest.mark.parametrize("service", CONTRACTS)
def test_a_contract_is_loaded_without_a_warning(loaded: dict[str, Tree], service: str) -> None:
    assert loaded[f"{service}.wsdl"]["told"] == []
    ports = loaded[f"{service}.wsdl"]["described"][f"{pascal(service)}Service"]
    assert {port: set(operations) for port, operations in ports.items()} == {
        f"{pascal(service)}Soap{version.replace('.', '')}": elements(service) for version in VERSIONS
    }


class TestNode(Suite):
    def problem(self, fault: Tree) -> Tree:
        problem: Tree = (fault.get("detail") or fault["Detail"])["Problem"]
        return problem


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_asked_for_is_spoken(done: dict[str, Tree], version: str) -> None:
    assert done[f"tax/taxpayer {version}"]["envelope"] == ENVELOPES[version]


def test_nothing_is_complained_about(done: dict[str, Tree]) -> None:
    assert [call["told"] for call in done.values() if call["told"]] == []
