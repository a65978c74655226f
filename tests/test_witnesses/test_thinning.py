"""What witnesses said of old days is thinned, and nothing goes that shows anything."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import Connection, create_engine, insert, select, update

from security.audit import thinning
from security.audit.tables import CHECKPOINTS
from security.audit.thinning import RECENT_DAYS, Walk, drop
from security.audit.witnessed import WITNESSED
from storage.metadata import METADATA
from tests.test_audit.audit_world import World, a_world
from tests.test_witnesses.sites import Site

DAY = 86_400_000
# Midnight in Vietnam.
NOW = 1_790_000_000_000 // DAY * DAY - 7 * 3_600_000


@dataclass(frozen=True)
class Word:
    size: int
    witness: str
    at: int
    forged: bool = False

    @property
    def note(self) -> str:
        return f"log\n{self.size}\n{'other' if self.forged else 'root'}\n\n— {self.witness}\n"


@some.composite
def histories(draw: some.DrawFn) -> tuple[list[Word], set[int]]:
    """Words of three witnesses over half a year, and which checkpoints the log has."""
    words: list[Word] = []
    at = NOW - draw(some.integers(80, 200)) * DAY
    for size in range(1, draw(some.integers(1, 30))):
        at += draw(some.sampled_from((60_000, 600_000, 5 * 3_600_000, DAY, 9 * DAY, -2 * DAY)))
        heard = draw(some.sets(some.sampled_from("abc"), min_size=1))
        # Some are asked much later, some say something else.
        for each, odd in [(each, draw(some.integers(0, 19))) for each in sorted(heard)]:
            words.append(Word(size, each, at + ord(each) + 120 * DAY * (odd == 1), odd == 0))
    sizes = {word.size for word in words}
    return words, sizes - draw(some.sets(some.sampled_from(sorted(sizes)), max_size=2)) if sizes else set()


def fill(connection: Connection, words: Sequence[Word], own: set[int]) -> None:
    if words:
        said = [{"size": each.size, "witness": each.witness, "note": each.note, "at": each.at} for each in words]
        connection.execute(insert(WITNESSED), said)
    if own:
        rows = [{"size": size, "note": f"log\n{size}\nroot\n\n— log\n"} for size in sorted(own)]
        connection.execute(insert(CHECKPOINTS), rows)


def thinned(connection: Connection) -> set[tuple[int, str]]:
    """Walk from end to end until nothing more goes; return what is left."""
    walk, gone = Walk(), True
    while gone:
        gone = False
        while True:
            sizes = walk.superfluous(connection, NOW)
            drop(connection, sizes, NOW)
            gone = gone or bool(sizes)
            if walk._after == -1:
                break
    return {(row.size, row.witness) for row in connection.execute(select(WITNESSED))}


def needed(words: Sequence[Word], own: set[int]) -> set[int]:
    """The checkpoints of which every word has to stay."""
    sizes, days = set(), {}
    for word in words:
        day = (word.witness, (word.at + 7 * 3_600_000) // DAY)
        if day not in days or word.at >= NOW - RECENT_DAYS * DAY or word.forged or word.size not in own:
            sizes.add(word.size)
        days[day] = word
    return sizes | {
        max(word.size for word in words if word.witness == each) for each in {word.witness for word in words}
    }


def test_first_of_each_day_newest_recent_and_strange_words_stay() -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)

    @given(histories(), some.sampled_from((4, 7, 500)))
    @settings(max_examples=50)
    def hold(history: tuple[list[Word], set[int]], step: int) -> None:
        words, own = history
        patch.setattr(thinning, "STEP", step)
        with engine.connect() as connection:
            fill(connection, words, own)
            left = thinned(connection)
        stay = needed(words, own) if words else set()
        assert {(word.size, word.witness) for word in words if word.size in stay} <= left
        # Nothing is torn apart.
        assert all(((word.size, word.witness) in left) == (word.size in {size for size, _ in left}) for word in words)
        if [word.at for word in words] == sorted(word.at for word in words):
            assert {size for size, _ in left} == stay

    with pytest.MonkeyPatch.context() as patch:
        hold()
    engine.dispose()


@pytest.fixture
async def world(storage_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(storage_url, tmp_path / "vault") as made:
        yield made


async def test_looks_every_six_hours_become_one_a_day(world: World) -> None:
    hours = range(0, 200 * 24, 6)
    words = [Word(hour + 1, name, NOW - (200 * 24 - hour) * 3_600_000) for hour in hours for name in "ab"]
    await world.storage.write(lambda connection: fill(connection, words, {word.size for word in words}))
    walk = Walk()
    for _ in range(5):
        sizes = await world.storage.read(lambda connection: walk.superfluous(connection, NOW))
        await world.storage.write(lambda connection, sizes=sizes: drop(connection, sizes, NOW))  # type: ignore[misc]
    left = await world.storage.read(lambda connection: len(connection.execute(select(WITNESSED)).all()))
    assert left == 2 * (110 + 4 * 90)


async def test_a_thinned_site_is_still_compared_entry_by_entry_where_it_was_forged(site: Site) -> None:
    await site.grow(6)
    old = (time.time_ns() // 1_000_000) - 200 * DAY

    def age(connection: Connection) -> None:
        connection.execute(update(WITNESSED).values(at=old))

    await site.storage.write(age)
    # The next look thins: of that one day the first word stays, and the newest.
    await site.grow(1)
    rows = select(WITNESSED.c.size).distinct().order_by(WITNESSED.c.size)
    assert await site.storage.read(lambda connection: connection.execute(rows).scalars().all()) == [1, 7]
    assert (await site.verify("--against", "office", "--against", "paper"))[0] == 0
    await site.forget(5)
    await site.grow(3, shown=False)
    for name in ("office", "paper"):
        code, shown = await site.verify("--against", name)
        told = [found["what"] for found in shown["findings"] if found["first"] == 5]  # type: ignore[attr-defined]
        assert (code, "rewritten, or forked" in " ".join(told)) == (1, True)
