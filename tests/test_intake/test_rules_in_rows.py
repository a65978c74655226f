"""What stands in the rows is what the pure rules say, whatever comes, in one commit or in many."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import sync.database  # noqa: F401 - declares every table
from schemas.dossiers import ordering
from schemas.dossiers.ordering import Place, Track
from sync.intake import Taken
from sync.tables import DOSSIER_TRACKS
from tests.test_intake.world import CODE, Desk, a_desk, a_dossier, a_status

# A sequence, None for an event without, "put" for the registration; status 4 or one that means nothing.
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.one_of(st.none(), st.integers(1, 8)), st.sampled_from(["4", "4", "4", "?"])),
        st.just("put"),
    ),
    max_size=14,
)


class Rules:
    """One dossier from one source, by the pure rules alone."""

    def __init__(self) -> None:
        self.track = Track()
        self.seen: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self.places: dict[Place, int] = {}

    def push(self, sequence: int | None, status: str, index: int) -> str:
        earlier: ordering.Earlier | None = None
        if sequence in self.seen:
            earlier = "same" if self.seen[sequence] == status else "other"
        decision = ordering.decide(self.track, sequence, index, 0, 0, earlier=earlier, understood=status != "?")
        if decision.place is None:
            return decision.result
        if sequence is not None:
            self.seen[sequence] = status
        self.states[index] = decision.result
        self.places[decision.place] = index
        self.track = ordering.kept(self.track, decision, 0)
        self.release()
        return self.states[index]

    def register(self) -> None:
        self.track = Track(True, self.track.through, self.track.highest, self.track.furthest, self.track.held)
        self.release()

    def release(self) -> None:
        self.track, released = ordering.release(self.track, 0)
        for each in released:
            self.states[self.places[each.place]] = "accepted"


async def played(desk: Desk, events: list[Any], group: int) -> None:
    rules = Rules()
    index = 0
    registered = False
    waiting: list[tuple[int | None, str]] = []

    async def flush() -> None:
        nonlocal index
        if not waiting:
            return
        pushes = [desk.status(a_status(status, sequence=sequence)) for sequence, status in waiting]
        for (sequence, status), result in zip(waiting, await desk.all(pushes), strict=True):
            expected = rules.push(sequence, status, index)
            if isinstance(result, Taken):
                assert ("duplicate" if result.replayed else result.result) == expected
                index += 0 if result.replayed else 1
            else:
                assert (result.code, expected) == ("conflict", "refused")
        waiting.clear()

    for event in events:
        if event == "put":
            await flush()
            taken = await desk.put(a_dossier(deliver=False))
            assert taken.replayed is registered
            index += 0 if registered else 1
            if not registered:
                registered = True
                rules.register()
            continue
        waiting.append(event)
        if len(waiting) == group:
            await flush()
    await flush()
    rows = {row["position"]: row for row in await desk.rows()}
    shown = {"accepted": "queued"}
    assert {place: row["state"] for place, row in rows.items()} == {
        place: shown.get(state, state) for place, state in rules.states.items()
    }
    tracks = await desk.rows(DOSSIER_TRACKS)
    assert [(row["through"], row["highest"], row["held"]) for row in tracks] == (
        [(rules.track.through, rules.track.highest, len(rules.track.held))] if rules.states else []
    )
    held = [
        (Place(row["ordinal"], row["behind"], place if row["behind"] else 0), row["state"] == "waiting")
        for place, row in rows.items()
        if row["held"]
    ]
    assert sorted(held) == [(one.place, one.goes) for one in rules.track.held]
    assert {row["code"] for row in rows.values()} <= {CODE}


@settings(max_examples=60)
@given(events=EVENTS, group=st.integers(1, 6))
def test_rows_say_what_the_rules_say(events: list[Any], group: int) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with a_desk(
                f"sqlite:///{directory}/gateway.db", Path(directory) / "vault", transitions="off"
            ) as desk:
                await played(desk, events, group)

    asyncio.run(run())
