"""A witness that holds nothing: not asked yet, or what it said was taken away, which our own account shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, delete, update
from typer.testing import CliRunner

from commands import app
from security.audit.witnessed import WITNESSED, WITNESSES, note_standing
from tests.test_witnesses.authority import Authority, an_authority, answering
from tests.test_witnesses.sites import Site

NAMES = ("office", "paper", "tsa")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return an_authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture
async def authority(site: Site, made: Authority) -> AsyncIterator[Authority]:
    """One that is a witness of the site."""
    made.spoil = bytes
    async with answering(made):
        text = f'[witness.tsa]\nkind = "rfc3161"\nurl = "{made.url}"\nanchors = ["{made.anchor}"]\n'
        site.file.write_text(site.file.read_text() + text)
        yield made


async def emptied(site: Site, name: str, *, above: int = 0, account: bool = False) -> None:
    """Take away what a witness holds and said of more than so many entries, and the account of it too."""

    def clear(connection: Connection) -> None:
        connection.execute(delete(WITNESSED).where(WITNESSED.c.witness == name, WITNESSED.c.size > above))
        if account:
            connection.execute(delete(WITNESSES).where(WITNESSES.c.name == name))

    await site.storage.write(clear)
    if name == "paper":
        for file in (site.directory / "held").glob("*.checkpoint"):
            if int(file.stem) > above:
                file.unlink()
    elif name == "office":
        site.witness._memory.execute("DELETE FROM cosigned WHERE size > ?", (above,))


async def told(site: Site, *names: str) -> tuple[int, str, str]:
    command = ["audit", "verify", "--config", str(site.file)]
    for name in names:
        command += ["--against", name]
    result = await asyncio.to_thread(CliRunner().invoke, app, command)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("name", NAMES)
async def test_who_was_not_asked_yet_is_named_and_the_log_not_blamed(
    site: Site, authority: Authority, name: str
) -> None:
    await site.grow(2, shown=False)
    code, shown = await site.verify("--against", name)
    assert (code, shown["valid"], shown["first_bad"], shown["findings"]) == (1, True, None, [])
    (beside,) = shown["against"]  # type: ignore[misc]
    assert beside == {
        "witness": name,
        "checkpoints": 0,
        "newest": None,
        "agrees_up_to": 0,
        "not_witnessed_yet": 2,
        "unusable": [f"nothing of this log in {name} yet"],
    }
    code, out, err = await told(site, name)
    assert (code, out.count(f"cannot be used: nothing of this log in {name} yet\n")) == (1, 1)
    assert err == (
        f"lgsp: nothing of this log that can be used in {name}: nothing is shown about it; "
        "mend that, then run this again\n"
    )
    # Asked once, it is compared.
    await site.grow(1)
    code, shown = await site.verify("--against", name)
    assert (code, shown["against"][0]["agrees_up_to"]) == (0, 3)  # type: ignore[index]


async def test_who_was_asked_and_gave_nothing_is_named_beside_those_that_agree(
    site: Site, authority: Authority
) -> None:
    authority.spoil = lambda _: b""
    await site.grow(2)
    code, shown = await site.verify("--against", "tsa", "--against", "office")
    assert (code, shown["valid"], shown["findings"]) == (1, True, [])
    empty, beside = shown["against"]  # type: ignore[misc]
    assert (empty["unusable"], beside["agrees_up_to"]) == (["nothing of this log in tsa yet"], 2)
    # A log that does not hold is blamed all the same.
    await site.forget(1, heard=False)
    code, shown = await site.verify("--against", "tsa", "--against", "office")
    assert (code, shown["valid"], shown["first_bad"]) == (1, False, 1)


@pytest.mark.parametrize("name", NAMES)
async def test_words_that_were_taken_away_do_not_look_like_never_asked(
    site: Site, authority: Authority, name: str
) -> None:
    await site.grow(4)
    await emptied(site, name, above=2)
    assert (await site.verify())[0] == 0
    code, shown = await site.verify("--against", name)
    (found,) = shown["findings"]  # type: ignore[misc]
    assert (code, shown["valid"], found["first"], found["last"]) == (1, False, 2, 3)
    assert found["what"] == (
        f"{name} had witnessed 4 entries (audit_witnesses says so), and what it said of more than 2 is not here: "
        "it was taken away"
    )
    await emptied(site, name)
    code, shown = await site.verify("--against", name)
    (found,) = shown["findings"]  # type: ignore[misc]
    assert (code, found["first"], found["last"]) == (1, 0, 3)
    assert "nothing that it said is here: it was taken away" in found["what"]
    assert "unusable" not in shown["against"][0]  # type: ignore[index]


async def test_what_a_witness_holds_itself_is_not_missed_here(site: Site) -> None:
    await site.grow(4)
    await site.storage.write(lambda connection: connection.execute(delete(WITNESSED)))
    for name in ("office", "paper"):
        code, shown = await site.verify("--against", name)
        assert (code, shown["against"][0]["agrees_up_to"]) == (0, 4)  # type: ignore[index]


async def test_words_that_were_spoilt_are_not_said_to_be_gone(site: Site, authority: Authority) -> None:
    await site.grow(2)
    spoilt = update(WITNESSED).where(WITNESSED.c.witness == "tsa").values(token=b"x")
    await site.storage.write(lambda connection: connection.execute(spoilt))
    code, shown = await site.verify("--against", "tsa")
    said = [found["what"] for found in shown["findings"]]  # type: ignore[attr-defined]
    assert (code, any("time-stamp that does not hold" in each for each in said)) == (1, True)
    assert not any("taken away" in each for each in said)


async def test_the_log_itself_says_how_far_a_witness_had_come(site: Site, authority: Authority) -> None:
    await site.grow(2)
    long_ago = {"behind_since": 1}
    await site.storage.write(lambda connection: note_standing(connection, "tsa", **long_ago))
    # It is told to be silent (entry 3), and back after it was asked (entry 4).
    await site.grow(1)
    await emptied(site, "tsa", account=True)
    assert (await site.verify())[0] == 0
    code, shown = await site.verify("--against", "tsa")
    (found,) = shown["findings"]  # type: ignore[misc]
    assert (code, found["first"]) == (1, 0)
    assert f"tsa had witnessed {found['last'] + 1} entries (entry 4 says so), and nothing" in found["what"]
    # Another one is not meant by it.
    site.file.write_text(site.file.read_text().replace("[witness.tsa]", "[witness.tsb]"))
    code, shown = await site.verify("--against", "tsb")
    assert (code, shown["valid"]) == (1, True)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_witnesses SET size = 'x'",
        "UPDATE audit_witnesses SET size = 1.5",
        "UPDATE audit_witnessed SET size = 'x' WHERE size = 2",
        "UPDATE audit_entries SET kind = 'admin', body = x'5b5d'",
        "UPDATE audit_entries SET kind = 'admin', body = 'x'",
        "UPDATE audit_entries SET kind = 'admin', body = 7, leaf = 7",
        "UPDATE audit_entries SET kind = 'admin', body = CAST(x'80ff' AS TEXT)",
        "UPDATE audit_entries SET kind = 'admin', body = CAST('{\"details\":5}' AS BLOB)",
    ],
)
async def test_a_broken_account_hides_no_verdict(site: Site, change: str) -> None:
    await site.grow(2)
    await site.storage.write(lambda connection: connection.exec_driver_sql(change))
    by_itself, alone = await site.verify()
    code, shown = await site.verify("--against", "office")
    both = [[each["what"] for each in found["findings"]] for found in (alone, shown)]  # type: ignore[attr-defined]
    assert (code, {*both[0]} - {*both[1]}) == (by_itself, set()), shown
    assert not any("taken away" in what for what in both[1])
