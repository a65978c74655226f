"""`lgsp audit search / prove / checkpoint / redact`: found by person, proven to outsiders, made unopenable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands import app
from security.audit.canonical import canonical
from tests.test_commands.conftest import Deployment, printed, quick
from tests.test_commands.exchanged import ANSWER, LAN, MINH, checked, exchange, key_file, recorded


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    file = tmp_path / "subject.txt"
    file.write_text(f"{LAN}\n", encoding="utf-8")
    return file


def numbers(*arguments: str) -> list[int]:
    return [item["index"] for item in printed("audit", "search", *arguments)]


def test_a_person_is_found_and_so_is_who_looked(deployed: Deployment, subject: Path) -> None:
    about = ("--subject-file", str(subject), *deployed.config)
    assert numbers(*about) == []
    first = recorded(deployed, [exchange(LAN), exchange(MINH), exchange(MINH, LAN)])[0].index
    assert numbers(*about, "--kind", "exchange") == [first, first + 2]
    looked = deployed.entries()[-1]
    assert (looked["kind"], looked["details"]["action"]) == ("reading", "audit-search")
    assert looked["details"]["entries"] == [first, first + 2]
    assert looked["details"]["filters"] == {"kind": "exchange"}
    assert {each["kind"] for each in looked["subjects"]} == {"personal-id", "household"}
    assert LAN not in json.dumps(looked)
    # Both searches were readings about her.
    assert numbers(*about, "--kind", "reading") == [first - 1, first + 3]
    assert numbers(*about, "--as", "personal-id", "--kind", "exchange") == [first, first + 2]
    # An account that is a personal number names the person.
    assert numbers(*about, "--as", "officer", "--kind", "exchange") == [first, first + 2]


def test_the_identifier_may_come_from_standard_input(deployed: Deployment) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN)])
    command = ["audit", "search", "--subject-file", "-", "--json", *deployed.config]
    result = CliRunner().invoke(app, command, input=f"{LAN}\n")
    assert [item["index"] for item in json.loads(result.stdout)] == [receipt.index]


@pytest.mark.parametrize("content", ["", "\n", f"{LAN}\n{MINH}\n", "x" * 300, "\x00", "\udcff"], ids=ascii)
def test_what_is_no_single_identifier_is_wrong_use(deployed: Deployment, subject: Path, content: str) -> None:
    subject.write_bytes(content.encode(errors="surrogateescape"))
    before = deployed.entries()
    result = quick("audit", "search", "--subject-file", str(subject), *deployed.config)
    assert result.exit_code == 2
    assert LAN not in result.output
    assert deployed.entries() == before
    assert quick("audit", "search", "--subject-file", str(subject), "--as", "x", *deployed.config).exit_code == 2


def test_filters_and_days_in_vietnam(deployed: Deployment, subject: Path) -> None:
    # 23:30 in Vietnam is still the day before in UTC, 00:30 is.
    times = [datetime(2026, 11, 20, 16, 30, tzinfo=UTC), datetime(2026, 11, 20, 17, 30, tzinfo=UTC)]
    first = recorded(deployed, [exchange(LAN, at=at) for at in times])[0].index
    about = ("--subject-file", str(subject), *deployed.config)
    assert numbers(*about, "--from", "2026-11-20", "--to", "2026-11-20") == [first]
    assert numbers(*about, "--from", "2026-11-21", "--to", "2026-11-21") == [first + 1]
    assert numbers("--from", "2026-11-20T17:30:00Z", "--to", "2026-11-20T17:30:01Z", *deployed.config) == [first + 1]
    assert deployed.entries()[-1]["details"]["filters"] == {
        "since": "2026-11-20T17:30:00.000000Z",
        "before": "2026-11-20T17:30:01.000000Z",
    }
    chosen = ("--client", "ministry", "--database", "population", "--outcome", "ok", *deployed.config)
    assert numbers(*chosen) == [first, first + 1]
    assert numbers(*chosen, "--limit", "1") == [first]
    assert numbers(*chosen, "--limit", "1", "--after", str(first)) == [first + 1]
    assert numbers(*chosen, "--purpose", "inspection") == []
    plain = quick("audit", "search", *chosen, "--limit", "1")
    assert f"--after {first}" in plain.stdout


def test_nothing_is_found_without_a_record_of_it(deployed: Deployment, subject: Path) -> None:
    recorded(deployed, [exchange(LAN)])
    (deployed.directory / "keys" / "log.0001.key").unlink()
    result = quick("audit", "search", "--subject-file", str(subject), "--json", *deployed.config)
    assert (result.exit_code, result.stdout) == (1, "")


def test_proofs_are_checked_by_outsiders(deployed: Deployment, tmp_path: Path) -> None:
    key = key_file(deployed, tmp_path)
    receipt = recorded(deployed, [exchange(LAN), exchange(MINH)])[0]
    file = tmp_path / "evidence.json"
    for arguments in ([], ["--size", str(receipt.size)]):
        file.write_text(quick("audit", "prove", str(receipt.index), *arguments, *deployed.config).stdout)
        assert any(f"entry {receipt.index} stands" in text for _, text in checked(file, key))
    assert json.loads(file.read_text())["size"] == receipt.size
    assert deployed.entries()[-1]["details"] | {"by": ""} == {
        "action": "audit-prove",
        "by": "",
        "entries": [receipt.index],
        "receipt": False,
    }
    full = printed("audit", "prove", str(receipt.index), "--receipt", *deployed.config)
    file.write_text(json.dumps({"data": ANSWER, "receipt": full}))
    assert ("holds", "data: the content that the entry commits to") in checked(file, key)
    missing = quick("audit", "prove", "99", *deployed.config)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert quick("audit", "prove", str(receipt.index), "--size", "1", *deployed.config).exit_code == 1


def test_checkpoints_are_public(deployed: Deployment, tmp_path: Path) -> None:
    before = deployed.entries()
    told = printed("audit", "checkpoint", *deployed.config)
    assert told["size"] == len(before)
    file = tmp_path / "checkpoint.txt"
    file.write_text(quick("audit", "checkpoint", *deployed.config).stdout, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == told["checkpoint"]
    assert checked(file, key_file(deployed, tmp_path))[0][0] == "holds"
    assert printed("audit", "checkpoint", "--size", "2", *deployed.config)["size"] == 2
    assert quick("audit", "checkpoint", "--size", "99", *deployed.config).exit_code == 1
    assert deployed.entries() == before


def test_redacted_entries_open_no_more_and_the_log_holds(deployed: Deployment, subject: Path) -> None:
    first = recorded(deployed, [exchange(LAN), exchange(LAN), exchange(MINH)])[0].index
    before = deployed.entries()
    refused = quick("audit", "redact", str(first), "99", "--reason", "court order", *deployed.config)
    assert refused.exit_code == 1
    assert "99" in refused.stderr
    assert deployed.entries() == before
    done = printed("audit", "redact", str(first), str(first), "--reason", "court order", *deployed.config)
    assert done == [{"index": first, "recorded_as": first + 3}]
    told = deployed.entries()[-1]
    assert told["kind"] == "redaction"
    details = told["details"]
    assert (details["action"], details["index"], details["reason"]) == ("audit-redact", first, "court order")
    assert details.keys() == {"action", "by", "hash", "index", "reason"}
    about = ("--subject-file", str(subject), "--kind", "exchange", *deployed.config)
    assert numbers(*about) == [first + 1]
    assert printed("audit", "show", str(first), *deployed.config)[0]["redacted"]
    assert printed("audit", "verify", "--values", *deployed.config)["valid"]
    assert quick("audit", "redact", str(first), "--reason", "again", *deployed.config).exit_code == 1


def test_values_are_recomputed_where_they_are_asked_for(deployed: Deployment) -> None:
    event = exchange(LAN, MINH, officer="001090000033", archive=True)
    (receipt,) = recorded(deployed, [event])
    assert event.data == canonical(ANSWER)
    plain = printed("audit", "verify", *deployed.config)
    assert "opened" not in plain
    whole = printed("audit", "verify", "--values", *deployed.config)
    # Two persons, the officer, the archived data.
    assert (whole["valid"], whole["opened"], whole["recomputed"]) == (True, 1, 4)
    # What plain verification does not look into.
    (slots,) = (deployed.directory / "vault").glob("20*.slots")
    slots.write_bytes(bytes(slots.stat().st_size))
    assert printed("audit", "verify", *deployed.config)["valid"]
    assert printed("audit", "verify", "--values", *deployed.config, code=1)["first_bad"] == receipt.index
