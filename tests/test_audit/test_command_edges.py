"""`lgsp audit` where numbers are too large, files are nested too deep, and the database is damaged."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import load
from security.audit.assembly import open_log
from security.keys import KeyRing
from sync.database import open_storage
from tests.test_audit.audit_world import evidence
from tests.test_commands.conftest import printed, quick

WHY = ("--reason", "complaint 12 of 2026")
BEYOND = str(2**64)


@pytest.fixture
def at(tmp_path: Path) -> tuple[str, str]:
    """A deployment whose log has one commit of one entry and one of eight."""
    config = tmp_path / "gateway.toml"
    config.write_text('[storage]\nurl = "sqlite:///lgsp.sqlite"\n', encoding="utf-8")
    options = ("--config", str(config))
    assert quick("keys", "rotate", "log", *options).exit_code == 0
    assert quick("storage", "upgrade", *options).exit_code == 0

    async def fill() -> None:
        settings = load(config)
        storage = await open_storage(settings.storage.url)
        log = await open_log(storage, KeyRing(settings.keys.directory), settings.keys.origin, settings.keys.vault)
        await log.record(evidence())
        for taken in await log.record_together([evidence() for _ in range(8)], lambda *given: [None] * len(given[2])):
            assert not isinstance(taken, BaseException)
        await log.close()
        await storage.close()

    asyncio.run(fill())
    return options


def test_on_record_is_what_an_export_shows(at: tuple[str, str], tmp_path: Path) -> None:
    made = printed("audit", "export", "--to", "2", "--out", str(tmp_path / "export.zip"), *at)
    # What no checkpoint covers proves nothing: it goes on to the end of that commit.
    assert (made["first"], made["last"]) == (0, 8)
    (told,) = printed("audit", "show", "9", *at)
    details = told["entry"]["details"]
    assert (details["action"], details["first"], details["last"]) == ("audit-export", 0, 8)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", BEYOND),
        ("prove", BEYOND),
        ("prove", "0", "--size", BEYOND),
        ("bundle", BEYOND, "--closed", "--out", "NEW"),
        ("redact", "0", BEYOND, *WHY),
        ("search", "--after", BEYOND),
        ("checkpoint", "--size", BEYOND),
        ("export", "--to", "9" * 5000, "--out", "NEW"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_numbers_that_no_database_keeps_are_wrong_use(
    at: tuple[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    new = tmp_path / "new.zip"
    result = quick("audit", *(str(new) if each == "NEW" else each for each in arguments), *at)
    assert (result.exit_code, new.exists()) == (2, False), result.output


def test_an_answer_that_is_nested_too_deep_is_wrong_use(at: tuple[str, str], tmp_path: Path) -> None:
    deep, new = tmp_path / "deep.json", tmp_path / "new.zip"
    deep.write_text("[" * 100_000 + "]" * 100_000, encoding="utf-8")
    result = quick("audit", "bundle", "0", "--data", str(deep), *WHY, "--out", str(new), *at)
    assert (result.exit_code, new.exists()) == (2, False), result.output
    assert "as it was received" in result.stderr


@pytest.mark.parametrize("name", ["audit_entries", "sqlite_autoindex_audit_witnessed_1"])
def test_what_was_found_is_told_where_a_damaged_file_cannot_be_compared(
    at: tuple[str, str], tmp_path: Path, name: str
) -> None:
    held, database, config = tmp_path / "held", tmp_path / "lgsp.sqlite", tmp_path / "gateway.toml"
    held.mkdir()
    note = printed("audit", "checkpoint", *at)["checkpoint"]
    (held / f"{9:020}.checkpoint").write_text(note, encoding="utf-8")
    witness = f'[witness.w]\nkind = "directory"\npath = "{held}"\n'
    config.write_text(config.read_text(encoding="utf-8") + witness, encoding="utf-8")
    beside = ("--against", "w", *at)
    assert printed("audit", "verify", *beside)["against"][0]["agrees_up_to"] == 9
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = connection.execute(root, (name,)).fetchone()
    raw = database.read_bytes()
    begin = (page - 1) * 4096
    database.write_bytes(raw[:begin] + b"\xff" * 4096 + raw[begin + 4096 :])
    verdict = printed("audit", "verify", *beside, code=1)
    assert any("damaged" in each["what"] for each in verdict["findings"])
    assert verdict["against"] == [{"witness": "w", "not_compared": "the file of the database is damaged"}]
