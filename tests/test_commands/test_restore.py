"""`lgsp storage restore` touches nothing before it knows everything: another log, no backup, a crash at any moment."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands import restoring
from config.settings import load
from routes.instances import announced
from security.audit.vault import Vault
from tests.test_commands.conftest import Deployment, printed, quick

ROOT = Path(__file__).parents[2]
LEFT = ".lgsp-restore-*"


def restore(at: Deployment, file: Path, *options: str) -> Any:
    return quick("storage", "restore", str(file), *options, *at.config)


def backed_up(at: Deployment, file: Path) -> Path:
    printed("storage", "backup", str(file), *at.config)
    return file


def lose(at: Deployment) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{at.database}{end}").unlink(missing_ok=True)


def damage(file: Path) -> None:
    with sqlite3.connect(file) as changing:
        changing.execute("UPDATE audit_entries SET body = CAST(body || ' ' AS BLOB) WHERE idx = 1")
    changing.close()


@pytest.fixture
def other(template: Path, tmp_path: Path) -> Deployment:
    """A log of the same origin under other keys, as test and production may have."""
    at = Deployment(tmp_path / "other")
    shutil.copytree(template, at.directory)
    settings = load(at.file)
    shutil.rmtree(settings.keys.directory)
    lose(at)
    printed("keys", "rotate", "log", *at.config)
    printed("storage", "upgrade", "--new-log", *at.config)
    for number in range(3):
        printed("clients", "add", f"other-{number}", "--name", "N", "--agency", "G15", *at.config)
    return at


@pytest.mark.parametrize("present", ["there", "gone", "postgresql"])
def test_a_backup_of_another_log_is_refused_whatever_is_said(
    deployed: Deployment, other: Deployment, tmp_path: Path, postgres_url: str, present: str
) -> None:
    foreign = backed_up(other, tmp_path / "other.db")
    mine = backed_up(deployed, tmp_path / "mine.db")
    if present == "postgresql":
        printed("storage", "copy", "--to", postgres_url, *deployed.config)
        deployed.rewrite('url = "sqlite:///lgsp.sqlite"', f'url = "{postgres_url}"')
    if present == "gone":
        lose(deployed)
    else:
        before = printed("audit", "verify", *deployed.config)
    for options in ((), ("--even-if-older",)):
        refused = restore(deployed, foreign, *options)
        assert refused.exit_code == 2
        assert "is a backup of another log" in refused.stderr
        assert str(load(deployed.file).keys.directory) in refused.stderr
    if present == "gone":
        assert not deployed.database.exists()
        assert restore(deployed, mine, "--even-if-older").exit_code == 0
    else:
        assert printed("audit", "verify", *deployed.config) == before
        assert restore(deployed, mine, "--even-if-older").exit_code == 0
    assert printed("audit", "verify", *deployed.config)["valid"]
    (last,) = printed("audit", "show", "--last", "1", *deployed.config)
    assert last["entry"]["details"]["action"] == "storage-restore"
    assert not list(deployed.directory.glob(LEFT))


def test_a_log_of_the_same_keys_that_went_on_otherwise_is_not_older(deployed: Deployment, tmp_path: Path) -> None:
    first = backed_up(deployed, tmp_path / "first.db")
    printed("clients", "rotate", "ministry", *deployed.config)
    second = backed_up(deployed, tmp_path / "second.db")
    assert restore(deployed, first, "--even-if-older").exit_code == 0
    before = deployed.entries()
    refused = restore(deployed, second, "--even-if-older")
    assert refused.exit_code == 2
    assert "went on otherwise" in refused.stderr
    assert "the present database" in refused.stderr
    damaged = Path(shutil.copy(second, tmp_path / "damaged.db"))
    damage(damaged)
    assert "went on otherwise" in restore(deployed, damaged, "--even-if-older").stderr
    assert deployed.entries() == before
    lose(deployed)
    assert restore(deployed, second, "--even-if-older").exit_code == 0
    assert printed("audit", "verify", *deployed.config)["valid"]


def test_a_damaged_backup_of_this_log_may_be_all_that_is_left(deployed: Deployment, tmp_path: Path) -> None:
    damaged = backed_up(deployed, tmp_path / "damaged.db")
    damage(damaged)
    refused = restore(deployed, damaged)
    assert refused.exit_code == 1
    assert "it is damaged or was changed" in refused.stderr
    assert restore(deployed, damaged, "--even-if-older").exit_code == 0
    assert deployed.entries()[-1]["details"]["even_if_older"] is True


def test_a_running_gateway_is_told_whatever_the_age_and_one_that_crashed_is_not(
    deployed: Deployment, tmp_path: Path
) -> None:
    file = backed_up(deployed, tmp_path / "backup.db")
    settings = load(deployed.file)
    with announced(settings):
        (lock,) = settings.keys.vault.parent.glob("serve.*.lock")
        for options in ((), ("--even-if-older",)):
            refused = restore(deployed, file, *options)
            assert refused.exit_code == 2
            assert "a gateway runs on this database" in refused.stderr
        before = deployed.entries()
    lock.touch()
    assert deployed.entries() == before
    assert restore(deployed, file).exit_code == 0


@pytest.mark.parametrize("kind", ["text", "empty", "zip", "other-sqlite"])
def test_what_is_no_backup_is_told_before_a_witness_is_asked(deployed: Deployment, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    file.write_bytes({"text": b"no database\n" * 500, "zip": b"PK\x03\x04" + bytes(3000)}.get(kind, b""))
    if kind == "other-sqlite":
        with sqlite3.connect(file) as made:
            made.execute("CREATE TABLE t (a)")
        made.close()
    before, raw = deployed.entries(), file.read_bytes()
    asked: list[str] = []

    async def known(*_: object, **__: object) -> list[object]:
        asked.append("witness")
        return []

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(restoring, "known_to_witnesses", known)
        for options in ((), ("--even-if-older",)):
            refused = restore(deployed, file, *options)
            assert refused.exit_code == 1
            assert f"{file} is no backup" in refused.stderr
        assert not asked
        assert restore(deployed, backed_up(deployed, tmp_path / "true.db")).exit_code == 0
        assert asked
    assert deployed.entries()[: len(before)] == before
    assert file.read_bytes() == raw


def test_what_is_written_meanwhile_is_not_lost(
    deployed: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backed_up(deployed, tmp_path / "backup.db")
    record = restoring._recorded

    async def meanwhile(*given: Any) -> int:
        connection = sqlite3.connect(deployed.database, isolation_level=None)
        connection.execute("UPDATE audit_checkpoints SET note = note || ' '")
        connection.close()
        return await record(*given)

    monkeypatch.setattr(restoring, "_recorded", meanwhile)
    refused = restore(deployed, file, "--even-if-older")
    assert refused.exit_code == 2
    assert "somebody wrote into the database meanwhile" in refused.stderr
    assert "storage-restore" not in [entry["details"].get("action") for entry in deployed.entries()]


def test_a_database_that_cannot_be_read_is_put_aside_first(deployed: Deployment, tmp_path: Path) -> None:
    file = backed_up(deployed, tmp_path / "backup.db")
    lose(deployed)
    deployed.database.write_bytes(b"damaged " * 2000)
    refused = restore(deployed, file, "--even-if-older")
    assert refused.exit_code == 2
    assert "keep its file elsewhere" in refused.stderr
    assert deployed.database.read_bytes() == b"damaged " * 2000
    deployed.database.rename(tmp_path / "kept")
    assert restore(deployed, file, "--even-if-older").exit_code == 0


KILLED: dict[str, str] = {
    "recorded": "restoring.put_back = die",
    "cleared": "backup.transfer = die",
    "moved": "backup.transfer = then_die(backup.transfer)",
    "committed": "restoring.put_back = then_die(backup.put_back)",
}
SCRIPT = """
import os, signal, sys
from commands import app, restoring
from storage import backup

async def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(work):
    async def done(*given, **named):
        await work(*given, **named)
        await die()
    return done

{patch}
app(sys.argv[1:])
"""


@pytest.mark.parametrize(("moment", "present"), [*((moment, "there") for moment in KILLED), ("cleared", "gone")])
def test_a_restore_that_is_killed_leaves_the_one_or_the_other(
    deployed: Deployment, tmp_path: Path, moment: str, present: str
) -> None:
    file = backed_up(deployed, tmp_path / "backup.db")
    size = len(deployed.entries())
    printed("clients", "rotate", "ministry", *deployed.config)
    before = deployed.entries()
    Vault(load(deployed.file).keys.vault).put("2026-11", [b"a wrapped key"])
    if present == "gone":
        lose(deployed)
    arguments = ["storage", "restore", str(file), "--even-if-older", *deployed.config]
    script = SCRIPT.format(patch=KILLED[moment])
    killed = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, timeout=100, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list(deployed.directory.glob(LEFT))
    if moment == "committed":
        assert len(deployed.entries()) == size + 1
        assert deployed.entries()[-1]["details"]["action"] == "storage-restore"
    elif present == "there":
        assert deployed.entries() == before
    else:
        # One with tables and no rows would be taken for the begin of a log.
        found = printed("storage", "status", *deployed.config, code=1)
        assert re.search("empty or gone", found["refusal"])
    assert quick(*arguments).exit_code == 0
    assert printed("audit", "verify", *deployed.config)["valid"]
    assert len(deployed.entries()) == size + 1
    assert not list(deployed.directory.glob(LEFT))
