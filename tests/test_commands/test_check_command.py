"""`lgsp check`: every way a configuration can be wrong is named, with the next step."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

import adapters
import schemas
from adapters import DATABASES
from adapters.soap import Soap
from commands.serving import serve
from config.settings import load
from routes.diagnosis import configuration
from security.contracts import contract_schema
from tests.test_commands.conftest import Deployment, lgsp, printed, quick


def problems(document: dict[str, Any]) -> dict[str, str]:
    found = [finding for finding in document["findings"] if finding["level"] == "problem"]
    assert all(finding["next"] for finding in found)
    assert document["counts"]["problem"] == len(found)
    return {finding["subject"]: finding["text"] for finding in found}


def test_a_sound_configuration_is_said_to_be_so(deployed: Deployment) -> None:
    document = printed("check", *deployed.config)
    assert problems(document) == {}
    warned = [finding for finding in document["findings"] if finding["level"] == "warning"]
    assert warned
    assert all("LGSP SANDBOX" in finding["text"] and finding["next"] for finding in warned)
    fine = {finding["subject"] for finding in document["findings"] if finding["level"] == "ok"}
    assert {
        "contracts.tax",
        "endpoints.population",
        "endpoints.health-card",
        "keys.directory",
        "storage.url",
        "server.tls",
    } <= fine
    assert not any(re.search(r"\b\d{9,12}\b", str(finding)) for finding in document["findings"])


def test_sandbox_material_is_named_and_refused_outside_loopback(deployed: Deployment) -> None:
    outside = {"LGSP_SERVER__LISTEN": "0.0.0.0:0"}
    checked = lgsp("check", *deployed.config, env=outside)
    assert checked.returncode == 1
    served = lgsp("serve", *deployed.config, env=outside)
    assert served.returncode == 1
    for name in ("log.0001.key", "token.0001.key", "registry-tax.pem", "gateway-signing.pem", "clients-ca.pem"):
        assert name in checked.stdout
        assert name in served.stderr


def test_a_proxy_in_front_asks_for_a_public_url(deployed: Deployment) -> None:
    def found() -> dict[str, str]:
        document = printed("check", *deployed.config)
        return {finding["subject"]: finding["level"] for finding in document["findings"]}

    text = re.sub(r"(?m)^public_url = .*$", "", deployed.file.read_text(encoding="utf-8"))
    deployed.file.write_text(text, encoding="utf-8")
    assert found()["server.public_url"] == "ok"
    deployed.rewrite("trusted_proxies = []", 'trusted_proxies = ["127.0.0.1"]')
    assert found()["server.public_url"] == "warning"


def test_wrong_settings_are_named_one_by_one(deployed: Deployment) -> None:
    deployed.rewrite("[storage]", "[storage]\nurll = 1\nsize = 2")
    document = printed("check", *deployed.config, code=1)
    texts = [finding["text"] for finding in document["findings"]]
    assert texts == ["storage.urll: there is no such setting", "storage.size: there is no such setting"]


def _public_url(value: str) -> Callable[[Deployment], None]:
    return lambda deployed: deployed.rewrite('public_url = "http://127.0.0.1:8080"', f'public_url = "{value}"')


def _without_endpoint(deployed: Deployment) -> None:
    deployed.rewrite("[endpoints.health-card]", "[endpoints.health-carp]")


def _open_key(deployed: Deployment) -> None:
    (deployed.directory / "keys" / "log.0001.key").chmod(0o640)


def _open_vault(deployed: Deployment) -> None:
    (deployed.directory / "vault").mkdir(exist_ok=True)
    (deployed.directory / "vault").chmod(0o755)


def _certificate(setting: str, name: str) -> Callable[[Deployment], None]:
    """Let one setting of every section name another file, which is no certificate or lies nowhere."""

    def change(deployed: Deployment) -> None:
        (deployed.directory / "empty.pem").write_text("nothing")
        text = deployed.file.read_text(encoding="utf-8")
        deployed.file.write_text(re.sub(rf"(?m)^{setting} = \S.*$", f"{setting} = {name}", text), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "subject", "text"),
    [
        (_public_url("https://gateway.example/path"), "server.public_url", "more than scheme"),
        (_public_url("gateway.example"), "server.public_url", "no http or https"),
        (_public_url("http://gateway.example:port"), "server.public_url", "no address"),
        (_without_endpoint, "endpoints.health-carp", "no operation uses it"),
        (_open_key, "keys.directory", "others may read"),
        (_open_vault, "keys.vault", "chmod 700"),
        (_certificate("trust", '["empty.pem"]'), "endpoints.population.trust", "holds no certificates in PEM form"),
        (_certificate("trust", '["none.pem"]'), "endpoints.tax.trust", "No such file"),
        (_certificate("crl", '["empty.pem"]'), "endpoints.tax.crl", "holds no revocation list"),
        (_certificate("crl", '["none.pem"]'), "endpoints.tax.crl", "No such file"),
        (_certificate("signer", '"empty.pem"'), "endpoints.population.signer", "holds no certificates in PEM form"),
        (_certificate("certificate", '"none.pem"'), "endpoints.land.certificate", "No such file"),
        (_certificate("key", '"none.pem"'), "endpoints.land.key", "No such file"),
        (_certificate("key", '"empty.pem"'), "server.tls", "cannot be used"),
        (_certificate("url", '"nowhere"'), "endpoints.land.url", "no http or https"),
        (_certificate("url", '"mysql://host/name"'), "storage.url", "not supported"),
        (_certificate("url", '"http://host/"'), "redis.url", "no Redis address"),
        (_certificate("trusted_proxies", '["10.0.0.1/8"]'), "server.trusted_proxies", "host bits"),
        (_certificate("origin", '"two words"'), "keys", "origin"),
    ],
)
def test_every_flaw_is_a_problem_with_its_place(
    deployed: Deployment, change: Callable[[Deployment], None], subject: str, text: str
) -> None:
    change(deployed)
    found = problems(printed("check", *deployed.config, code=1))
    assert text in found[subject]


def test_a_key_of_another_certificate_is_found(deployed: Deployment, template: Path) -> None:
    other = template / "pki" / "client-auditor.key"
    _certificate("key", f'"{other}"')(deployed)
    found = problems(printed("check", *deployed.config, code=1))
    assert "another private key" in found["endpoints.tax"]
    assert "server.tls" in found


def test_a_declaration_that_contradicts_its_contract_is_found(deployed: Deployment) -> None:
    tax = next(database for database in DATABASES if database.name == "tax")
    first, *others = tax.operations
    assert isinstance(first.binding, Soap)
    strange = replace(first, binding=replace(first.binding, wsdl="population.wsdl"))
    databases = [replace(tax, operations=(strange, *others))]
    found = [finding for finding in configuration(load(deployed.file), databases) if finding.level == "problem"]
    found = [finding for finding in found if finding.subject.startswith("contracts.")]
    assert {finding.subject for finding in found} == {"contracts.tax"}
    assert any(first.name in finding.text for finding in found)
    assert not any(others[0].name in finding.text for finding in found)


def test_an_operation_without_endpoint_is_a_warning(deployed: Deployment) -> None:
    text = deployed.file.read_text(encoding="utf-8")
    deployed.file.write_text(re.sub(r"(?ms)^\[endpoints\.health-card\].*?(?=^\[)", "", text), encoding="utf-8")
    document = printed("check", *deployed.config)
    (warned,) = [item for item in document["findings"] if item["subject"] == "endpoints.health-card"]
    assert warned["level"] == "warning"
    assert "social-insurance/health-card is not served" in warned["text"]


def test_people_read_the_worst_last(deployed: Deployment) -> None:
    _without_endpoint(deployed)
    result = quick("check", *deployed.config)
    lines = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    order = [line.split()[0] for line in lines[:-1]]
    assert order == sorted(order, key=("ok", "warning", "problem").index)
    assert lines[-1].startswith("1 problems")


def test_a_misspelt_variable_of_the_environment_is_named(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGSP_SERVR__LISTEN", "127.0.0.1:1")
    found = problems(printed("check", *deployed.config, code=1))
    assert any("LGSP_SERVR__LISTEN" in text for text in found.values())


def test_clients_of_a_demo_are_named(deployed: Deployment) -> None:
    document = printed("check", *deployed.config)
    named = [item["text"] for item in document["findings"] if item["subject"] == "clients"]
    assert len(named) == 4
    assert all("LGSP SANDBOX" in text for text in named)


def test_a_database_that_serve_would_refuse_is_a_problem(deployed: Deployment) -> None:
    deployed.rewrite("lgsp.sqlite", "elsewhere.sqlite")
    found = problems(printed("check", *deployed.config, code=1))
    assert any("lgsp storage upgrade" in text for text in found.values())


def test_serve_refuses_a_declaration_that_its_contract_contradicts_before_it_listens(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tuple(
        replace(
            database,
            operations=tuple(
                replace(one, binding=replace(one.binding, record="Nguoi"))
                if one.name == "person" and isinstance(one.binding, Soap)
                else one
                for one in database.operations
            ),
        )
        for database in adapters.DATABASES
    )
    monkeypatch.setattr(adapters, "DATABASES", changed)
    with pytest.raises(typer.Exit) as ended:
        serve(deployed.file, None)
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert "population/person: CongdanCollection/Nguoi: the contract has no element Nguoi here" in said
    assert "correct the declaration" in said


@pytest.mark.parametrize("value", ['""', "5", "[]", '"  "'])
@pytest.mark.parametrize("key", ["key", "certificate"])
def test_what_is_no_name_of_a_file_is_said_in_plain_words(
    deployed: Deployment, tmp_path: Path, key: str, value: str
) -> None:
    text = deployed.file.read_text(encoding="utf-8")
    before, _, rest = text.partition("[signing]")
    section, _, after = rest.partition("\n[")
    wrong = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", section)
    assert wrong != section
    file = deployed.file.with_name("wrong.toml")
    file.write_text(f"{before}[signing]{wrong}\n[{after}", encoding="utf-8")
    checked = quick("check", "--config", str(file))
    assert checked.exit_code != 0
    assert isinstance(checked.exception, SystemExit), checked.exception
    said = checked.output
    assert f"signing.{key}: " in said
    assert "the name of a file" in said
    assert not re.search("Traceback|pydantic|class|instance|Input", said), said


@pytest.mark.parametrize("key", ["key", "certificate"])
def test_a_folder_in_the_place_of_a_file_is_a_finding(deployed: Deployment, key: str) -> None:
    settings = load(deployed.file)
    signing = settings.signing.model_copy(update={key: deployed.directory})
    found = configuration(settings.model_copy(update={"signing": signing}), DATABASES)
    (wrong,) = [one for one in found if one.level == "problem" and one.subject == "signing"]
    assert str(deployed.directory) in wrong.text


GOOD = (Path(schemas.__file__).with_name("wsdl") / "population.wsdl").read_bytes()
BROKEN = {
    "truncated": GOOD[: len(GOOD) // 2],
    "doctype": GOOD.replace(b"?>", b"?>\n<!DOCTYPE x [<!ENTITY a 'b'>]>", 1),
    "missing-type": re.sub(rb'<xs:complexType name="(\w+)"', rb'<xs:complexType name="\1x"', GOOD, count=1),
    "no-number": GOOD.replace(b'minOccurs="0"', b'minOccurs="abc"'),
    "no-schema": b"<html/>",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_contract_file_that_cannot_be_used_is_named(
    deployed: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = Path(schemas.__file__).with_name("wsdl")
    shutil.copytree(folder, tmp_path / "schemas" / "wsdl")
    (tmp_path / "schemas" / "wsdl" / "population.wsdl").write_bytes(BROKEN[kind])
    monkeypatch.setattr(schemas, "__file__", str(tmp_path / "schemas" / "__init__.py"))
    contract_schema.cache_clear()
    try:
        found = [one for one in configuration(load(deployed.file), DATABASES) if one.level == "problem"]
    finally:
        contract_schema.cache_clear()
    assert {one.subject for one in found} == {"contracts.population", "endpoints.population"}
    assert all(one.next and "the contract file of this release back" in one.next for one in found)
    assert all("population.wsdl cannot be used" in one.text for one in found if one.subject == "endpoints.population")
