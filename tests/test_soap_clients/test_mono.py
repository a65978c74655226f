"""Mono with the classes that its `wsdl` and `svcutil` make; it tells no difference between absent and nil."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.test_gateway.live import Live
from tests.test_soap_clients.calls import CONTRACTS, Job, Papers, as_lines, told
from tests.test_soap_clients.material import VERSIONS, Asked, Tree, camelled, pascal, without_nil
from tests.test_soap_clients.suite import Suite, elements

SOURCES = Path(__file__).with_name("mono")
HTTP = (SOURCES / "Http.cs").read_text()
PROTOCOLS = {"1.1": "SOAP", "1.2": "SOAP12"}


def run(*command: str | Path) -> str:
    """Run a tool to its end; return everything that it said."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mono")


@pytest.fixture(scope="module")
def proxies(folder: Path, contracts: Path) -> Tree:
    """What `wsdl` said of each contract, by service and version."""
    said = {}
    for service in CONTRACTS:
        for version, protocol in PROTOCOLS.items():
            place = f"Soap{version.replace('.', '')}.{pascal(service)}"
            options = ("-nologo", f"-protocol:{protocol}", f"-n:{place}", f"-out:{folder}/{place}.cs")
            said[f"{service} {version}"] = run("wsdl", *options, contracts / f"{service}.wsdl")
            own = HTTP.replace("PLACE", place).replace("SERVICE", f"{pascal(service)}Service")
            (folder / f"{place}.Http.cs").write_text(own)
    return said


@pytest.fixture(scope="module")
def compiled(folder: Path, proxies: Tree) -> str:
    """What the compiler said of all classes, and of the driver."""
    library = ("-target:library", "-r:System.Web.Services", f"-out:{folder}/contracts.dll")
    driver = ("-r:System.Web.Services", f"-out:{folder}/calls.exe", SOURCES / "Calls.cs", SOURCES / "Json.cs")
    return run("mcs", *library, *sorted(folder.glob("Soap*.cs"))) + run("mcs", *driver)


@pytest.fixture(scope="module")
def done(folder: Path, compiled: str, job: Job, papers: Papers) -> dict[str, Tree]:
    return told(["mono", folder / "calls.exe", folder / "contracts.dll"], as_lines(job.calls.values(), papers))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("service", CONTRACTS)
def test_wsdl_takes_a_contract_without_a_warning(proxies: Tree, service: str, version: str) -> None:
    # It holds contracts against the WS-I Basic Profile, and would say so.
    assert re.fullmatch(r"\s*Writing file\s+'[^']*'\s*", proxies[f"{service} {version}"])


def test_what_wsdl_writes_compiles_without_a_word(compiled: str) -> None:
    assert compiled == ""


@pytest.mark.parametrize("service", CONTRACTS)
def test_svcutil_takes_a_contract_and_what_it_writes_compiles(folder: Path, live: Live, service: str) -> None:
    # It reads no files. Where it does not understand a contract it writes a file without classes and says nothing.
    written = folder / f"{service}.svcutil.cs"
    address = f"{live.described['gateway']}/soap/{service}?wsdl"
    said = run("svcutil", "-noLogo", "-noConfig", f"-out:{written}", address).lower()
    assert not [word for word in ("warning", "error", "exception", "failed") if word in said]
    source = written.read_text()
    for element in elements(service):
        action = f"urn:lgsp:{service}:1/{element}"
        assert f'OperationContractAttribute(Action="{action}", ReplyAction="{action}Response")' in source
    library = ("-target:library", "-r:System.ServiceModel", "-r:System.Runtime.Serialization")
    assert run("mcs", *library, f"-out:{folder}/{service}.svcutil.dll", written) == ""


def test_classes_of_svcutil_read_an_answer_once_its_member_is_named(
    folder: Path, live: Live, asked: dict[str, Asked]
) -> None:
    written, person = folder / "wcf.cs", asked["population/person"]
    address = f"{live.described['gateway']}/soap/population"
    run("svcutil", "-noLogo", "-noConfig", f"-out:{written}", f"{address}?wsdl")
    # It forgets what the member of the answer is called, and reads nothing; what stands beside `data` it leaves out.
    method = "    lgsp.population._1.PersonRecord Person("
    named = '    [return: System.ServiceModel.MessageParameterAttribute(Name="data")]'
    assert written.read_text().count(method) == 1
    written.write_text(written.read_text().replace(method, f"{named}\n{method}"))
    library = ("-r:System.ServiceModel", "-r:System.Runtime.Serialization", f"-out:{folder}/wcf.exe")
    assert run("mcs", *library, written, SOURCES / "Wcf.cs", SOURCES / "Json.cs") == ""
    ministry = live.described["clients"]["ministry"]
    blocks = [f"{name.removeprefix('Lgsp-')}={text}" for name, text in person.headers.items()]
    proof = (ministry["client_id"], ministry["client_secret"])
    record = json.loads(run("mono", folder / "wcf.exe", address, *proof, person.body["personal_id"], *blocks))
    assert without_nil(record) == without_nil(camelled(person.answer))


class TestMono(Suite):
    # Its classes say no more of an answer with 401 than the status.
    HIDDEN = frozenset({"unauthenticated"})

    def blur(self, value: Any) -> Any:
        return without_nil(value)

    def problem(self, fault: Tree) -> Tree:
        problem: Tree = fault["detail"]["Problem"]
        return problem


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_asked_for_is_spoken(done: dict[str, Tree], version: str) -> None:
    # An answer in another version would not be read; the names of the codes are each version's own.
    assert done[f"no-record {version}"]["fault"]["code"] == {"1.1": "Client", "1.2": "Sender"}[version]
