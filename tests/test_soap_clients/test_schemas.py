"""The schemas in the contracts, by libxml2's and the JDK's validators: clean, and true of every message."""

import json
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from tests.test_soap_clients.calls import FAULTS, SERVICES
from tests.test_soap_clients.jdk import Java
from tests.test_soap_clients.material import GATEWAY, QUESTIONS, VERSIONS, Asked
from tests.test_soap_clients.plain import Spoken

XS = "{http://www.w3.org/2001/XMLSchema}"


def extracted(contract: Path, folder: Path) -> list[Path]:
    """The schemas of a contract as files, that of the gateway first; an import says where the other one is."""
    files = []
    for schema in etree.parse(contract).iter(f"{XS}schema"):
        name = "gateway" if schema.get("targetNamespace") == GATEWAY else contract.stem
        for each in schema.iter(f"{XS}import"):
            each.set("schemaLocation", f"{contract.stem}.gateway.xsd")
        file = folder / (f"{contract.stem}.gateway.xsd" if name == "gateway" else f"{contract.stem}.xsd")
        file.write_bytes(etree.tostring(schema))
        files.append(file)
    assert [file.name for file in files] == [f"{contract.stem}.gateway.xsd", f"{contract.stem}.xsd"]
    return files


@pytest.fixture(scope="module")
def schemas(contracts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("schemas")
    return {service: extracted(contracts / f"{service}.wsdl", folder) for service in SERVICES}


@pytest.fixture(scope="module")
def messages(
    spoken: dict[str, Spoken], asked: dict[str, Asked], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Path]]:
    """What stood in Bodies, and in the details of faults, as files by service."""
    folder = tmp_path_factory.mktemp("messages")
    found: dict[str, list[Path]] = {service: [] for service in SERVICES}

    def keep(service: str, name: str, element: "etree._Element") -> None:
        file = folder / f"{service}-{name.replace('/', '-').replace(' ', '-')}.xml"
        file.write_bytes(etree.tostring(element))
        found[service].append(file)

    for kind in QUESTIONS:
        service = asked[kind].name.partition("/")[0]
        for version in VERSIONS:
            one = spoken[f"{kind} {version}"]
            keep(service, f"asked-{kind}-{version}", etree.fromstring(one.question)[1][0])
            keep(service, f"told-{kind}-{version}", one.inside)
            for block in etree.fromstring(one.question)[0]:
                keep(service, f"{etree.QName(block).localname}-{kind}-{version}", block)
    for code in FAULTS:
        for version in VERSIONS:
            keep("population", f"{code}-{version}", spoken[f"{code} {version}"].inside[-1][0])
    keep("me", "asked", etree.fromstring(spoken["me"].question)[1][0])
    keep("me", "told", spoken["me"].inside)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_schemas_and_messages_are_clean_to_xmllint(
    schemas: dict[str, list[Path]], messages: dict[str, list[Path]], service: str
) -> None:
    assert len(messages[service]) >= 2
    command = ["xmllint", "--nonet", "--noout", "--schema", schemas[service][1], *messages[service]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"{file} validates" for file in messages[service]]
    assert done.returncode == 0


def test_a_message_that_is_wrong_is_found_wrong(
    schemas: dict[str, list[Path]], messages: dict[str, list[Path]], tmp_path: Path
) -> None:
    right = next(file for file in messages["land"] if "told" in file.name).read_text()
    wrong = tmp_path / "wrong.xml"
    wrong.write_text(right.replace("<sheet>", "<sheets>").replace("</sheet>", "</sheets>"))
    command = ["xmllint", "--nonet", "--noout", "--schema", schemas["land"][1], wrong]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "This element is not expected" in done.stderr


def test_schemas_and_messages_are_clean_to_the_jdk(
    java: Java, schemas: dict[str, list[Path]], messages: dict[str, list[Path]]
) -> None:
    jobs = [argument for service in SERVICES for argument in _job(schemas[service], messages[service])]
    said = json.loads(java.run(*java.program("Contracts"), "validate", *jobs))
    assert {place: found for place, found in said.items() if found} == {}
    assert len(said) == len(SERVICES) + sum(map(len, messages.values()))


def _job(schemas: list[Path], messages: list[Path]) -> list[str]:
    return [",".join(map(str, schemas)), *map(str, messages), "--"]
