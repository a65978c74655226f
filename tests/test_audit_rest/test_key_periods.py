"""Which checkpoints each key of the log signed, on each kind of database."""

from collections.abc import Sequence
from math import inf
from pathlib import Path

import pytest

from security.audit.checkpoint import Along
from security.audit.key_periods import Signed, signed_sizes
from tests.test_audit.audit_world import ORIGIN, World, a_signer, a_world, evidence

KEYS = [a_signer(ORIGIN, bytes([number]) * 32) for number in range(4)]
VERIFIERS = [key.verifier for key in KEYS]


async def told(world: World) -> list[Signed | None]:
    found = await world.storage.read(lambda connection: signed_sizes(connection, VERIFIERS))
    return [found[key.key_id] for key in VERIFIERS]


@pytest.mark.parametrize(
    ("signed", "wanted"),
    [
        pytest.param([], [None, None, None, None], id="nothing"),
        pytest.param([0], [(1, 1), None, None, None], id="one"),
        pytest.param([0, 0, 0], [(1, 3), None, None, None], id="one-key"),
        pytest.param([0, 0, 1, 1, 1], [(1, 2), (3, 5), None, None], id="rotated"),
        pytest.param([0, 1, 2, 3], [(1, 1), (2, 2), (3, 3), (4, 4)], id="each-once"),
        pytest.param([0, 0, 0, 2, 3, 3], [(1, 3), None, (4, 4), (5, 6)], id="one-never-used"),
        pytest.param([1, 1, 3], [None, (1, 2), None, (3, 3)], id="first-never-used"),
    ],
)
async def test_periods_are_those_of_the_checkpoints(
    storage_url: str, tmp_path: Path, signed: list[int], wanted: list[tuple[int, int] | None]
) -> None:
    async with a_world(storage_url, tmp_path / "vault") as world:
        for number in signed:
            world.log.sign_with(KEYS[number])
            await world.log.record(evidence("001085012345"))
        assert await told(world) == [None if each is None else Signed(*each) for each in wanted]


async def test_nodes_that_learn_of_a_rotation_one_after_the_other_are_no_trouble(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        for number in (0, 0, 0, 1, 0, 1, 0, 1, 1, 1):
            world.log.sign_with(KEYS[number])
            await world.log.record(evidence("001085012345"))
        old, new, *rest = await told(world)
        assert rest == [None, None]
        assert old is not None
        assert new is not None
        assert (old.first, old.last + 1, new.last) == (1, new.first, 10)
        assert 4 <= new.first <= 8


async def test_checkpoints_with_gaps_between_their_sizes(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        for number in (0, 0, 1, 1):
            world.log.sign_with(KEYS[number])
            await world.log.record_together([evidence("001085012345") for _ in range(7)], _nothing)
        assert await told(world) == [Signed(7, 14), Signed(21, 28), None, None]


@pytest.mark.parametrize(
    ("signed", "wanted"),
    [
        pytest.param(["0", "10", "10", "1"], [(1, 3), (2, 4), None, None], id="overlap"),
        pytest.param(["0", "10", "10"], [(1, 3), (2, 3), None, None], id="overlap-runs"),
        pytest.param(["0", "10", "210", "210", "21", "2"], [(1, 4), (2, 5), (3, 6), None], id="two-at-once"),
        pytest.param(["0", "210", "20", "20", "2"], [(1, 4), (2, 2), (2, 5), None], id="the-one-between-ends-first"),
        pytest.param(["0", "20", "20", "2"], [(1, 3), None, (2, 4), None], id="the-one-between-never-used"),
        pytest.param(["0", "320", "3"], [(1, 2), None, (2, 2), (2, 3)], id="rotated-twice-before-the-first-checkpoint"),
    ],
)
async def test_a_key_signs_until_the_last_checkpoint_that_it_signed_along(
    sqlite_url: str, tmp_path: Path, signed: list[str], wanted: list[tuple[int, int] | None]
) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        for numbers in signed:
            first, *others = map(int, numbers)
            along = [Along(KEYS[number], inf, inf) for number in others]
            world.log.sign_with(a_signer(ORIGIN, bytes([first]) * 32, along))
            await world.log.record(evidence("001085012345"))
        assert await told(world) == [None if each is None else Signed(*each) for each in wanted]


def _nothing(_connection: object, _first: int, places: Sequence[int]) -> list[Exception | None]:
    return [None for _ in places]
