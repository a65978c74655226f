"""Whether a node's own clock can be right, by what stands in the log; clocks are set by the test."""

from datetime import UTC, datetime, timedelta

import pytest

from routes import readiness
from tests.test_audit.audit_world import World, evidence

NOW = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)


class Node:
    """A node that asks itself by a clock of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = NOW
        self.verdict = readiness.clock_check(world.reader, lambda: self.now).probe

    async def records(self) -> None:
        await self.world.log.record(evidence(at=self.now))

    async def states(self) -> tuple[bool, bool]:
        """Whether it is ready, and without a word."""
        found = await self.verdict()
        return found.ok, found.hint is None


@pytest.fixture
def node(world: World) -> Node:
    return Node(world)


async def test_a_clock_that_goes_right_is_not_spoken_of(node: Node) -> None:
    assert await node.states() == (True, True)
    for seconds in (0, 1, -5, 3600):
        await node.records()
        node.now += timedelta(seconds=seconds)
        assert await node.states() == (True, True)


async def test_a_clock_that_is_behind_is_not_forgotten_when_something_is_written_by_it(node: Node) -> None:
    await node.records()
    node.now -= timedelta(minutes=30)
    found = await node.verdict()
    assert (found.ok, "1800 s in the future: set the clock" in (found.hint or "")) == (False, True)
    for _ in range(3):
        await node.records()
        found = await node.verdict()
        assert (found.ok, (found.hint or "").startswith("entry 0 of the log is 1800 s in the future")) == (True, True)
    node.now = NOW
    assert await node.states() == (True, True)


async def test_an_entry_far_back_is_not_spoken_of_for_ever(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_REMINDED", 2)
    node.now += timedelta(days=3650)
    await node.records()
    node.now = NOW
    told = []
    for _ in range(3):
        told.append(await node.states())
        await node.records()
    assert told == [(False, False), (True, False), (True, True)]
