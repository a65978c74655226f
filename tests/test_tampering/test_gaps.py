"""What verification says of a gap: where it is, and which entries before it no checkpoint vouches for."""

from pathlib import Path

import pytest

from storage.sqlite import plain
from tests.test_audit.audit_world import a_world, evidence
from tests.test_tampering.tables import verified


@pytest.mark.parametrize(
    ("damage", "unproven"),
    [
        ([], ""),
        (["DELETE FROM audit_checkpoints WHERE size = 2"], "no checkpoint could be compared with 1 to 1"),
        (
            [
                "DELETE FROM audit_checkpoints WHERE size = 2",
                "UPDATE audit_entries SET body = body || ' ' WHERE idx = 0",
            ],
            "",
        ),
    ],
    ids=["proven", "unproven", "altered-before"],
)
async def test_a_gap_says_what_before_it_is_not_proven(
    sqlite_url: str, tmp_path: Path, damage: list[str], unproven: str
) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        for _ in range(5):
            await world.log.record(evidence("001090123456"))
    with plain(Path(sqlite_url.removeprefix("sqlite:///"))) as connection:
        for statement in ["DELETE FROM audit_entries WHERE idx BETWEEN 2 AND 3", *damage]:
            connection.execute(statement)
    found = (await verified(sqlite_url)).found
    # What would be compared with the end is not: that is not known.
    assert not any("head" in each.what for each in found)
    (gap,) = [each for each in found if "entries are missing" in each.what]
    assert (gap.first, gap.last, "nothing from 4 on" in gap.what) == (2, 3, True)
    assert gap.what.partition(", and ")[2] == unproven
