"""`lgsp keys`: what there is, rotation with its evidence, the way of a first installation."""

from __future__ import annotations

import json
from pathlib import Path

from tests.test_commands.conftest import Deployment, lgsp, printed, quick


def test_every_key_and_certificate_is_listed(deployed: Deployment) -> None:
    rows = {row["name"]: row for row in printed("keys", "list", *deployed.config)}
    assert {"log-1", "token-1", "period-1", "data-1", "server.tls.certificate", "endpoints.tax.crl"} <= rows.keys()
    assert all(row["state"] == "active" and row["sandbox"] and row["expires_at"] for row in rows.values())


def test_a_rotation_adds_a_generation_and_an_entry(deployed: Deployment) -> None:
    assert printed("keys", "rotate", "token", "--overlap", "2h", *deployed.config) == {"keys": ["token-2"]}
    rows = {row["name"]: row["state"] for row in printed("keys", "list", *deployed.config)}
    assert (rows["token-1"], rows["token-2"]) == ("overlap", "active")
    entry = deployed.entries()[-1]
    assert entry["kind"] == "key-rotation"
    assert entry["details"]["key"] == "token-2"
    assert entry["details"]["replaces"] == "token-1"
    assert entry["details"]["overlap_s"] == 7200
    assert "PRIVATE" not in json.dumps(entry)


def test_the_old_log_key_introduces_the_new_one(deployed: Deployment) -> None:
    (old,) = printed("keys", "export", *deployed.config)["log"]
    printed("keys", "rotate", "log", *deployed.config)
    exported = printed("keys", "export", *deployed.config)
    new = exported["log"][0]["verifier_key"]
    assert [item["verifier_key"] for item in exported["log"]] == [new, old["verifier_key"]]
    assert deployed.entries()[-1]["details"]["verifier_key"] == new
    printed("clients", "rotate", "ministry", *deployed.config)
    verdict = printed("audit", "verify", *deployed.config)
    assert verdict["valid"]
    assert verdict["entries"] == len(deployed.entries())


def test_exports_hold_no_private_key(deployed: Deployment) -> None:
    plain = quick("keys", "export", *deployed.config)
    assert plain.exit_code == 0
    assert plain.stdout.startswith("localhost/lgsp-demo+")
    assert "BEGIN PUBLIC KEY" in plain.stdout
    assert "PRIVATE" not in plain.stdout + json.dumps(printed("keys", "export", *deployed.config))


def test_period_keys_are_wrapped_anew_once(deployed: Deployment) -> None:
    from security.audit.assembly import open_sealer
    from security.audit.sealing import Plain
    from security.keys import KeyRing

    keys, vault = deployed.directory / "keys", deployed.directory / "vault"
    entry = Plain("00000000-0000-4000-8000-000000000000", "2026-01", b"content", ())
    (sealed,) = open_sealer(KeyRing(keys), vault).seal([entry])
    printed("keys", "rotate", "period", *deployed.config)
    assert printed("keys", "rewrap", *deployed.config) == {"periods": 1}
    assert deployed.entries()[-1]["details"]["action"] == "key-rewrap"
    assert printed("keys", "rewrap", *deployed.config) == {"periods": 0}
    (keys / "period.0001.key").unlink()
    opened = open_sealer(KeyRing(keys), vault).open(entry.entry_id, sealed.period, sealed.slot, sealed.sealed)
    assert opened == b"content"


def test_a_first_installation_needs_no_demo(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[storage]\nurl = "sqlite:///lgsp.sqlite"\n')
    at = ("--config", str(config))
    assert quick("keys", "list", *at).exit_code == 1
    assert quick("storage", "status", *at).exit_code == 1
    made = printed("keys", "rotate", "log", *at)["keys"]
    assert made == ["log-1", "token-1", "period-1", "data-1"]
    assert "first schema" in quick("storage", "upgrade", *at).stdout
    printed("clients", "add", "first-client", "--name", "N", "--agency", "G15", *at)
    assert printed("audit", "verify", *at)["entries"] == 1
    assert not any(row["sandbox"] for row in printed("keys", "list", *at))


def test_a_key_open_to_others_is_refused_with_the_command_that_helps(deployed: Deployment) -> None:
    (deployed.directory / "keys" / "token.0001.key").chmod(0o644)
    for command in ("list", "export"):
        result = quick("keys", command, *deployed.config)
        assert result.exit_code == 1
        assert "chmod go-rwx" in result.stderr
    rotated = lgsp("keys", "rotate", "token", *deployed.config)
    assert rotated.returncode == 1
    assert not (deployed.directory / "keys" / "token.0002.key").exists()


def test_the_log_is_verified_with_its_keys_alone_and_a_damaged_one_is_named(deployed: Deployment) -> None:
    keys = deployed.directory / "keys"
    for name in ("token", "data"):
        (keys / f"{name}.0001.key").unlink()
    assert printed("audit", "verify", "--values", *deployed.config)["valid"]
    (keys / "period.0001.key").unlink()
    assert printed("audit", "verify", *deployed.config)["valid"]
    refused = quick("audit", "verify", "--values", *deployed.config)
    assert (refused.exit_code, "no key named period" in refused.stderr) == (1, True)
    damaged = keys / "log.0001.key"
    damaged.write_bytes(damaged.read_bytes().replace(b"BEGIN PRIVATE KEY-----\nM", b"BEGIN PRIVATE KEY-----\n!", 1))
    refused = quick("audit", "verify", *deployed.config)
    assert (refused.exit_code, refused.exception.__class__) == (1, SystemExit)
    assert (
        refused.stderr
        == f"lgsp: {damaged}: the file is damaged, no key can be read from it: put it back from a backup\n"
    )
