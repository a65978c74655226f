"""Administering a deployment whose database another program has locked: a sentence, nothing done, nothing leaked."""

import sqlite3
from collections.abc import Iterator

import pytest

from tests.test_commands.conftest import Deployment, quick


@pytest.fixture
def locked(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    monkeypatch.setattr("storage.sqlite.BUSY_TIMEOUT_MS", 50)
    holder = sqlite3.connect(deployed.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield deployed
    holder.close()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("dossiers", "pause", "--why", "bảo trì"), id="pause"),
        pytest.param(("dossiers", "resume"), id="resume"),
        pytest.param(("clients", "revoke", "limited"), id="revoke"),
    ],
)
def test_what_would_write_is_told_in_a_sentence(locked: Deployment, command: tuple[str, ...]) -> None:
    result = quick(*command, *locked.config, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    *logged, sentence = result.stderr.splitlines()
    assert sentence.startswith("lgsp: nothing was done")
    # One line of JSON each, whose frames show no values.
    assert all(line.startswith("{") and "database is locked" in line for line in logged)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("dossiers", "destinations"), id="destinations"),
        pytest.param(("dossiers", "quarantine"), id="quarantine"),
        pytest.param(("dossiers", "dead"), id="dead"),
        pytest.param(("dossiers", "retry"), id="count-of-dead"),
    ],
)
def test_what_only_reads_works(locked: Deployment, command: tuple[str, ...]) -> None:
    result = quick(*command, *locked.config)
    assert result.exit_code == 0, result.output
