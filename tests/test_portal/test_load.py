"""Many callers at once, in batches: everything is applied once, and in order for each dossier."""

import asyncio

from tests.test_portal.visitor import Visitor, dossier, record


async def test_many_events_from_several_callers(visitor: Visitor) -> None:
    codes = [f"000.00.00.H26-260105-{number:04d}" for number in range(200)]
    await visitor.register(*(dossier(code) for code in codes))

    async def push(mine: list[str]) -> None:
        for sequence in range(1, 11):
            for first in range(0, len(mine), 5):
                chunk = mine[first : first + 5]
                told = await visitor.advance(*(record(sequence, str(sequence), code) for code in chunk))
                assert told["error_code"] == "00"

    await asyncio.gather(*(push(codes[start::8]) for start in range(8)))
    seen: dict[str, list[tuple[int, str, int]]] = {code: [] for code in codes}
    for code, *event in await visitor.ledger():
        seen[code].append(tuple(event))  # type: ignore[arg-type]
    assert set(map(tuple, seen.values())) == {tuple((number, str(number), 1) for number in range(1, 11))}
