"""`lgsp audit`: verification names the first bad entry, reading leaves an entry."""

from __future__ import annotations

import json
import sqlite3
from hashlib import sha256
from pathlib import Path

from tests.test_commands.conftest import Deployment, lgsp, printed, quick


def test_a_sound_log_is_said_to_be_so(deployed: Deployment) -> None:
    result = lgsp("audit", "verify", "--json", *deployed.config)
    assert result.returncode == 0
    verdict = json.loads(result.stdout)
    assert verdict["valid"] is True
    assert verdict["first_bad"] is None
    assert verdict["entries"] == len(deployed.entries()) == 4
    assert verdict["findings"] == []


def test_the_first_bad_entry_is_named(deployed: Deployment) -> None:
    connection = sqlite3.connect(deployed.database)
    body = connection.execute("SELECT body FROM audit_entries WHERE idx = 2").fetchone()[0]
    changed = body.replace(b'"kind":"admin"', b'"kind":"token"')
    assert changed != body
    leaf = sha256(b"\0" + changed).digest()
    with connection:
        connection.execute("UPDATE audit_entries SET body = ?, leaf = ?, kind = 'token' WHERE idx = 2", (changed, leaf))
    connection.close()
    verdict = printed("audit", "verify", *deployed.config, code=1)
    assert (verdict["valid"], verdict["first_bad"]) == (False, 2)
    plain = quick("audit", "verify", *deployed.config)
    assert plain.exit_code == 1
    assert "entry 2" in plain.stdout
    assert "from entry 2 on" in plain.stderr


def test_reading_leaves_an_entry(deployed: Deployment) -> None:
    (shown,) = printed("audit", "show", "1", *deployed.config)
    entries = deployed.entries()
    assert shown["index"] == 1
    assert shown["entry"] == entries[1]
    assert entries[-1]["kind"] == "reading"
    assert entries[-1]["details"]["entries"] == [1]
    assert entries[-1]["details"]["by"]
    last = printed("audit", "show", "--last", "2", *deployed.config)
    assert [item["index"] for item in last] == [3, 4]
    assert deployed.entries()[-1]["details"]["entries"] == [3, 4]
    plain = quick("audit", "show", "0", *deployed.config)
    assert plain.stdout.startswith("entry 0  leaf ")


def test_entries_that_are_not_there_are_findings(deployed: Deployment) -> None:
    before = deployed.entries()
    for arguments in (["99"], ["--request-id", "none"]):
        result = quick("audit", "show", *arguments, *deployed.config)
        assert result.exit_code == 1
        assert result.stderr.startswith("lgsp: ")
    assert deployed.entries() == before


def test_nothing_is_shown_that_could_not_be_recorded(deployed: Deployment) -> None:
    (deployed.directory / "keys" / "log.0001.key").unlink()
    result = quick("audit", "show", "0", *deployed.config)
    assert result.exit_code == 1
    assert not result.stdout


def test_the_verifier_is_written_out_once_and_named_by_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "verify_audit.py"
    assert printed("audit", "verifier", "--out", str(file)) == {
        "file": str(file),
        "sha256": sha256(file.read_bytes()).hexdigest(),
    }
    assert quick("audit", "verifier", "--out", str(file)).exit_code == 2
