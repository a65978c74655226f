"""`lgsp check` on what works and is not safe, and on files of which one is wrong: the right one is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.pki import Pki
from tests.test_commands.conftest import Deployment, quick


def findings(deployed: Deployment, level: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(quick("check", "--json", *deployed.config).stdout)["findings"]
    assert all(one["next"] for one in found if one["level"] != "ok")
    return [one for one in found if one["level"] == level]


def warned_of(deployed: Deployment) -> dict[str, str]:
    """The texts of all warnings about each subject."""
    found: dict[str, str] = {}
    for one in findings(deployed, "warning"):
        found[one["subject"]] = f"{found.get(one['subject'], '')}{one['text']}\n"
    return found


def test_what_would_travel_without_tls_iswarned_of_of(deployed: Deployment) -> None:
    text = deployed.file.read_text(encoding="utf-8")
    before, opening, after = text.partition("[endpoints.enterprise]\n")
    after = re.sub(r'(?m)^url = ".*"$', 'url = "http://api.example"', after, count=1)
    before = re.sub(
        r'(?ms)(^\[endpoints\.civil-status\]\n.*?)^url = ".*?"$',
        r'\1url = "https://lgsp.example"\nvia = "lgsp"\nlgsp = { token = "http://token.example/token" }',
        f"{before}{opening}{after}",
        count=1,
    )
    deployed.file.write_text(before, encoding="utf-8")
    warned = warned_of(deployed)
    assert "plain http to api.example" in warned["endpoints.enterprise.url"]
    assert "plain http to token.example" in warned["endpoints.civil-status.lgsp.token"]
    assert "endpoints.land.url" not in warned


def test_a_username_without_its_secret_iswarned_of_of(deployed: Deployment) -> None:
    text = deployed.file.read_text(encoding="utf-8")
    before, opening, after = text.partition("[endpoints.enterprise]\n")
    after = re.sub(r'(?m)^secret = ".*"\n', "", after, count=1)
    deployed.file.write_text(f"{before}{opening}{after}", encoding="utf-8")
    assert "secret is not" in warned_of(deployed)["endpoints.enterprise.secret"]


def test_one_key_for_answers_and_questions_iswarned_of_of(deployed: Deployment) -> None:
    ours = Pki(deployed.directory / "pki").gateway_signing()
    assert "signing.key" not in warned_of(deployed)
    text = deployed.file.read_text(encoding="utf-8")
    section = text.partition("[signing]")[2].partition("\n[")[0]
    changed = re.sub(r"(?m)^key = \S+", f'key = "{ours.key}"', section)
    changed = re.sub(r"(?m)^certificate = \S+", f'certificate = "{ours.certificate}"', changed)
    deployed.file.write_text(text.replace(section, changed, 1), encoding="utf-8")
    assert "questions of endpoints.population" in warned_of(deployed)["signing.key"]


def believing(deployed: Deployment, path: Path) -> None:
    text = deployed.file.read_text(encoding="utf-8")
    changed = re.sub(r"(?m)^servers = \[.*\]", f'servers = ["{path}"]', text)
    assert changed != text
    deployed.file.write_text(changed, encoding="utf-8")


def test_an_authority_or_a_client_is_no_security_server(deployed: Deployment) -> None:
    assert "authority" not in warned_of(deployed)["xroad.servers"]
    believing(deployed, deployed.directory / "pki" / "clients-ca.pem")
    assert "is an authority's (CA)" in warned_of(deployed)["xroad.servers"]
    believing(deployed, deployed.directory / "pki" / "client-auditor.pem")
    assert "is also that of client auditor" in warned_of(deployed)["xroad.servers"]


def test_a_file_of_security_servers_that_is_none_is_not_blamed_on_our_own_certificate(deployed: Deployment) -> None:
    believing(deployed, deployed.directory / "none.pem")
    found = findings(deployed, "problem")
    assert [(one["subject"], one["next"]) for one in found] == [
        ("xroad.servers", "put the file there or correct the path")
    ]


@pytest.mark.parametrize(
    ("files", "subject", "step"),
    [
        (("none.pem", "client-auditor.key"), "tls_certificate", "put the file there or correct the path"),
        (("client-auditor.pem", "none.key"), "tls_key", "put the file there or correct the path"),
        (("client-auditor.pem", "client-limited.key"), "tls_certificate", "name the key that belongs to it in tls_key"),
    ],
    ids=["no-certificate", "no-key", "other-key"],
)
def test_what_is_wrong_with_our_client_certificate_is_said_of_the_right_file(
    deployed: Deployment, files: tuple[str, str], subject: str, step: str
) -> None:
    pki = deployed.directory / "pki"
    certificate, key = (pki / name for name in files)
    line = f'tls_certificate = "{certificate}"\ntls_key = "{key}"\n'
    deployed.rewrite("[endpoints.enterprise]\n", f"[endpoints.enterprise]\n{line}")
    found = findings(deployed, "problem")
    assert any(one["subject"] == f"endpoints.enterprise.{subject}" and step in one["next"] for one in found), found
    assert not any("belongs to it" in one["next"] for one in found if "none" in one["text"])
