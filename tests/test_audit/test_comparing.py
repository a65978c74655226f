"""What comes of a comparison with what others hold: every range and every name of it, entry by entry."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, insert

from security.audit.checkpoint import Checkpoint
from security.audit.comparing import Compared, Held, compare
from security.audit.findings import Finding
from security.audit.merkle import EMPTY_ROOT
from security.audit.tables import ENTRIES
from storage.metadata import METADATA
from tests.test_witnesses.logs import MemoryLog

TRUE = MemoryLog.of(10)


def forked(at: int, size: int = 10) -> MemoryLog:
    """A log whose first `at` entries are the true ones."""
    log = MemoryLog.of(at)
    log.grow(size, "other ")
    return log


def held(size: int, where: str, log: MemoryLog = TRUE) -> Held:
    return Held(log.checkpoint(size), where)


@pytest.fixture
def rows() -> Iterator[Connection]:
    """A database without entries."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        METADATA.create_all(connection)
        yield connection
    engine.dispose()


def entries(connection: Connection, size: int) -> None:
    made = {"leaf": b"", "at": "", "kind": ""}
    connection.execute(
        insert(ENTRIES), [made | {"idx": each, "body": b"%d" % each, "id": f"{each}"} for each in range(size)]
    )


def told(result: Compared) -> list[tuple[int, int]]:
    return [(found.first, found.last) for found in result.found]


def test_a_log_agrees_with_all_that_is_held_of_it(rows: Connection) -> None:
    entries(rows, 10)
    assert compare(rows, []) == Compared(entries=10)
    assert compare(rows, [held(7, "b"), held(3, "a"), held(3, "c")]) == Compared(10, 2, 7)
    assert compare(rows, [held(10, "a"), held(0, "b"), held(1, "c")]) == Compared(10, 3, 10)


@pytest.mark.parametrize(("agreed", "said"), [(0, "no smaller tree"), (1, "up to entry 0 "), (4, "up to entry 3 ")])
def test_a_rewritten_log_is_told_once_behind_the_last_agreement(rows: Connection, agreed: int, said: str) -> None:
    entries(rows, 10)
    other = forked(5)
    before = [held(agreed, "good")] if agreed else []
    result = compare(rows, [held(8, "eight", other), *before, held(6, "six", other), held(6, "again", other)])
    assert (result.entries, result.compared, result.agrees) == (10, 2 + len(before), agreed)
    (found,) = result.found
    assert (found.first, found.last) == (agreed, 5)
    assert "first 6 entries are not those that six holds" in found.what
    assert said in found.what


@pytest.mark.parametrize("agreed", [0, 1, 3])
def test_a_log_that_ends_too_early_is_told_at_its_end(rows: Connection, agreed: int) -> None:
    entries(rows, 4)
    before = [held(agreed, "good")] if agreed else []
    result = compare(rows, [held(9, "nine"), held(6, "six"), *before])
    assert (result.entries, result.agrees) == (4, agreed)
    (found,) = result.found
    assert (found.first, found.last) == (4, 5)
    assert "ends at 4 entries, and six holds a checkpoint of 6" in found.what
    assert found.what.partition("; ")[2] == (f"up to entry {agreed - 1} it agrees" if agreed else "")


def test_a_log_that_was_rewritten_and_ends_too_early_agrees_with_nothing_behind(rows: Connection) -> None:
    entries(rows, 4)
    other = forked(2)
    result = compare(rows, [held(1, "one"), held(3, "three", other), held(6, "six", other)])
    assert (told(result), result.agrees) == ([(1, 2), (4, 5)], 1)
    assert "agrees" not in result.found[1].what


def test_an_agreement_behind_a_fork_is_one(rows: Connection) -> None:
    entries(rows, 10)
    result = compare(rows, [held(3, "forger", forked(1)), held(6, "true"), held(8, "forger", forked(1))])
    assert (told(result), result.agrees) == ([(0, 2)], 6)


def test_two_logs_of_one_size_are_told_whichever_is_this_one(rows: Connection) -> None:
    entries(rows, 10)
    result = compare(rows, [held(3, "good"), held(6, "two", forked(5)), held(6, "one"), held(8, "good")])
    assert (told(result), result.agrees, result.compared) == ([(3, 5)], 8, 3)
    assert result.found[0].what.startswith("one and two hold two different logs of 6 entries")
    empty = Held(Checkpoint(TRUE.signer.origin, 0, b"x" * 32), "forger"), held(0, "good")
    assert told(compare(rows, empty)) == [(0, 0)]


def test_what_two_hold_of_a_log_that_is_neither_names_both(rows: Connection) -> None:
    entries(rows, 5)
    result = compare(rows, [held(4, "b", forked(1)), held(4, "a", forked(2)), held(7, "b", forked(1)), held(7, "c")])
    assert [each.what.partition(" hold")[0].rpartition(" that ")[2] for each in result.found[:2]] == ["a and b", "b, a"]
    assert told(result) == [(0, 3), (0, 3), (0, 6), (5, 6)]
    assert ", and b, c holds a checkpoint of 7" in result.found[3].what


def test_an_empty_log_lacks_all_that_is_held(rows: Connection) -> None:
    result = compare(rows, [held(1, "a"), held(0, "b")])
    assert (result.entries, result.found) == (
        0,
        [
            Finding(
                0,
                0,
                "the log ends at 0 entries, and a holds a checkpoint of 1: its end was cut off, or an older copy was "
                "put in its place",
            )
        ],
    )
    assert compare(rows, [Held(Checkpoint(TRUE.signer.origin, 0, EMPTY_ROOT), "a")]).found == []
