"""`lgsp audit export / bundle`: what is written out is verified by the tool that outsiders have."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.test_commands.conftest import Deployment, printed, quick
from tests.test_commands.exchanged import ANSWER, LAN, MINH, WHY, checked, exchange, key_file, recorded

# Behind everything that the deployment itself recorded.
TIMES = [datetime(2087, 11, day, 5, tzinfo=UTC) for day in (20, 21, 22, 28)]


def opened(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as archive:
        if "openings.json" not in archive.namelist():
            return {}
        import base64

        listed: list[dict[str, str]] = json.loads(archive.read("openings.json"))["openings"]
        return {each["name"]: base64.b64decode(each["content"]).decode() for each in listed}


def manifest(file: Path) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        found: dict[str, Any] = json.loads(archive.read("manifest.json"))
        return found


@pytest.mark.parametrize(
    ("arguments", "entries"),
    [([], (0, 7)), (["--from", "1", "--to", "2"], (1, 2)), (["--from", "2087-11-21", "--to", "2087-11-21"], (5, 5))],
    ids=["whole", "numbers", "day"],
)
def test_an_export_holds_what_was_asked(
    deployed: Deployment, tmp_path: Path, arguments: list[str], entries: tuple[int, int]
) -> None:
    first = recorded(deployed, [exchange(LAN, at=at) for at in TIMES])[0]
    assert first.index == 4
    file = tmp_path / "export.zip"
    made = printed("audit", "export", "--out", str(file), *arguments, *deployed.config)
    assert (made["first"], made["last"]) == entries
    assert (manifest(file)["first"], manifest(file)["last"]) == (entries[0], entries[1] + 1)
    assert any("entries" in text for _, text in checked(file, key_file(deployed, tmp_path)))
    told = deployed.entries()[-1]
    assert (told["kind"], told["details"]["action"]) == ("reading", "audit-export")
    assert (told["details"]["first"], told["details"]["last"]) == entries
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_export_with_every_checkpoint(deployed: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "full.zip"
    printed("audit", "export", "--out", str(file), "--full", *deployed.config)
    assert ("holds", "checkpoints that agree with the entries: 4") in checked(file, key_file(deployed, tmp_path))


def test_what_is_there_is_not_overwritten_and_what_fails_leaves_nothing(deployed: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "export.zip"
    file.write_text("mine", encoding="utf-8")
    refused = quick("audit", "export", "--out", str(file), *deployed.config)
    assert (refused.exit_code, file.read_text(encoding="utf-8")) == (2, "mine")
    other = tmp_path / "none.zip"
    assert quick("audit", "export", "--out", str(other), "--from", "99", *deployed.config).exit_code == 1
    assert quick("audit", "bundle", "99", "--closed", "--out", str(other), *deployed.config).exit_code == 1
    assert not other.exists()


def test_a_bundle_opens_what_is_known(deployed: Deployment, tmp_path: Path) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN, MINH, archive=True)])
    file = tmp_path / "bundle.zip"
    about = (str(receipt.index), "--out", str(file), *WHY, *deployed.config)
    made = printed("audit", "bundle", *about)
    assert set(made["opened"]) == {"data", "subjects/0", "subjects/1"}
    assert json.loads(opened(file)["data"]) == ANSWER
    assert (opened(file)["subjects/0"], opened(file)["subjects/1"]) == (LAN, MINH)
    facts = checked(file, key_file(deployed, tmp_path))
    assert {("holds", f"{name}: the content that the entry commits to") for name in made["opened"]} <= set(facts)
    told = deployed.entries()[-1]
    details = told["details"]
    assert (details["action"], details["entries"]) == ("audit-bundle", [receipt.index])
    assert (details["reason"], set(details["opened"])) == ("complaint 12 of 2026", set(made["opened"]))
    # Whose values were opened is found under each of them.
    assert [each["role"] for each in told["subjects"]] == ["disclosed", "disclosed"]


def test_nothing_is_opened_without_a_reason(deployed: Deployment, tmp_path: Path) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN, MINH, provable=True)])
    answer, subject, file = tmp_path / "answer.json", tmp_path / "subject.txt", tmp_path / "bundle.zip"
    answer.write_text(json.dumps(ANSWER), encoding="utf-8")
    subject.write_text(LAN, encoding="utf-8")
    about, before = (str(receipt.index), "--out", str(file), *deployed.config), deployed.entries()
    for arguments in ((), ("--subject-file", str(subject)), ("--data", str(answer)), ("--field", "/full_name")):
        refused = quick("audit", "bundle", *about, *arguments)
        assert (refused.exit_code, file.exists()) == (2, False), arguments
        assert "--reason" in refused.stderr
    assert deployed.entries() == before


def test_one_person_is_proven_without_the_others(deployed: Deployment, tmp_path: Path) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN, MINH, archive=True)])
    subject, file = tmp_path / "subject.txt", tmp_path / "bundle.zip"
    subject.write_text(MINH, encoding="utf-8")
    about = (str(receipt.index), "--subject-file", str(subject), *WHY, *deployed.config)
    printed("audit", "bundle", *about, "--out", str(file))
    assert opened(file) == {"subjects/1": MINH}
    checked(file, key_file(deployed, tmp_path))
    assert [each["role"] for each in deployed.entries()[-1]["subjects"]] == ["asked", "asked"]
    subject.write_text("001090000033", encoding="utf-8")
    other = tmp_path / "other.zip"
    refused = quick("audit", "bundle", *about, "--out", str(other))
    assert refused.exit_code == 1
    assert "somebody else" in refused.stderr
    assert not other.exists()
    guess = deployed.entries()[-1]
    assert (guess["details"]["opened"], len(guess["subjects"])) == ([], 2)


@pytest.mark.parametrize("whole", [True, False], ids=["answer", "data"])
def test_an_answer_that_somebody_kept_is_opened(deployed: Deployment, tmp_path: Path, whole: bool) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN)])
    answer, file = tmp_path / "answer.json", tmp_path / "bundle.zip"
    answer.write_text(json.dumps({"data": ANSWER, "receipt": {}} if whole else ANSWER), encoding="utf-8")
    about = (str(receipt.index), "--data", str(answer), *WHY, *deployed.config)
    printed("audit", "bundle", *about, "--out", str(file))
    assert set(opened(file)) == {"data"}
    checked(file, key_file(deployed, tmp_path))
    answer.write_text(json.dumps(ANSWER | {"full_name": "Nguyễn Thị Hoa"}), encoding="utf-8")
    refused = quick("audit", "bundle", *about, "--out", str(tmp_path / "other.zip"))
    assert refused.exit_code == 1
    assert "data: this is not what the entry commits to" in refused.stderr
    answer.write_text("<xml/>", encoding="utf-8")
    assert quick("audit", "bundle", *about, "--out", str(tmp_path / "other.zip")).exit_code == 2


def test_a_bundle_says_what_it_does_not_have(deployed: Deployment, tmp_path: Path) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN)])
    key = key_file(deployed, tmp_path)
    about = (str(receipt.index), *deployed.config)
    closed = tmp_path / "closed.zip"
    printed("audit", "bundle", *about, "--closed", "--out", str(closed))
    assert opened(closed) == {}
    assert ("note", "the bundle says that it has no openings.json: nothing was to be opened") in checked(closed, key)
    printed("audit", "redact", str(receipt.index), "--reason", "court order", *deployed.config)
    redacted = tmp_path / "redacted.zip"
    assert printed("audit", "bundle", *about, *WHY, "--out", str(redacted))["absent"]["openings.json"] == "redacted"
    checked(redacted, key)
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(ANSWER), encoding="utf-8")
    refused = quick("audit", "bundle", *about, *WHY, "--data", str(answer), "--out", str(tmp_path / "none.zip"))
    assert refused.exit_code == 1
