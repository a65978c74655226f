"""`lgsp audit archive`: old entries in files, the log whole without them, and said where they are."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.settings import load
from schemas.ids import new_id
from security.audit.assembly import open_log
from security.audit.entries import Subject
from security.keys import KeyRing
from sync.database import open_storage
from tests.test_audit.audit_world import evidence
from tests.test_commands.conftest import printed, quick
from tests.test_commands.exchanged import checked

LAN = "001090123456"
OLD = datetime(2024, 5, 2, 3, tzinfo=UTC)


@pytest.fixture
def at(tmp_path: Path) -> tuple[str, str]:
    """A deployment whose log began long ago."""
    config = tmp_path / "gateway.toml"
    config.write_text('[storage]\nurl = "sqlite:///lgsp.sqlite"\n', encoding="utf-8")
    options = ("--config", str(config))
    assert quick("keys", "rotate", "log", *options).exit_code == 0
    assert quick("storage", "upgrade", *options).exit_code == 0

    async def fill() -> None:
        settings = load(config)
        storage = await open_storage(settings.storage.url)
        log = await open_log(storage, KeyRing(settings.keys.directory), settings.keys.origin, settings.keys.vault)
        for day in range(3):
            event = replace(evidence(at=OLD.replace(day=2 + day)), subjects=[Subject("asked", "personal-id", LAN)])
            await asyncio.gather(*(log.record(replace(event, id=new_id())) for _ in range(5)))
        await log.close()
        await storage.close()

    asyncio.run(fill())
    return options


def test_a_period_is_moved_and_the_rest_holds(at: tuple[str, str], tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (moved,) = printed("audit", "archive", "--before", "2024-05-04", "--out", str(shelf), *at)
    assert (moved["first"], moved["last"], moved["recorded_as"]) == (0, 9, 15)
    assert Path(moved["file"]).name == "audit-0-10.zip"
    (act,) = printed("audit", "show", "15", *at)
    details = act["entry"]["details"]
    assert (details["action"], details["before"], details["sha256"]) == ("audit-archive", "2024-05-04", moved["sha256"])
    assert details["by"]
    verdict = printed("audit", "verify", *at)
    assert (verdict["valid"], verdict["archived"], verdict["verified_in_archives"]) == (True, 10, 0)
    assert "--archive DIR" in quick("audit", "verify", *at).stdout
    verdict = printed("audit", "verify", "--values", *at)
    assert (verdict["valid"], verdict["opened"], verdict["openings"]) == (True, 5, 15)
    assert "10 of 15 openings were not opened" in quick("audit", "verify", "--values", *at).stdout
    verdict = printed("audit", "verify", "--values", "--archive", str(shelf), *at)
    assert (verdict["valid"], verdict["verified_in_archives"]) == (True, 10)
    assert (verdict["opened"], verdict["openings"]) == (15, 15)
    assert "not opened" not in quick("audit", "verify", "--values", "--archive", str(shelf), *at).stdout
    gone = quick("audit", "show", "3", *at)
    assert gone.exit_code == 1
    assert "audit-0-10.zip" in gone.stderr
    assert printed("audit", "prove", "3", *at)["index"] == 3
    person = tmp_path / "person"
    person.write_text(LAN, encoding="utf-8")
    found = printed("audit", "search", "--subject-file", str(person), *at)
    told = [each["entry"].get("archived") for each in found]
    assert told == ["audit-0-10.zip"] * 10 + [None] * 5
    assert quick("audit", "archive", "--before", "2024-05-04", "--out", str(shelf), *at).stdout.startswith("nothing")

    asked = ("--subject-file", str(person), "--from", "2024-05-01", "--to", "2024-05-30", "--reason", "inspection")
    report = quick("audit", "report", *asked, "--out", str(tmp_path / "no.zip"), *at)
    assert report.exit_code == 1
    assert "audit-0-10.zip" in report.stderr
    config = Path(at[1])
    config.write_text(config.read_text(encoding="utf-8") + '[audit]\narchives = "shelf"\n', encoding="utf-8")
    assert printed("audit", "show", "3", *at)[0]["entry"]["kind"] == "exchange"
    assert "1 archives are there, 1 of them compared [archives-hold]" in quick("doctor", *at).stdout
    assert quick("audit", "report", *asked, "--out", str(tmp_path / "report.zip"), *at).exit_code == 0
    bundle = ("--out", str(tmp_path / "bundle.zip"), "--reason", "complaint 12 of 2026")
    assert quick("audit", "bundle", "3", *bundle, *at).exit_code == 0
    assert printed("audit", "export", "--from", "2", "--out", str(tmp_path / "export.zip"), *at)["first"] == 2
    key = tmp_path / "log.vkey"
    lines = [each["verifier_key"] for each in printed("keys", "export", *at)["log"]]
    key.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for made in ("report.zip", "bundle.zip", "export.zip"):
        checked(tmp_path / made, key)
    Path(moved["file"]).unlink()
    assert "audit-0-10.zip is missing: entries 0 to 9 [archive-missing]" in quick("doctor", *at).stdout
    refused = quick("audit", "export", "--out", str(tmp_path / "none.zip"), *at)
    assert (refused.exit_code, "audit-0-10.zip" in refused.stderr) == (1, True)


def test_what_is_still_needed_is_kept_and_nothing_is_moved_into_nowhere(at: tuple[str, str], tmp_path: Path) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    refused = quick("audit", "archive", "--before", today, "--out", str(tmp_path), *at)
    assert refused.exit_code == 2
    assert "audit.keep_days" in refused.stderr
    assert quick("audit", "archive", "--before", "yesterday", "--out", str(tmp_path), *at).exit_code == 2
    assert quick("audit", "archive", "--before", "2024-05-04", "--out", str(tmp_path / "none"), *at).exit_code == 2
    assert printed("audit", "verify", *at)["entries"] == 15


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_an_archive_that_never_ends_cannot_be_verified(at: tuple[str, str], tmp_path: Path, kind: str) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (moved,) = printed("audit", "archive", "--before", "2024-05-04", "--out", str(shelf), *at)
    file = Path(moved["file"])
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    verdict = printed("audit", "verify", "--archive", str(shelf), *at, code=1)
    (found,) = verdict["findings"]
    assert found["what"] == "the archive audit-0-10.zip cannot be verified: it is no regular file"
    config = Path(at[1])
    config.write_text(config.read_text(encoding="utf-8") + '[audit]\narchives = "shelf"\n', encoding="utf-8")
    assert "audit-0-10.zip" in quick("audit", "show", "3", *at).stderr
