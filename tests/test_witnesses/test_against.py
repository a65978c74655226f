"""Forged histories, made with the log's true key, beside what witnesses hold: `lgsp audit verify --against`."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import create_engine
from typer.testing import CliRunner

from commands import app
from config.settings import load
from security.audit.comparing import Held, compare
from security.audit.witnessed import standing
from security.keys import KeyRing
from storage.metadata import METADATA
from sync.database import open_storage
from tests.test_witnesses.logs import MemoryLog
from tests.test_witnesses.sites import Site

WITNESSES = ("office", "paper")


async def test_a_true_log_agrees_with_every_way_of_naming_a_witness(site: Site) -> None:
    await site.grow(5)
    await site.grow(1, shown=False)
    settings = load(site.file)
    notes = site.directory / "notes.txt"
    notes.write_text("--\n".join(site.witness.after("lgsp.example/log", 0)))
    for name in ("office", "paper", settings.witness["office"].url, str(site.directory / "held"), str(notes)):
        code, shown = await site.verify("--against", name)
        assert (code, shown["valid"], shown["findings"]) == (0, True, [])
        (beside,) = shown["against"]  # type: ignore[misc]
        assert beside == {
            "witness": name,
            "checkpoints": 5,
            "newest": 5,
            "agrees_up_to": 5,
            "not_witnessed_yet": 1,
        }
    code, shown = await site.verify("--against", "office", "--against", "paper")
    assert (code, len(shown["against"])) == (0, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", WITNESSES)
async def test_a_truncated_log_verifies_by_itself_and_not_beside_a_witness(site: Site, name: str) -> None:
    await site.grow(6)
    await site.forget(4)
    assert (await site.verify())[0] == 0
    code, shown = await site.verify("--against", name)
    assert code == 1
    (found,) = shown["findings"]  # type: ignore[misc]
    assert (found["first"], found["last"]) == (4, 4)
    assert "ends at 4 entries" in found["what"]
    assert "up to entry 3 it agrees" in found["what"]


@pytest.mark.parametrize("name", WITNESSES)
async def test_an_older_copy_in_its_place_is_seen(site: Site, name: str) -> None:
    await site.grow(3)
    older = await site.copied()
    await site.grow(2)
    await site.storage.close()
    shutil.copy(older, site.directory / "lgsp.sqlite")
    for leftover in site.directory.glob("lgsp.sqlite-*"):
        leftover.unlink()
    site.storage = await open_storage(load(site.file).storage.url)
    assert (await site.verify())[0] == 0
    code, shown = await site.verify("--against", name)
    assert (code, shown["first_bad"]) == (1, 3)


@pytest.mark.parametrize("name", WITNESSES)
@pytest.mark.parametrize("regrown", [2, 9], ids=["shorter", "longer"])
async def test_a_fork_signed_with_the_true_key_is_placed_between_two_checkpoints(
    site: Site, name: str, regrown: int
) -> None:
    await site.grow(6)
    await site.forget(3)
    await site.grow(regrown, shown=False)
    assert (await site.verify())[0] == 0
    code, shown = await site.verify("--against", name)
    first = shown["findings"][0]  # type: ignore[index]
    # Entry 3 is the first that is another, and every size was witnessed.
    assert (code, shown["first_bad"], first["first"], first["last"]) == (1, 3, 3, 3)
    assert "rewritten, or forked" in first["what"]


async def test_a_gateway_on_a_forged_log_is_refused_and_says_so(site: Site) -> None:
    await site.grow(4)
    await site.forget(2)
    await site.grow(1)
    for name, code in (("office", "rollback"), ("paper", "rollback")):
        found = await site.storage.read(lambda connection, name=name: standing(connection, name))  # type: ignore[misc]
        assert found.trouble == code


async def test_another_key_of_the_log_is_a_finding(site: Site) -> None:
    await site.grow(3)
    for file in (site.directory / "keys").glob("log*"):
        file.unlink()
    KeyRing.create(site.directory / "others")
    for file in (site.directory / "others").glob("log*"):
        file.rename(site.directory / "keys" / file.name)
    for name in WITNESSES:
        code, shown = await site.verify("--against", name)
        told = " ".join(found["what"] for found in shown["findings"])  # type: ignore[attr-defined]
        assert code == 1
        assert f"witness {name} holds a checkpoint of 3 entries that no key of this log signed" in told


async def test_a_witness_that_cannot_be_asked_or_is_none(site: Site) -> None:
    await site.grow(2)
    code, shown = await site.verify("--against", "http://127.0.0.1:9/")
    (silent,) = shown["against"]  # type: ignore[misc]
    assert (code, shown["valid"], silent["witness"]) == (1, True, "http://127.0.0.1:9/")
    code, shown = await site.verify("--against", "nobody")
    assert (code, "office, paper" in str(shown["error"])) == (2, True)


async def test_what_was_kept_here_narrows_what_a_witness_shows_only_the_newest_of(site: Site) -> None:
    await site.grow(6)
    site.witness._memory.execute("DELETE FROM cosigned WHERE size < 6")
    await site.forget(2, heard=False)
    await site.grow(5, shown=False)
    code, shown = await site.verify("--against", "office")
    both = [(found["first"], found["last"]) for found in shown["findings"]]  # type: ignore[attr-defined]
    # What is left of it here is seen by itself too.
    assert (code, both) == (1, [(2, 2), (2, 2)])


async def test_restore_asks_the_witnesses(site: Site, tmp_path: Path) -> None:
    await site.grow(2)
    backup = tmp_path / "backup.lgsp"

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["storage", *arguments, "--config", str(site.file)])
        return result.exit_code, result.output

    assert (await asyncio.to_thread(run, "backup", str(backup)))[0] == 0
    await site.grow(2)
    # The database is lost, and with it what it knew: only witnesses tell that the backup is older than the log was.
    await site.storage.close()
    for file in site.directory.glob("lgsp.sqlite*"):
        file.unlink()
    code, said = await asyncio.to_thread(run, "restore", str(backup))
    assert (code, "entries are known to exist" in said) == (1, True), said
    code, said = await asyncio.to_thread(run, "restore", str(backup), "--even-if-older")
    assert code == 0, said
    site.storage = await open_storage(load(site.file).storage.url)
    assert (await site.verify("--against", "paper"))[0] == 1


def test_witnesses_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        METADATA.create_all(connection)
        true, other = MemoryLog.of(4), MemoryLog.of(4, "other ")
        held = [Held(true.checkpoint(4), "one"), Held(other.checkpoint(4), "two"), Held(true.checkpoint(4), "three")]
        found = compare(connection, held).found
    engine.dispose()
    assert [each.what.partition(" hold")[0] for each in found] == [
        "one and two",
        "the log ends at 0 entries, and one, two",
    ]


@pytest.mark.parametrize("status", [404, 400, 405])
async def test_a_witness_of_others_shows_its_newest(site: Site, status: int) -> None:
    await site.grow(3)
    witness, asked = site.witness, []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.endswith("/checkpoints"):
            return web.Response(status=status)
        return web.Response(text=witness.newest("lgsp.example/log"))

    app = web.Application()
    app.router.add_get("/some/where/{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/some/where"
    code, shown = await site.verify("--against", url)
    await runner.cleanup()
    assert (code, shown["against"][0]["agrees_up_to"]) == (0, 3)  # type: ignore[index]
    assert [path.rpartition("/")[2] for path in asked] == ["checkpoints", "checkpoint"]


@pytest.mark.parametrize(("change", "said"), [("none", "not cosigned by its key"), ("other", "does not hold")])
async def test_notes_that_a_configured_witness_did_not_cosign_are_not_its_word(
    site: Site, change: str, said: str
) -> None:
    await site.grow(2)
    note = site.witness.newest("lgsp.example/log") or ""
    text, _, lines = note.partition("\n\n")
    by_log, by_witness = lines.splitlines(keepends=True)
    spoilt = by_witness[:-8] + "AAAA" + by_witness[-4:]
    shown_note = f"{text}\n\n{by_log}" + ("" if change == "none" else spoilt)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=shown_note)

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    site.file.write_text(site.file.read_text().replace(load(site.file).witness["office"].url, url))
    code, shown = await site.verify("--against", "office")
    await runner.cleanup()
    (beside,) = shown["against"]  # type: ignore[misc]
    assert (code, beside.keys(), said in beside["not_compared"]) == (1, {"witness", "not_compared"}, True), shown


async def test_a_silent_witness_is_named_and_the_others_are_compared(site: Site) -> None:
    await site.grow(6)
    url = load(site.file).witness["office"].url
    site.file.write_text(site.file.read_text().replace(url, "http://127.0.0.1:9"))
    both = ("--against", "office", "--against", "paper")
    code, shown = await site.verify(*both)
    silent, beside = shown["against"]  # type: ignore[misc]
    assert (code, shown["valid"], shown["findings"]) == (1, True, [])
    assert (silent["witness"], silent.keys()) == ("office", {"witness", "not_compared"})
    assert (beside["witness"], beside["agrees_up_to"]) == ("paper", 6)
    told = await asyncio.to_thread(CliRunner().invoke, app, ["audit", "verify", "--config", str(site.file), *both])
    assert (told.exit_code, told.stderr) == (
        1,
        "lgsp: not compared with office: what it holds is not known; mend that, then run this again\n",
    )
    assert [line.split()[0] for line in told.stdout.splitlines() if "compared" in line or "agrees" in line] == [
        *("not_compared", "agrees_up_to"),
    ]
    # What the other shows is told all the same.
    await site.forget(4)
    code, shown = await site.verify(*both)
    (found,) = shown["findings"]  # type: ignore[misc]
    assert (code, found["first"], "ends at 4 entries" in found["what"]) == (1, 4, True), shown
    assert "not_compared" in shown["against"][0]  # type: ignore[index]


async def test_a_note_that_nobody_signed_is_told_and_not_believed(site: Site) -> None:
    await site.grow(2)
    (site.directory / "held" / f"{1:020d}-1.checkpoint").write_text(MemoryLog.of(1, "other ").note())
    code, shown = await site.verify("--against", "paper")
    (beside,) = shown["against"]  # type: ignore[misc]
    (told,) = beside["unusable"]
    assert (code, shown["valid"], shown["first_bad"], beside["agrees_up_to"]) == (1, True, None, 2)
    assert "paper holds a checkpoint of 1 entries that no key of this log signed" in told


async def test_bad_notes_of_a_file_are_not_blamed_on_the_log(site: Site) -> None:
    await site.grow(2)
    file = site.directory / "notes.txt"
    true = site.witness.after("lgsp.example/log", 0)
    spoilt = true[1].replace("lgsp.example/log\n2\n", "lgsp.example/log\n7\n", 1)
    foreign = MemoryLog.of(1, origin="other.example/log").note()
    cases = {
        "": f"nothing of this log in {file}",
        foreign: f"nothing of this log in {file}",
        "--\n".join((true[0], "what?\n")): "a note that cannot be read",
        "--\n".join((true[0], spoilt)): "a checkpoint of 7 entries that no key of this log signed",
        "--\n".join((foreign, true[0], MemoryLog.of(1, "other ").note())): "(note 3 there)",
    }
    for content, said in cases.items():
        file.write_text(content)
        code, shown = await site.verify("--against", "office", "--against", str(file))
        one, other = shown["against"]  # type: ignore[misc]
        assert (code, shown["valid"], shown["first_bad"], shown["findings"]) == (1, True, None, [])
        assert (one["agrees_up_to"], "unusable" in one) == (2, False)
        (told,) = other["unusable"]
        assert said in told
        assert str(file) in told
    command = ["audit", "verify", "--config", str(site.file), "--against", str(file)]
    told = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert (told.exit_code, told.stdout.count("cannot be used: ")) == (1, 1)
    assert told.stderr == (
        f"lgsp: what {file} holds cannot all be used, and shows nothing about the log; mend that, then run this again\n"
    )


async def test_restore_waits_for_a_witness_that_does_not_answer(site: Site, tmp_path: Path) -> None:
    await site.grow(1)
    backup = ["storage", "backup", str(tmp_path / "backup.lgsp"), "--config", str(site.file)]
    assert (await asyncio.to_thread(CliRunner().invoke, app, backup)).exit_code == 0
    site.file.write_text(site.file.read_text().replace(load(site.file).witness["office"].url, "http://127.0.0.1:9"))
    await site.storage.close()
    restore = ["storage", "restore", str(tmp_path / "backup.lgsp"), "--config", str(site.file)]
    refused = await asyncio.to_thread(CliRunner().invoke, app, restore)
    assert (refused.exit_code, "cannot be asked" in refused.output) == (2, True)
    done = await asyncio.to_thread(CliRunner().invoke, app, [*restore, "--even-if-older"])
    assert done.exit_code == 0, done.output
    site.storage = await open_storage(load(site.file).storage.url)
