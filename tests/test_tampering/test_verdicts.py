"""What exactly verification says of each thing that is wrong with a log: every finding, and where."""

import sqlite3
from pathlib import Path

import pytest

from security.audit.merkle import leaf_hash
from security.audit.verification import verify
from storage.sqlite import plain
from tests.test_audit.audit_world import a_world, evidence
from tests.test_tampering.plain_logs import AT, plain_log, without_schema
from tests.test_tampering.test_invisible import Tamper
from tests.test_tampering.test_signed import cosign, verdict

SIZE = 600
PAGED = 4400
Told = list[tuple[int, int, str]]


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two complete tiles and some entries, checkpoints far from each other."""
    return plain_log(tmp_path_factory.mktemp("plain") / "gateway.db", SIZE, [1, 2, 3, 4, 5, 10, 300, 512, SIZE])


@pytest.fixture(scope="session")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that is read in two steps; a checkpoint and a word of a witness stand where the first of them ends."""
    path = plain_log(tmp_path_factory.mktemp("paged") / "gateway.db", PAGED, [4000, 4096, 4097, 4352, PAGED])
    with plain(path) as connection:
        cosign(connection, 4096)
    return path


def sql(*statements: str) -> Tamper:
    return lambda connection: [connection.execute(each) for each in statements]


def freed(table: str, order: str = "rowid") -> tuple[str, ...]:
    """Statements that take the constraints, the types and the order from a table."""
    return (
        f"CREATE TABLE freed AS SELECT * FROM {table} ORDER BY {order}",
        f"DROP TABLE {table}",
        f"ALTER TABLE freed RENAME TO {table}",
    )


def forge(connection: sqlite3.Connection, *indexes: int) -> None:
    """Other entries, with hashes that are theirs."""
    for index in indexes:
        (body,) = connection.execute("SELECT body FROM audit_entries WHERE idx = ?", (index,)).fetchone()
        body = body.replace(b'"at":"2026', b'"at":"2025')
        values = (leaf_hash(body), body, index)
        connection.execute(
            "UPDATE audit_entries SET leaf = ?, body = ?, at = '2025' || substr(at, 5) WHERE idx = ?", values
        )


def told(log: Path, tamper: Tamper) -> Told:
    found = verdict(log, tamper)
    assert found.valid == (not found.found)
    assert {type(end) for each in found.found for end in (each.first, each.last)} <= {int}
    return [(each.first, each.last, each.what) for each in without_schema(found)]


def copied(number: object, index: int) -> str:
    """A statement that inserts an entry again, under another number."""
    rest = "client, database, operation, purpose, dossier, outcome, request_id"
    return (
        f"INSERT INTO audit_entries SELECT {number}, leaf, body, 'another', at, kind, {rest}"
        f" FROM audit_entries WHERE idx = {index}"
    )


@pytest.mark.parametrize("order", ["idx", "idx DESC"])
def test_a_log_holds_whatever_the_order_of_its_rows(log: Path, paged: Path, order: str) -> None:
    found = verdict(log, sql(*freed("audit_entries", order)))
    assert (without_schema(found), found.entries, found.checkpoints) == ([], SIZE, 9)
    found = verdict(paged, sql(*freed("audit_entries", order)))
    assert (without_schema(found), found.entries, found.checkpoints) == ([], PAGED, 5)


HEADS = "there must be one head, of number 1"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE audit_head SET size = 601"], [(600, 600, "the head says 601 entries, there are 600")]),
        (["UPDATE audit_head SET size = 7"], [(7, 599, "the head says 7 entries, there are 600")]),
        (["UPDATE audit_head SET size = -7"], [(0, 599, "the head says -7 entries, there are 600")]),
        (["UPDATE audit_head SET size = 'x'"], [(0, 599, "the head says -1 entries, there are 600")]),
        (["DELETE FROM audit_head"], [(0, 599, "the head says 0 entries, there are 600")]),
        (["UPDATE audit_head SET frontier = x'00'"], [(600, 600, "the head does not belong to these entries")]),
        (["UPDATE audit_head SET id = 2"], [(600, 600, HEADS)]),
        (["INSERT INTO audit_head VALUES (2, 7, x'00')"], [(600, 600, HEADS)]),
        (
            [*freed("audit_head"), "INSERT INTO audit_head VALUES (0, 7, x'00')"],
            [(7, 599, "the head says 7 entries, there are 600"), (600, 600, HEADS)],
        ),
    ],
)
def test_what_the_head_says(log: Path, statements: list[str], expected: Told) -> None:
    assert told(log, sql(*statements)) == expected


BEHIND = "there are 1 entries that belong to no entries"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (
            ["UPDATE audit_entries SET leaf = zeroblob(32) WHERE idx = 7"],
            [(7, 7, "the entry does not hash to its leaf")],
        ),
        (
            ["UPDATE audit_entries SET kind = 'stop' WHERE idx = 7"],
            [(7, 7, "the columns of the row do not repeat the entry")],
        ),
        (
            ["UPDATE audit_entries SET body = CAST(body AS TEXT) WHERE idx = 7"],
            [
                (7, 7, "the entry does not hash to its leaf"),
                (7, 7, "the entry cannot be read"),
                (7, 7, "the entries and tile 0/0 differ"),
                (7, 7, "the checkpoint of 10 entries signs another tree"),
            ],
        ),
        ([copied(-3, 7)], [(0, 0, "an entry has the number -3"), (600, 600, BEHIND)]),
        ([*freed("audit_entries"), copied(7, 7)], [(7, 7, "there are two entries of this number"), (600, 600, BEHIND)]),
        (
            [*freed("audit_entries"), copied(7.5, 7)],
            [(7, 7, "there are two entries of this number"), (600, 600, BEHIND)],
        ),
    ],
)
def test_what_is_wrong_with_one_entry(log: Path, statements: list[str], expected: Told) -> None:
    assert told(log, sql(*statements)) == expected


def test_an_opening_for_what_is_no_entry_is_told_once(log: Path) -> None:
    found = told(
        log,
        sql(
            "UPDATE audit_entries SET body = 'x' WHERE idx = 7",
            "INSERT INTO audit_openings VALUES (7, '2026-11', 1, x'00', NULL)",
        ),
    )
    assert not [each for each in found if "opening" in each[2]]


def test_what_opens_no_entry_is_counted(log: Path) -> None:
    rows = sql("INSERT INTO audit_openings VALUES (601, '2026-11', 1, x'00', NULL), (-1, '2026-11', 1, x'00', NULL)")
    assert told(log, rows) == [(600, 600, "there are 2 openings that belong to no entry")]


def test_a_redaction_is_looked_at_though_nothing_opens_it(tmp_path: Path) -> None:
    log = plain_log(tmp_path / "gateway.db", 8, [8], {5: f'{{"at":"{AT}","id":"5","kind":"redaction","v":1}}'})
    what = "the redaction of entry None that this entry records is not marked there"
    assert told(log, sql()) == [(5, 5, what)]


async def test_with_the_vault_what_opens_entries_is_opened(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        opened = [(await verify(world.storage, [world.signer.verifier], each)).opened for each in (None, world.sealer)]
    assert opened == [0, 1]


@pytest.mark.parametrize(
    ("hashes", "first"),
    [
        ("substr(hashes, 1, 96) || zeroblob(32) || substr(hashes, 129)", 256 + 3),
        ("substr(hashes, 1, 96) || zeroblob(64) || substr(hashes, 161)", 256 + 3),
        ("substr(hashes, 1, 8191) || x'00'", 511),
        ("substr(hashes, 1, 8160)", 511),
        ("zeroblob(1) || substr(hashes, 2)", 256),
        ("hashes || x'00'", 511),
        ("'x'", 256),
    ],
)
def test_where_a_tile_differs(log: Path, hashes: str, first: int) -> None:
    change = f"UPDATE audit_tiles SET hashes = CAST({hashes} AS BLOB) WHERE number = 1"
    if hashes == "'x'":
        change = change.replace("CAST('x' AS BLOB)", hashes)
    assert told(log, sql(change)) == [(first, first, "the entries and tile 0/1 differ")]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE audit_tiles SET root = zeroblob(32) WHERE number = 1", (256, 511, "the root of tile 0/1 is wrong")),
        ("DELETE FROM audit_tiles WHERE number = 1", (256, 511, "tile 0/1 is missing")),
        ("UPDATE audit_tiles SET level = 1 WHERE number = 1", (256, 511, "tile 0/1 is missing")),
        (
            "INSERT INTO audit_tiles VALUES (0, 2, x'00', x'00')",
            (600, 600, "there are 1 tiles that belong to no entries"),
        ),
        (
            "INSERT INTO audit_tiles VALUES (1, 0, x'00', x'00')",
            (600, 600, "there are 1 tiles that belong to no entries"),
        ),
    ],
)
def test_what_else_is_wrong_with_a_tile(log: Path, statement: str, expected: tuple[int, int, str]) -> None:
    assert told(log, sql(statement)) == [expected]


@pytest.mark.parametrize(
    ("tampered", "expected"),
    [
        ([7], [(7, 7, "the entries and tile 0/0 differ"), (7, 7, "the checkpoint of 10 entries signs another tree")]),
        (
            [7, 9],
            [(7, 7, "the entries and tile 0/0 differ"), (7, 9, "the checkpoint of 10 entries signs another tree")],
        ),
        (
            [7, 400],
            [
                (7, 7, "the checkpoint of 10 entries signs another tree"),
                (7, 7, "the entries and tile 0/0 differ"),
                (400, 400, "the entries and tile 0/1 differ"),
            ],
        ),
        # No tile remembers the hashes behind 512: it may be any of them.
        ([520], [(512, 599, "the checkpoint of 600 entries signs another tree")]),
    ],
)
def test_where_a_careful_change_is(log: Path, tampered: list[int], expected: Told) -> None:
    assert sorted(told(log, lambda connection: forge(connection, *tampered))) == sorted(expected)


def gap(first: int, following: int, unproven: str = "") -> tuple[int, int, str]:
    what = f"entries are missing; nothing from {following} on was verified"
    return first, following - 1, what + (f", and no checkpoint could be compared with {unproven}" if unproven else "")


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("idx = 0", gap(0, 1)),
        ("idx < 4399", gap(0, 4399)),
        ("idx = 7", gap(7, 8, "0 to 6")),
        ("idx = 4095", gap(4095, 4096, "4000 to 4094")),
        ("idx = 4096", gap(4096, 4097)),
        ("idx BETWEEN 4095 AND 4105", gap(4095, 4106, "4000 to 4094")),
        ("idx BETWEEN 4200 AND 4300", gap(4200, 4301, "4097 to 4199")),
    ],
)
def test_where_a_gap_is(paged: Path, which: str, expected: tuple[int, int, str]) -> None:
    assert told(paged, sql(f"DELETE FROM audit_entries WHERE {which}")) == [expected]


def test_without_its_end_a_log_has_no_gap(log: Path) -> None:
    assert told(log, sql("DELETE FROM audit_entries WHERE idx >= 590")) == [
        (590, 590, "a checkpoint belongs to no entries, 1 times"),
        (590, 599, "the head says 600 entries, there are 590"),
        (590, 599, "a checkpoint of 600 entries exists"),
    ]
    assert told(log, sql("DELETE FROM audit_entries", "DELETE FROM audit_tiles", "DELETE FROM audit_checkpoints")) == [
        (0, 599, "the head says 600 entries, there are 0")
    ]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SET idx = 'x' WHERE idx = 7", [gap(7, 8, "5 to 6")]),
        ("SET idx = x'00' WHERE idx = 599", [gap(599, 600, "512 to 598")]),
        ("SET idx = CAST(x'ff' AS TEXT) WHERE idx = 0", [gap(0, 1)]),
        ("SET idx = 7.5 WHERE idx = 7", [gap(7, 8, "5 to 6")]),
        ("SET idx = NULL WHERE idx = 7", [gap(7, 8, "5 to 6")]),
        ("SET idx = -3.5 WHERE idx = 7", [(0, 0, "an entry has the number -3.5"), gap(7, 8, "5 to 6")]),
        ("SET idx = 'x'", [gap(0, 1)]),
    ],
)
def test_a_number_that_is_none_leaves_a_gap(log: Path, statement: str, expected: Told) -> None:
    assert told(log, sql(*freed("audit_entries"), f"UPDATE audit_entries {statement}")) == expected


def test_an_entry_of_no_number_behind_the_last_is_a_gap_too(paged: Path) -> None:
    lonely = "DELETE FROM audit_entries WHERE idx > 4096", "UPDATE audit_entries SET idx = 'x' WHERE idx = 4096"
    assert told(paged, sql(*freed("audit_entries"), *lonely)) == [gap(4096, 4097)]
    number = "(SELECT 'x')"
    assert told(paged, sql(*freed("audit_entries"), copied(number, 7))) == [gap(PAGED, PAGED + 1)]


def test_an_empty_head_of_an_empty_log_is_told_of_its_first_entry(tmp_path: Path) -> None:
    empty = plain_log(tmp_path / "gateway.db", 0, [])
    assert told(empty, sql("UPDATE audit_head SET frontier = x''")) == []
    assert told(empty, sql("DELETE FROM audit_head")) == []
    assert told(empty, sql("UPDATE audit_head SET size = -1")) == [(0, 0, "the head says -1 entries, there are 0")]


def test_a_witness_of_the_end_of_a_page_is_counted_once(paged: Path) -> None:
    assert told(paged, sql("INSERT INTO audit_witnessed VALUES (0, 'x', '', NULL, 0)")) == [
        (0, PAGED, "what a witness saw of 0 entries exists"),
        (PAGED, PAGED, "what a witness saw belongs to no entries, 1 times"),
    ]
