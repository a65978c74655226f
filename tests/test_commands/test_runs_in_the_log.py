"""Starts, stops, configurations and rotations stand in the log, told by `lgsp serve` and `lgsp worker` themselves."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config.effective import changed, digest, effective
from config.settings import load
from security.audit.assembly import log_verifiers
from security.keys import KeyRing
from tests.test_commands.conftest import SCRIPT, Deployment, lgsp, printed, quick, wait_for

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def serving(deployed: Deployment, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gateway that answers, and its address."""
    process = subprocess.Popen([SCRIPT, "serve", *deployed.config, *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield process, f"http://{event(process, 'serving')['http']}"
    finally:
        process.terminate()
        process.communicate(timeout=100)


def event(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """Read the lines of its log up to this event."""
    assert process.stderr is not None
    for line in process.stderr:
        told = json.loads(line)
        if told["event"] == name:
            return dict(told)
    raise AssertionError(f"{name} did not come")


def of(deployed: Deployment, *kinds: str) -> list[dict[str, Any]]:
    return [entry for entry in deployed.entries() if entry["kind"] in kinds]


def refused_token(url: str, client: str, secret: str) -> None:
    basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(f"{url}/oauth2/token", b"grant_type=client_credentials", headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        OPENER.open(request, timeout=60)
    refused.value.close()
    assert refused.value.code == 401


def test_a_run_from_start_to_stop_and_one_that_was_killed(deployed: Deployment) -> None:
    begun = len(deployed.entries())
    with serving(deployed, "--workers", "2") as (process, url):
        start, loaded = deployed.entries()[begun:]
        assert (start["kind"], loaded["kind"]) == ("start", "configuration")
        assert (start["details"]["process"], start["details"]["workers"]) == ("serve", 2)
        assert start["details"]["keys"]["log"] == "log-1"
        assert start["details"]["previous"] is None
        assert start["details"]["version"]
        # By words: a short name of a host stands in a digest by chance.
        assert os.uname().nodename not in re.split(r'[\s"@:]+', json.dumps([start, loaded]))
        assert loaded["details"]["changed"] is None
        assert loaded["details"]["by"]
        for client, secret in (("ministry", "wrong"), ("ministry", "wrong"), ("012345678901", "wrong")):
            refused_token(url, client, secret)
        assert quick("reload", *deployed.config).exit_code == 0
        event(process, "reloaded")
        wait_for(lambda: len(of(deployed, "configuration")) == 2, "the entry of the reload")
        again = of(deployed, "configuration")[-1]["details"]
        assert (again["at"], again["changed"], again["run"]) == ("reload", [], start["details"]["run"])
        assert again["keys"]["token"] == "token-1"
    entries = deployed.entries()[begun:]
    stop = entries[-1]
    assert stop["kind"] == "stop"
    assert (stop["details"]["run"], stop["details"]["failed"]) == (start["details"]["run"], False)
    assert [entry["kind"] for entry in entries].count("start") == 1
    assert [entry["kind"] for entry in entries].count("stop") == 1
    # Each of the two workers counts for itself.
    refused = of(deployed, "token")
    assert {(entry["details"]["claimed"], entry["details"]["what"]) for entry in refused} == {("ministry", "unknown")}
    assert sum(entry["details"]["count"] for entry in refused) == 2
    assert not any("caller" in entry for entry in refused)
    (unknown,) = of(deployed, "anonymous")
    assert "claimed" not in unknown["details"]
    assert "012345678901" not in json.dumps(deployed.entries())

    deployed.rewrite("anonymous_entries_per_minute = 60", "anonymous_entries_per_minute = 61")
    with serving(deployed, "--workers", "2") as (process, _):
        second, configured = deployed.entries()[-2:]
        assert second["details"]["previous"] == {"run": start["details"]["run"], "ended": True}
        assert configured["details"]["changed"] == ["audit.anonymous_entries_per_minute"]
        assert configured["details"]["digest"] != loaded["details"]["digest"]
        process.kill()
        process.wait()
    with serving(deployed):
        third = of(deployed, "start")[-1]
        assert third["details"]["previous"] == {"run": second["details"]["run"], "ended": False}
    assert printed("audit", "verify", *deployed.config)["valid"]


def test_the_worker_tells_of_itself(deployed: Deployment) -> None:
    worker = subprocess.Popen([SCRIPT, "worker", *deployed.config], stderr=subprocess.PIPE, text=True)
    event(worker, "keeping-house")
    worker.terminate()
    worker.communicate(timeout=60)
    assert worker.returncode == 0
    told = of(deployed, "start", "stop")
    assert [(entry["kind"], entry["details"]["process"]) for entry in told] == [("start", "worker"), ("stop", "worker")]
    assert told[0]["details"]["run"] == told[1]["details"]["run"]


def test_what_cannot_record_its_start_does_not_begin(deployed: Deployment) -> None:
    with sqlite3.connect(deployed.database) as connection:
        connection.execute("UPDATE audit_head SET frontier = x'00'")
    connection.close()
    result = lgsp("serve", *deployed.config)
    assert result.returncode == 1
    assert "could not be recorded" in result.stderr
    assert "serving" not in result.stderr
    assert of(deployed, "start") == []


def test_a_key_is_used_only_once_its_entry_is_durable(deployed: Deployment) -> None:
    with sqlite3.connect(deployed.database) as connection:
        connection.execute("UPDATE audit_head SET frontier = x'00'")
    connection.close()
    before = sorted(path.name for path in (deployed.directory / "keys").iterdir())
    assert quick("keys", "rotate", "log", *deployed.config).exit_code == 1
    assert sorted(path.name for path in (deployed.directory / "keys").iterdir()) == before


def test_a_new_log_key_is_introduced_under_the_old_one_with_its_period(deployed: Deployment) -> None:
    printed("keys", "rotate", "log", "--overlap", "2h", *deployed.config)
    settings = load(deployed.file)
    keys = KeyRing(settings.keys.directory)
    (new, old), verifiers = keys.generations("log"), log_verifiers(keys, settings.keys.origin)
    entry = deployed.entries()[-1]["details"]
    assert entry["verifier_key"] == verifiers[0].encode()
    assert old.until is not None
    assert new.until is None
    assert (old.until - new.created).total_seconds() == 7200
    assert (entry["from"][:19], entry["until"][:19]) == (new.created.isoformat()[:19], old.until.isoformat()[:19])
    with sqlite3.connect(deployed.database) as connection:
        (note,) = connection.execute("SELECT note FROM audit_checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    connection.close()
    signed = base64.b64decode(note.splitlines()[-1].rpartition(" ")[2])[:4]
    assert signed == verifiers[1].key_id


def test_an_upgrade_of_a_database_in_use_is_an_administrative_act(deployed: Deployment) -> None:
    with sqlite3.connect(deployed.database) as connection:
        connection.execute("UPDATE storage_state SET version = version - 1")
        connection.execute("DROP TABLE audit_runs")
    connection.close()
    printed("storage", "upgrade", *deployed.config)
    told = deployed.entries()[-1]["details"]
    assert (told["action"], told["after"] - told["before"]) == ("storage-upgrade", 1)
    assert told["tables"] == ["audit_runs"]
    assert told["steps"]


def test_settings_tell_changes_by_name_and_never_a_secret(deployed: Deployment) -> None:
    before = effective(load(deployed.file))
    assert digest(before) == digest(effective(load(deployed.file)))
    certificate = load(deployed.file).server.tls
    assert certificate is not None
    certificate.certificate.write_bytes(certificate.certificate.read_bytes() + b"\n")
    assert changed(before, effective(load(deployed.file))) == ["server.tls.certificate (content)"]
    environment = {"LGSP_STORAGE__URL": "postgresql://lgsp:first@db/lgsp", "LGSP_REDIS__URL": "redis://:one@cache"}
    other = {"LGSP_STORAGE__URL": "postgresql://lgsp:second@db/lgsp", "LGSP_REDIS__URL": "redis://:two@cache"}
    told = []
    for each in (environment, other):
        os.environ.update(each)
        try:
            told.append(effective(load(None)))
        finally:
            for name in each:
                del os.environ[name]
    assert told[0] == told[1]
