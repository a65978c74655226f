"""What operators are told of witnesses: `lgsp check`, `lgsp doctor`, `/readyz`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import load
from routes.findings import Finding
from routes.readiness import health_checks
from routes.witness_findings import witness_settings, witnesses
from security.audit.assembly import log_verifiers
from security.audit.witnessed import note_standing
from security.keys import KeyRing
from security.registry import ClientRegistry
from tests.test_witnesses.logs import MemoryLog
from tests.test_witnesses.sites import Site


async def told(site: Site) -> dict[str, Finding]:
    settings = load(site.file)
    return {found.subject.partition(".")[2]: found for found in await witnesses(settings, site.storage)}


async def readiness(site: Site) -> str | None:
    settings = load(site.file)
    registry = ClientRegistry(site.storage)
    checks = health_checks(settings, site.storage, KeyRing(settings.keys.directory), registry)
    (verdict,) = [await check.probe() for check in checks if check.name == "witnesses"]
    assert verdict.ok
    return verdict.hint


async def test_witnesses_that_agree_are_in_order(site: Site) -> None:
    await site.grow(3)
    found = await told(site)
    assert {name: (each.level, each.code) for name, each in found.items()} == {
        "office": ("ok", "witness-agrees"),
        "paper": ("ok", "witness-agrees"),
    }
    assert await readiness(site) is None


async def test_one_that_is_behind_for_too_long_is_a_warning(site: Site) -> None:
    await site.grow(1)
    await site.grow(1, shown=False)
    assert (await told(site))["office"].code == "witness-agrees"
    await site.storage.write(lambda connection: note_standing(connection, "office", behind_since=1, trouble="refused"))
    found = (await told(site))["office"]
    assert (found.level, found.code) == ("warning", "witness-behind")
    assert "refused" in found.text
    assert "has not witnessed the last 1 entries" in (await readiness(site) or "")


async def test_a_log_that_lost_its_end_is_a_problem_even_before_anybody_asked(site: Site) -> None:
    await site.grow(4)
    await site.forget(2)
    found = await told(site)
    for name in ("office", "paper"):
        assert (found[name].level, found[name].code) == ("problem", "witness-history")
        assert f"--against {name}" in (found[name].next or "")
    await site.grow(1)
    assert "holds another history" in (await readiness(site) or "")


async def test_one_that_does_not_answer_is_a_problem(site: Site) -> None:
    text = site.file.read_text().replace(load(site.file).witness["office"].url, "http://127.0.0.1:9")
    site.file.write_text(text.replace('path = "held"', 'path = "gone"'))
    found = await told(site)
    assert {each.code for each in found.values()} == {"witness-silent"}


async def test_a_rotated_key_breaks_nothing_in_its_overlap_and_is_told_behind_it(site: Site) -> None:
    await site.grow(2)
    ring = KeyRing(load(site.file).keys.directory)
    ring.rotate("log", overlap=timedelta(days=7))
    await site.grow(2)
    assert (await told(site))["office"].code == "witness-agrees"
    # Out of use at once: what is signed from now on no key signs that the witness knows.
    ring.rotate("log", overlap=timedelta(0))
    (site.directory / "keys" / "log.0001.key").rename(site.directory / "log.0001.key")
    await site.grow(1)
    found = (await told(site))["office"]
    assert (found.level, found.code) == ("problem", "witness-unknown-key")
    assert "`lgsp keys export log`" in (found.next or "")
    (site.directory / "log.0001.key").rename(site.directory / "keys" / "log.0001.key")
    site.known[:] = log_verifiers(KeyRing(ring.directory), load(site.file).keys.origin)
    await site.grow(1)
    assert (await told(site))["office"].code == "witness-agrees"
    assert (await site.verify("--against", "office", "--against", "paper"))[0] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('path = "held"', 'path = "gone"'), "is no directory"),
        (('key = "', 'key = "x'), "the key id does not belong"),
    ],
    ids=["no-directory", "wrong-key"],
)
async def test_settings_that_cannot_work_are_found(site: Site, change: tuple[str, str], said: str) -> None:
    assert [found.level for found in witness_settings(load(site.file))] == ["ok", "ok"]
    site.file.write_text(site.file.read_text().replace(*change))
    (found,) = [found for found in witness_settings(load(site.file)) if found.level == "problem"]
    assert said in found.text


async def test_a_foreign_file_in_the_directory_is_nothing(site: Site, tmp_path: Path) -> None:
    await site.grow(1)
    other = MemoryLog.of(9, origin="other.example/log")
    (tmp_path / "held" / f"{9:020d}.checkpoint").write_text(other.note())
    assert (await told(site))["paper"].code == "witness-agrees"
    await site.grow(1)
    assert (await site.verify("--against", "paper"))[0] == 0
