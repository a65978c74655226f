"""What exactly verification says of checkpoints and of what witnesses saw: missing ones, others, those beyond."""

import sqlite3
from pathlib import Path

import pytest

from security.audit.merkle import Frontier
from storage.sqlite import plain
from tests.test_audit.audit_world import a_signer
from tests.test_tampering.plain_logs import AT, plain_log
from tests.test_tampering.test_signed import WITNESS, cosign, verdict
from tests.test_tampering.test_verdicts import Told, forge, sql, told

SIZE = 600
COPY = "INSERT INTO audit_checkpoints SELECT {0}, note FROM audit_checkpoints WHERE size = 10"
WORD = "INSERT INTO audit_witnessed SELECT {0}, 'other', note, NULL, 0 FROM audit_checkpoints WHERE size = 10"


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two complete tiles and some entries; a witness saw the trees of 4 and of 300 entries."""
    path = plain_log(tmp_path_factory.mktemp("signed") / "gateway.db", SIZE, [1, 2, 3, 4, 5, 10, 300, 512, SIZE])
    with plain(path) as connection:
        for size in (4, 300):
            cosign(connection, size)
    return path


def lost(sizes: str) -> str:
    return f"DELETE FROM audit_checkpoints WHERE size {sizes}"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([lost("= 1")], [(0, 0, "the checkpoint of 1 entries is missing: entries 0 to 1 are signed only together")]),
        (
            [lost("= 10")],
            [(9, 9, "the checkpoint of 10 entries is missing: entries 5 to 299 are signed only together")],
        ),
        (
            [lost("IN (3, 4, 300)")],
            [
                (2, 3, "2 checkpoints of 3 to 4 are missing: entries 2 to 4 are signed only together"),
                (299, 299, "the checkpoint of 300 entries is missing: entries 10 to 511 are signed only together"),
            ],
        ),
        (
            [lost("> 10")],
            [
                (10, 599, "no checkpoint covers these entries"),
                (299, 511, "2 checkpoints of 300 to 512 are missing: entries 10 to 599 are signed only together"),
            ],
        ),
        ([lost("= 600")], [(512, 599, "no checkpoint covers these entries")]),
        # Where the end is missing, the checkpoint over what is left went with it.
        ([lost("= 600"), "UPDATE audit_head SET size = 601"], [(600, 600, "the head says 601 entries, there are 600")]),
    ],
)
def test_missing_checkpoints(log: Path, statements: list[str], expected: Told) -> None:
    assert told(log, sql(*statements)) == expected


@pytest.mark.parametrize(("copy", "name"), [(COPY, "a checkpoint"), (WORD, "what a witness saw")])
def test_what_was_signed_of_trees_that_there_are_not(log: Path, copy: str, name: str) -> None:
    def of(*sizes: int, first: str = "") -> Told:
        return told(log, sql(*filter(None, [first]), *(copy.format(size) for size in sizes)))

    def exists(first: int, last: int, size: int) -> tuple[int, int, str]:
        return first, last, f"{name} of {size} entries exists"

    # A word of a tree of the first page was read with it.
    within = [] if copy == WORD else [(600, 600, f"{name} belongs to no entries, 1 times")]
    stray = (600, 600, f"{name} belongs to no entries, 1 times")
    assert of(601) == [exists(600, 600, 601), *within]
    assert of(5000) == [stray, exists(600, 4999, 5000)]
    assert of(0) == [exists(0, 600, 0), stray]
    assert of(-5) == [exists(0, 600, -5), stray]
    assert of(5000, 5001) == [(600, 600, f"{name} belongs to no entries, 2 times"), exists(600, 4999, 5000)]
    assert of(601, first=lost("= 600")) == [exists(600, 600, 601), *within]
    assert of(0, first=lost("= 600")) == [exists(0, 600, 0), (512, 599, "no checkpoint covers these entries"), stray]


def elsewhere(size: int, *, cosigned: bool = True) -> str:
    """A checkpoint of another tree that the log signed, and a witness too."""
    note = a_signer().sign(size, bytes(32))
    return note + WITNESS.sign(note.partition("\n\n")[0] + "\n", 1_800_000_000) if cosigned else note


def swap(size: int) -> str:
    return f"INSERT OR REPLACE INTO audit_witnessed VALUES ({size}, 'witness', '{elsewhere(size)}', NULL, 0)"


SAW = "the tree of {0} entries is not the one that witness saw"
ANEW = SAW + ": the log was built and signed anew after that"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([swap(600)], [(300, 599, ANEW.format(600))]),
        ([swap(600), lost("= 600")], [(300, 599, SAW.format(600)), (512, 599, "no checkpoint covers these entries")]),
        ([swap(5)], [(4, 4, ANEW.format(5))]),
        # Every tree behind contains it.
        ([swap(5), swap(10), swap(512)], [(4, 4, ANEW.format(5))]),
        ([swap(1)], [(0, 0, ANEW.format(1))]),
    ],
)
def test_a_witness_saw_another_tree(log: Path, statements: list[str], expected: Told) -> None:
    assert told(log, sql(*statements)) == expected


def test_behind_a_word_about_part_of_an_entry_the_others_are_heard(log: Path) -> None:
    part = "INSERT INTO audit_witnessed SELECT 4.5, 'w', note, NULL, 0 FROM audit_checkpoints WHERE size = 4"
    found = told(log, sql(part, swap(512)))
    assert found == [(4, 4, "what w saw is of 4.5 entries"), (300, 511, ANEW.format(512))]


def test_who_signs_anew_and_forgets_a_tile_is_seen_at_the_entry(log: Path) -> None:
    def work(connection: sqlite3.Connection) -> None:
        forge(connection, 7)
        signed = {size for (size,) in connection.execute("SELECT size FROM audit_checkpoints")}
        tree = Frontier()
        for (leaf,) in connection.execute("SELECT leaf FROM audit_entries ORDER BY idx").fetchall():
            tree.append(leaf)
            if tree.size in signed:
                note = a_signer().sign(tree.size, tree.root())
                connection.execute("UPDATE audit_checkpoints SET note = ? WHERE size = ?", (note, tree.size))
        connection.execute("UPDATE audit_head SET frontier = ?", (tree.encode(),))

    replaced = (
        "3 checkpoints of 10 to 512 entries are not those that the entries behind name:"
        " signed anew, or signatures were taken away or put there"
    )
    assert told(log, work) == [
        (7, 7, "the entries and tile 0/0 differ"),
        (7, 7, ANEW.format(300)),
        (9, 511, replaced),
    ]


def test_the_first_checkpoint_of_another_tree_is_told_and_none_behind_it(log: Path) -> None:
    notes = [elsewhere(size, cosigned=False) for size in (10, 300)]
    both = [f"UPDATE audit_checkpoints SET note = '{note}' WHERE size = {note.splitlines()[1]}" for note in notes]
    assert told(log, sql(*both)) == [(5, 9, "the checkpoint of 10 entries signs another tree")]
    # A word of it says no more.
    assert told(log, sql(*both, swap(10), swap(512))) == [(5, 9, "the checkpoint of 10 entries signs another tree")]


def test_a_checkpoint_with_more_than_signatures_of_the_log_still_covers_what_it_does(log: Path) -> None:
    def cosigned(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE audit_checkpoints SET note = (SELECT note FROM audit_witnessed WHERE size = 4) WHERE size = 4"
        )
        note = connection.execute(f"SELECT note FROM audit_checkpoints WHERE size = {SIZE}").fetchone()[0]
        note += WITNESS.sign(note.partition("\n\n")[0] + "\n", 1_800_000_000)
        connection.execute(f"UPDATE audit_checkpoints SET note = ? WHERE size = {SIZE}", (note,))

    what = "the checkpoint of {0} entries holds more than signatures of this log's keys"
    assert told(log, cosigned) == [(3, 3, what.format(4)), (599, 599, what.format(600))]


def test_a_word_stands_on_the_signature_of_a_checkpoint_that_holds_alone(log: Path) -> None:
    begin = "instr(note, char(10) || char(10))"
    spoilt = f"note = substr(note, 1, {begin} + 30) || 'AAAA' || substr(note, {begin} + 35) WHERE size = 300"
    spoil = sql(f"UPDATE audit_checkpoints SET {spoilt}", f"UPDATE audit_witnessed SET {spoilt}")
    for keys in ((), (WITNESS.verifier,)):
        found = verdict(log, spoil, keys).found
        assert [(each.first, each.last) for each in found] == [(299, 299), (299, 299)]
        whose = ["the checkpoint of 300 entries", "what witness saw of 300 entries"]
        assert [each.what.partition(" is rejected")[0] for each in found] == whose


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("note = ''", "is rejected: not a signed note"),
        ("note = CAST(note AS BLOB)", "is rejected: not a signed note"),
        ("note = (SELECT note FROM audit_checkpoints WHERE size = 5)", "is of 5"),
        ("note = CAST(x'ff' AS TEXT)", "is rejected: "),
    ],
)
@pytest.mark.parametrize("table", ["audit_checkpoints", "audit_witnessed"])
def test_what_is_no_checkpoint_of_that_size(log: Path, table: str, change: str, what: str) -> None:
    found = verdict(log, sql(f"UPDATE {table} SET {change} WHERE size = 300")).found
    whose = "the checkpoint" if table == "audit_checkpoints" else "what witness saw"
    assert [(each.first, each.last) for each in found] == [(299, 299)]
    assert found[0].what.startswith(f"{whose} of 300 entries {what}")


def test_an_entry_that_names_another_checkpoint_is_told_and_that_one_is_not_missing(tmp_path: Path) -> None:
    own = {3: f'{{"after":{{"note":"","size":2}},"at":"{AT}","id":"3","kind":"start","v":1}}'}
    log = plain_log(tmp_path / "gateway.db", 8, [3, 5, 8], own)
    assert told(log, sql()) == [(3, 3, "the entry says that it follows a checkpoint of 2 entries")]


def test_a_first_entry_follows_no_checkpoint_whatever_it_says(tmp_path: Path) -> None:
    own = {0: f'{{"after":{{"note":"","size":0}},"at":"{AT}","id":"0","kind":"start","v":1}}'}
    assert told(plain_log(tmp_path / "gateway.db", 8, [3, 8], own), sql()) == []


def test_with_a_change_and_a_missing_checkpoint_both_are_told(log: Path) -> None:
    def work(connection: sqlite3.Connection) -> None:
        forge(connection, 520)
        connection.execute(lost("= 300"))

    assert told(log, work) == [
        (299, 299, "the checkpoint of 300 entries is missing: entries 10 to 511 are signed only together"),
        (512, 599, "the checkpoint of 600 entries signs another tree"),
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("CAST(x'61ff' AS TEXT)", r"a\udcff"),
        ("'a' || char(27) || '[2Kvalid' || char(10)", r"a\x1b[2Kvalid\n"),
        ("'đ'", "đ"),
    ],
)
def test_a_name_in_a_row_cannot_talk_to_the_terminal(log: Path, name: str, shown: str) -> None:
    change = f"UPDATE audit_witnessed SET witness = {name}, note = '' WHERE size = 4"
    assert told(log, sql(change)) == [(3, 3, f"what {shown} saw of 4 entries is rejected: not a signed note")]
