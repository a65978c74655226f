"""`lgsp storage`: status, backup, restore without rollback, copy that retires its source."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from config.settings import load
from security.audit.vault import Vault
from storage.schema import VERSION
from tests.test_commands.conftest import Deployment, lgsp, printed, quick


def test_status_says_what_serve_would_say(deployed: Deployment) -> None:
    found = printed("storage", "status", *deployed.config)
    assert (found["reachable"], found["schema"], found["refusal"], found["missing_tables"]) == (True, VERSION, None, [])
    assert printed("storage", "upgrade", *deployed.config) == {"steps": []}
    deployed.database.unlink()
    for suffix in ("-wal", "-shm"):
        Path(f"{deployed.database}{suffix}").unlink(missing_ok=True)
    lost = printed("storage", "status", *deployed.config, code=1)
    assert "lgsp storage upgrade" in lost["refusal"]


@pytest.mark.parametrize("left", [None, b"", b"\0"], ids=["gone", "empty", "a-byte"])
def test_a_lost_database_is_not_made_anew_unless_told(deployed: Deployment, left: bytes | None) -> None:
    vault = load(deployed.file).keys.vault
    Vault(vault).put("2026-11", [b"a wrapped key"])
    for suffix in ("", "-wal", "-shm"):
        Path(f"{deployed.database}{suffix}").unlink(missing_ok=True)
    if left is not None:
        deployed.database.write_bytes(left)
    for command in (("audit", "verify"), ("clients", "list"), ("keys", "rotate", "token"), ("storage", "upgrade")):
        refused = quick(*command, *deployed.config)
        assert refused.exit_code == 1, command
        assert "is empty or gone, but a log was kept with it" in refused.stderr
        assert "lgsp storage restore FILE" in refused.stderr
    assert "restore" in printed("storage", "status", *deployed.config, code=1)["refusal"]
    doctor = printed("doctor", *deployed.config, code=1)
    (found,) = (each for each in doctor["findings"] if each["code"] == "storage-refused")
    assert "storage restore" in found["next"]
    assert deployed.database.exists() == (left is not None)
    assert printed("storage", "upgrade", "--new-log", *deployed.config) == {"steps": ["first schema"]}
    assert printed("audit", "verify", *deployed.config)["entries"] == 0


def test_a_backup_never_overwrites_and_comes_back_whole(deployed: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    made = printed("storage", "backup", str(file), *deployed.config)
    entries = deployed.entries()
    assert made["entries"] == len(entries)
    assert entries[-1]["details"]["action"] == "storage-backup"
    assert quick("storage", "backup", str(file), *deployed.config).exit_code == 2
    back = printed("storage", "restore", str(file), *deployed.config)
    assert (back["entries"], back["root"]) == (made["entries"], made["root"])
    assert back["recorded_as"] == made["entries"]
    assert printed("audit", "verify", *deployed.config)["valid"]


def test_a_rollback_is_refused_unless_told(deployed: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    printed("storage", "backup", str(file), *deployed.config)
    printed("clients", "rotate", "ministry", *deployed.config)
    before = deployed.entries()
    refused = quick("storage", "restore", str(file), *deployed.config)
    assert refused.exit_code == 1
    assert "are known to exist" in refused.stderr
    assert deployed.entries() == before
    printed("storage", "restore", str(file), "--even-if-older", *deployed.config)
    assert deployed.entries()[-1]["details"]["even_if_older"] is True
    assert len(deployed.entries()) == len(before)
    credentials = printed("clients", "show", "ministry", *deployed.config)["credentials"]
    assert [item["not_after"] for item in credentials if item["kind"] == "secret"] == [None]


def test_a_lost_database_is_compared_with_a_checkpoint_from_elsewhere(deployed: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    printed("storage", "backup", str(file), *deployed.config)
    newest = tmp_path / "newest.txt"
    newest.write_text(_checkpoint(deployed), encoding="utf-8")
    printed("clients", "rotate", "ministry", *deployed.config)
    newer = tmp_path / "newer.txt"
    newer.write_text(_checkpoint(deployed), encoding="utf-8")
    forged = tmp_path / "forged.txt"
    forged.write_text(newest.read_text(encoding="utf-8").replace("\n5\n", "\n4\n", 1), encoding="utf-8")
    assert forged.read_bytes() != newest.read_bytes()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{deployed.database}{suffix}").unlink(missing_ok=True)

    restore = ("storage", "restore", str(file), *deployed.config)
    nothing = quick(*restore)
    assert nothing.exit_code == 2
    assert "--checkpoint FILE" in nothing.stderr
    assert quick(*restore, "--checkpoint", str(forged)).exit_code == 2
    assert quick(*restore, "--checkpoint", str(newer)).exit_code == 1
    assert quick(*restore, "--checkpoint", str(newest)).exit_code == 0
    assert printed("audit", "verify", *deployed.config)["valid"]


def test_a_copy_proves_itself_and_retires_its_source(deployed: Deployment, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'copy.sqlite'}"
    (tmp_path / "url").write_text(target + "\n")
    copied = printed("storage", "copy", "--to", f"file:{tmp_path / 'url'}", *deployed.config)
    assert copied["rows"]["clients"] == 4
    assert copied["entries"] == copied["rows"]["audit_entries"] == len(deployed.entries())

    moved = printed("storage", "status", *deployed.config, code=1)
    assert moved["moved_to"] == target
    served = lgsp("serve", *deployed.config)
    assert served.returncode == 1
    assert "set storage.url to that" in served.stderr
    changed = quick("clients", "rotate", "ministry", *deployed.config)
    assert changed.exit_code == 1
    again = quick("storage", "copy", "--to", f"sqlite:///{tmp_path / 'other.sqlite'}", *deployed.config)
    assert again.exit_code == 1

    deployed.rewrite('url = "sqlite:///lgsp.sqlite"', f'url = "{target}"')
    verdict = printed("audit", "verify", *deployed.config)
    assert verdict["valid"]
    assert verdict["root"] == copied["root"]
    printed("clients", "rotate", "ministry", *deployed.config)


def test_a_copy_into_a_database_in_use_is_refused(deployed: Deployment, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'copy.sqlite'}"
    other = tmp_path / "other.toml"
    other.write_text(f'[storage]\nurl = "{target}"\n')
    at = ("--config", str(other))
    printed("keys", "rotate", "log", *at)
    printed("storage", "upgrade", *at)
    printed("clients", "add", "first-client", "--name", "N", "--agency", "G15", *at)
    refused = quick("storage", "copy", "--to", target, *deployed.config)
    assert refused.exit_code == 1
    assert "empty database" in refused.stderr
    assert printed("storage", "status", *deployed.config)["moved_to"] is None


def _checkpoint(deployed: Deployment) -> str:
    import sqlite3

    connection = sqlite3.connect(deployed.database)
    (note,) = connection.execute("SELECT note FROM audit_checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    connection.close()
    assert base64.b64decode(note.splitlines()[2])
    return str(note)
