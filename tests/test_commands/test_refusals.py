"""What a command says where it can do nothing: one sentence, with what is meant by it and the next step."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from config.settings import load
from security import keys
from tests.test_commands.conftest import Deployment, printed, quick


def test_a_log_of_other_keys_is_told_as_such_and_once(deployed: Deployment) -> None:
    settings = load(deployed.file)
    checkpoints = printed("audit", "verify", *deployed.config)["checkpoints"]
    assert checkpoints > 2
    shutil.rmtree(settings.keys.directory)
    printed("keys", "rotate", "log", *deployed.config)
    verdict = quick("audit", "verify", *deployed.config)
    assert verdict.exit_code == 1
    assert verdict.stderr.startswith(f"lgsp: no checkpoint is signed by a log key of {settings.keys.origin} in ")
    assert "this is another log, or keys.directory, keys.origin or storage.url is wrong" in verdict.stderr
    lines = verdict.stdout.splitlines()
    assert len([line for line in lines if line.startswith("entry ")]) == 1
    findings = printed("audit", "verify", *deployed.config, code=1)["findings"]
    assert len(findings) > checkpoints
    assert f"and {len(findings) - 1} more" in lines


def test_altered_signatures_of_its_own_keys_are_no_other_log(deployed: Deployment) -> None:
    with sqlite3.connect(deployed.database) as changing:
        changing.execute("UPDATE audit_checkpoints SET note = replace(note, char(10) || size, char(10) || '9' || size)")
    changing.close()
    verdict = quick("audit", "verify", *deployed.config)
    assert verdict.exit_code == 1
    assert "another log" not in verdict.stderr
    assert "does not hold from entry" in verdict.stderr
    assert len([line for line in verdict.stdout.splitlines() if line.startswith("entry ")]) > 1


@pytest.mark.parametrize(
    ("number", "step"),
    [(28, "make room there"), (30, "make its file system writable again")],
    ids=["full", "read-only"],
)
def test_a_key_that_cannot_be_written_names_its_place_and_the_next_step(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    directory = load(deployed.file).keys.directory
    before = sorted(directory.iterdir())

    def failing(_: str) -> bytes:
        raise OSError(number, "it failed")

    monkeypatch.setattr(keys, "_generated", failing)
    result = quick("keys", "rotate", "log", *deployed.config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"lgsp: {directory}: it failed; {step}")
    assert sorted(directory.iterdir()) == before


@pytest.mark.parametrize("command", [("audit", "show", "0"), ("clients", "revoke", "limited")], ids=" ".join)
def test_what_cannot_be_recorded_is_told_in_one_line_with_its_cause(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr("storage.sqlite.BUSY_TIMEOUT_MS", 50)
    holder = sqlite3.connect(deployed.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        result = quick(*command, *deployed.config)
    finally:
        holder.close()
    assert (result.exit_code, result.stdout) == (1, "")
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("lgsp: nothing was done, because it could not be recorded in the audit log")
    assert "database is locked" in sentence
