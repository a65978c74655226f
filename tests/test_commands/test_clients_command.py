"""`lgsp clients` on a deployment that does not run: changes, their evidence, secrets shown once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from security.http_signing import key_id
from tests.test_commands.conftest import Deployment, lgsp, printed, quick
from tests.test_request_signatures.callers import make_certificate


def test_the_life_of_a_client(deployed: Deployment) -> None:
    before = len(deployed.entries())
    (added,) = printed("clients", "add", "so-tu-phap", "--name", "Sở Tư pháp", "--agency", "H26.3", *deployed.config)
    assert added["client_secret"].startswith("lgsp_")
    granted = ["--purpose", "inspection", "--field", "full_name", "--rate", "2.5", "--officer-required", "--provable"]
    printed("clients", "grant", "so-tu-phap", "population/person", *granted, *deployed.config)
    shown = printed("clients", "show", "so-tu-phap", *deployed.config)
    assert shown["name"] == "Sở Tư pháp"
    (grant,) = shown["grants"]
    assert (grant["database"], grant["operation"], grant["purposes"]) == ("population", "person", ["inspection"])
    assert grant["fields"] == ["full_name"]
    assert grant["officer_required"]
    assert grant["provable"]
    assert not grant["dossier_required"]
    assert [item["kind"] for item in shown["credentials"]] == ["secret"]
    printed("clients", "revoke", "so-tu-phap", "--operation", "population/person", *deployed.config)
    assert printed("clients", "show", "so-tu-phap", *deployed.config)["grants"] == []
    printed("clients", "revoke", "so-tu-phap", *deployed.config)
    listed = {item["client_id"]: item for item in printed("clients", "list", *deployed.config)}
    assert listed["so-tu-phap"]["revoked_at"]
    assert {"ministry", "province", "auditor", "limited"} < listed.keys()
    assert listed["ministry"]["revoked_at"] is None

    entries = deployed.entries()[before:]
    actions = [entry["details"]["action"] for entry in entries]
    assert actions == ["client-add", "client-grant", "client-revoke-grant", "client-revoke"]
    assert all(entry["kind"] == "admin" and entry["details"]["by"] for entry in entries)
    assert added["client_secret"] not in json.dumps(entries)
    assert added["client_secret"].encode() not in deployed.database.read_bytes()
    assert printed("audit", "verify", *deployed.config)["valid"]


def test_rotation_keeps_the_old_secret_for_the_overlap(deployed: Deployment) -> None:
    (rotated,) = printed("clients", "rotate", "ministry", "--overlap", "7d", *deployed.config)
    assert rotated["client_secret"]
    secrets = [
        item
        for item in printed("clients", "show", "ministry", *deployed.config)["credentials"]
        if item["kind"] == "secret"
    ]
    old, new = sorted(secrets, key=lambda item: item["not_after"] is None)
    assert new["not_after"] is None
    lasting = datetime.fromisoformat(old["not_after"]) - datetime.fromisoformat(deployed.entries()[-1]["at"])
    assert lasting == timedelta(days=7)


def test_signing_certificates(deployed: Deployment, tmp_path: Path) -> None:
    """One is registered, kept with what it takes to check a signature, ended; what cannot be used is said."""
    quick("clients", "add", "so-y-te", "--name", "Sở Y tế", "--agency", "H26.4", *deployed.config)
    demanded = ["--purpose", "inspection", "--field", "full_name", "--signature-required"]
    noted = quick("clients", "grant", "so-y-te", "population/person", *demanded, *deployed.config)
    assert (noted.exit_code, "has no signing certificate" in noted.stderr) == (0, True)
    now = datetime.now(UTC)
    strong, weak = (
        make_certificate(key, "so-y-te", now - timedelta(days=1), now + timedelta(days=9))
        for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024))
    )
    file = tmp_path / "signing.pem"
    command = ["clients", "register", "so-y-te", "--signing-certificate", str(file), *deployed.config]
    file.write_bytes(weak.public_bytes(Encoding.PEM))
    refused = quick(*command)
    assert (refused.exit_code, "an RSA key of 1024 bits" in refused.stderr) == (2, True)
    file.write_bytes(strong.public_bytes(Encoding.PEM))
    registered = quick(*command)
    assert (registered.exit_code, registered.stderr) == (0, "")
    held = printed("clients", "show", "so-y-te", *deployed.config)["credentials"]
    (credential,) = [item for item in held if item["kind"] == "signature"]
    assert credential["id"] == f"signature-{key_id(strong)}"
    ended = quick("clients", "revoke", "so-y-te", "--credential", credential["id"], *deployed.config)
    assert "has no signing certificate" in ended.stderr


def test_certificates_that_could_prove_nothing_are_refused(deployed: Deployment, tmp_path: Path) -> None:
    """They are not made for signing, or have expired: in each way to register one, and the reason is said."""
    now, private = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    day = timedelta(days=1)
    other = make_certificate(private, "so-xay-dung", now - day, now + day, usage="key_encipherment")
    late = make_certificate(private, "so-xay-dung", now - 2 * day, now - day)
    quick("clients", "add", "so-xay-dung", "--name", "Sở Xây dựng", "--agency", "H26.5", *deployed.config)
    before = deployed.entries()
    paper, listed = tmp_path / "paper.pem", tmp_path / "clients.json"
    for certificate, setting, hint in (
        (other, "signing_certificates", "keyUsage"),
        (late, "signing_certificates", "expired"),
        (late, "certificates", "expired"),
    ):
        paper.write_bytes(certificate.public_bytes(Encoding.PEM))
        option = "--signing-certificate" if setting.startswith("signing") else "--certificate"
        part = {"id": "so-xay-dung", "name": "Sở Xây dựng", "agency": "H26.5", "secret": True, setting: ["paper.pem"]}
        listed.write_text(json.dumps({"clients": [part]}), encoding="utf-8")
        added = ("add", "so-moi", "--name", "Sở mới", "--agency", "H26.6", option, str(paper))
        for command in (added, ("register", "so-xay-dung", option, str(paper)), ("apply", str(listed))):
            refused = quick("clients", *command, *deployed.config)
            assert refused.exit_code != 0
            assert hint in refused.stderr, refused.stderr
            assert "Traceback" not in refused.stderr
    assert deployed.entries() == before


def test_nothing_changed_leaves_no_entry(deployed: Deployment) -> None:
    printed("clients", "revoke", "limited", *deployed.config)
    before = deployed.entries()
    result = quick("clients", "revoke", "limited", *deployed.config)
    assert result.exit_code == 0
    assert "nothing to change" in result.stdout
    assert deployed.entries() == before


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["show", "nobody"], "lgsp clients list"),
        (["rotate", "nobody"], "lgsp clients list"),
        (["add", "ministry", "--name", "N", "--agency", "G15"], "lgsp clients show ministry"),
        (["add", "no", "--name", "N", "--agency", "G15"], "3 to 64"),
        (["add", "079077972257", "--name", "N", "--agency", "G15"], "nine digits"),
        (["add", "good-name", "--name", "N", "--agency", "nowhere"], "agency"),
        (
            ["add", "good-name", "--name", "N", "--agency", "G15", "--right", "everything"],
            "audit, audit-values, dossiers",
        ),
        (["add", "good-name", "--name", "N", "--agency", "G15", "--certificate", "/nowhere.pem"], "/nowhere.pem"),
        (["grant", "ministry", "population/nothing", "--purpose", "inspection", "--field", "*"], "no operation"),
        (["grant", "ministry", "population/person", "--purpose", "inspection", "--field", "shoe_size"], "shoe_size"),
        (["grant", "ministry", "population/person", "--purpose", "curiosity", "--field", "*"], "curiosity"),
        (["revoke", "ministry", "--credential", "none"], "no credential"),
        (["revoke", "auditor", "--operation", "population/person"], "no grant"),
        (["apply", "/nowhere.toml"], "/nowhere.toml"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_mistakes_are_named_and_change_nothing(deployed: Deployment, arguments: list[str], hint: str) -> None:
    before = deployed.entries()
    result = quick("clients", *arguments, *deployed.config)
    assert result.exit_code == 2
    assert hint in result.stderr
    assert deployed.entries() == before


_WANTED = """
[[clients]]
id = "so-noi-vu"
name = "Sở Nội vụ"
agency = "H26.12"
secret = true
[[clients.grants]]
database = "population"
operation = "person"
purposes = ["dossier-processing"]
fields = ["full_name", "birth_date"]
"""


def test_a_file_is_made_true_once(deployed: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(_WANTED, encoding="utf-8")
    before = deployed.entries()
    (planned,) = printed("clients", "apply", str(file), "--dry-run", *deployed.config)
    assert planned["client_secret"] is None
    assert deployed.entries() == before
    (made,) = printed("clients", "apply", str(file), *deployed.config)
    assert made["client_secret"]
    assert printed("clients", "apply", str(file), *deployed.config) == []
    assert len(deployed.entries()) == len(before) + 1


def test_secrets_made_before_a_failure_are_not_lost(deployed: Deployment, template: Path, tmp_path: Path) -> None:
    taken = template / "pki" / "client-ministry.pem"
    file = tmp_path / "clients.toml"
    other = f'[[clients]]\nid = "usurper"\nname = "N"\nagency = "G15"\ncertificates = [{json.dumps(str(taken))}]\n'
    file.write_text(_WANTED + other, encoding="utf-8")
    result = quick("clients", "apply", str(file), "--json", *deployed.config)
    assert result.exit_code == 1
    assert "ministry" in result.stderr
    (done,) = json.loads(result.stdout)
    assert done["client_id"] == "so-noi-vu"
    assert done["client_secret"]
    assert quick("clients", "show", "usurper", *deployed.config).exit_code == 2


def test_a_further_certificate_is_registered(deployed: Deployment, template: Path) -> None:
    paper = str(template / "pki" / "client-auditor.pem")
    printed("clients", "register", "auditor", "--signing-certificate", paper, *deployed.config)
    kinds = {item["kind"] for item in printed("clients", "show", "auditor", *deployed.config)["credentials"]}
    assert kinds == {"secret", "mtls", "signature"}


def test_an_x_road_client_is_registered_listed_and_ended(deployed: Deployment) -> None:
    name = "VN/GOV/000.00.00.H26/DVC"
    added = ["--name", "N", "--agency", "H26.4", "--no-secret", "--xroad", name]
    printed("clients", "add", "so-xay-dung", *added, *deployed.config)
    printed("clients", "register", "so-xay-dung", "--xroad", "VN/GOV/000.00.00.H26/BC", *deployed.config)
    held = printed("clients", "show", "so-xay-dung", *deployed.config)["credentials"]
    assert sorted((item["kind"], item["id"]) for item in held) == [
        ("xroad", "xroad:VN/GOV/000.00.00.H26/BC"),
        ("xroad", f"xroad:{name}"),
    ]
    taken = quick("clients", "register", "auditor", "--xroad", name, *deployed.config)
    assert (taken.exit_code, "already registered for client so-xay-dung" in taken.stderr) == (1, True)
    wrong = quick("clients", "register", "auditor", "--xroad", "VN/GOV", *deployed.config)
    assert (wrong.exit_code, "VN/GOV: an X-Road client is INSTANCE/CLASS/MEMBER" in wrong.stderr) == (2, True)
    beyond = quick("clients", "register", "auditor", "--xroad", "VN/GOV/Sở/DVC", *deployed.config)
    assert (beyond.exit_code, "printable ASCII only" in beyond.stderr, beyond.exception.__class__) == (
        2,
        True,
        SystemExit,
    )
    printed("clients", "revoke", "so-xay-dung", "--credential", f"xroad:{name}", *deployed.config)
    ended = {
        item["id"]: item["revoked_at"]
        for item in printed("clients", "show", "so-xay-dung", *deployed.config)["credentials"]
    }
    assert [one for one, at in ended.items() if at] == [f"xroad:{name}"]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["apply", "dry-run"])
def test_an_x_road_client_of_other_letters_is_refused_in_a_file_too(
    deployed: Deployment, tmp_path: Path, dry: list[str]
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text('[[clients]]\nid = "so-y-te"\nname = "N"\nagency = "H26.4"\nxroad = ["VN/GOV/Sở/DVC"]\n')
    refused = quick("clients", "apply", str(file), *dry, *deployed.config)
    assert (refused.exit_code, "client so-y-te: an X-Road identifier has printable ASCII" in refused.stderr) == (
        2,
        True,
    )
    assert "so-y-te" not in {item["client_id"] for item in printed("clients", "list", *deployed.config)}


def test_the_console_script_shows_people_what_json_shows_programs(deployed: Deployment) -> None:
    plain = lgsp("clients", "show", "limited", *deployed.config)
    assert plain.returncode == 0
    assert "grant population/person identity-verification" in plain.stdout
    assert "birth_date full_name" in plain.stdout
    listed = lgsp("clients", "list", *deployed.config)
    assert "UBND thành phố Hà Nội" in listed.stdout
    refused = lgsp("clients", "show", "nobody", *deployed.config)
    assert refused.returncode == 2
    assert refused.stderr.startswith("lgsp: there is no client nobody")
