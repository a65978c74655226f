"""Figures follow what was pushed, in the same commit, whatever became of its delivery."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete

from sync.figure_filling import fill
from sync.figures import DOSSIER_FIGURES, begins
from sync.opening import Opener
from sync.repair import Filter
from sync.sealing import DossierSealer
from sync.statistics import Statistics, statistics
from tests.test_delivery.test_repair import do
from tests.test_delivery.world import Post, a_code
from tests.test_intake.world import CODE, NEIGHBOUR

YEAR = 2026
DAY = "2026-03-{:02}T10:00:00+07:00"


def a_dossier(**said: Any) -> dict[str, Any]:
    return {
        "procedure": "1.005129",
        "channel": "online",
        "owner_name": "Nguyễn Thị Mẫu",
        "owner_kind": "citizen",
        "received_at": DAY.format(1),
        "due_at": "2026-03-10T17:00:00+07:00",
        **said,
    }


async def counted(post: Post, *, until: str = "2026-04-01", procedure: str | None = None) -> Statistics:
    start, end = begins(date(YEAR, 1, 1)), begins(date.fromisoformat(until))
    storage = post.desk.world.storage
    return await storage.read(lambda connection: statistics(connection, "H26", start, end, procedure))


def status(national: str, day: int, sequence: int | None = None, **more: Any) -> dict[str, Any]:
    return {"status": national, "at": DAY.format(day), **({} if sequence is None else {"sequence": sequence}), **more}


async def test_each_dossier_is_counted_by_its_channel_and_its_deadline(post: Post) -> None:
    returned = {"early": 9, "on_time": 10, "late": 11}
    for number, (_, day) in enumerate(returned.items(), start=1):
        await post.desk.put(a_dossier(), code=a_code(number))
        await post.desk.push(status("4", 2, 1), code=a_code(number))
        await post.desk.push(status("9", 5, 2), code=a_code(number))
        await post.desk.push(status("10", day, 3), code=a_code(number))
    await post.desk.put(a_dossier(channel="counter", due_at=DAY.format(31)), code=a_code(4))
    await post.desk.put(a_dossier(channel="post", procedure="2.002492"), code=a_code(5))
    await post.desk.put(a_dossier(due_at=None), code=a_code(6))
    await post.desk.push(status("7", 4, 1), code=a_code(6))
    # Handed in and not accepted yet, and of another agency.
    await post.desk.put(a_dossier(received_at=None, submitted_at=DAY.format(1)), code=a_code(7))
    await post.desk.put(a_dossier(), code=a_code(8), caller=NEIGHBOUR)
    found = await counted(post)
    online, total = found.counts.online, found.counts.total
    assert (online.received, total.received, online.resolved, total.resolved) == (4, 6, 3, 3)
    assert (online.early, online.on_time, online.late) == (1, 1, 1)
    assert online.on_time_rate == "0.6667"
    assert (total.within_deadline, total.overdue, total.closed_without_result) == (0, 2, 1)
    assert found.statuses == {"done": 4, "in-progress": 0, "paused": 0, "other": 2}
    assert found.procedures["2.002492"].total.received == 1
    assert (await counted(post, until="2100-01-01")).deliveries == {
        "waiting": 17, "delivered": 0, "late": 0, "quarantined": 0, "dead": 0, "discarded": 0
    }  # fmt: skip
    then = (await counted(post, until="2026-03-10")).counts
    assert (then.total.received, then.online.early, then.online.on_time, then.total.within_deadline) == (6, 1, 0, 4)
    only = await counted(post, procedure="2.002492")
    assert (only.counts.total.received, list(only.procedures), only.deliveries) == (1, ["2.002492"], None)
    before = (await counted(post, until="2026-02-01")).counts.total
    assert before.received == before.within_deadline == before.overdue == 0


async def test_an_extension_counts_and_the_newest_version_speaks_first(post: Post) -> None:
    await post.desk.put(a_dossier())
    await post.desk.push(status("9", 12, 1))
    await post.desk.push(status("10", 12, 2))
    assert (await counted(post)).counts.online.late == 1
    await post.desk.put(a_dossier(due_at=DAY.format(15)))
    assert (await counted(post)).counts.online.early == 1
    await post.desk.put(a_dossier(due_at=DAY.format(15), returned_at=DAY.format(20)))
    assert (await counted(post)).counts.online.late == 1


async def test_statuses_that_came_before_their_dossier_count_with_it(local: Post) -> None:
    await local.desk.push(status("4", 2, 1))
    await local.desk.push(status("10", 5, 2))
    assert (await counted(local)).counts.total.received == 0
    await local.desk.put(a_dossier(received_at=None, submitted_at=DAY.format(1)))
    found = (await counted(local)).counts.online
    assert (found.received, found.resolved, found.early) == (1, 1, 1)


async def test_what_is_in_quarantine_or_was_given_up_says_nothing(local: Post) -> None:
    await local.desk.put(a_dossier())
    await local.desk.push(status("10", 5, 1, vocabulary="bhxh"))
    assert [row["state"] for row in await local.desk.rows()] == ["queued", "quarantined"]
    await local.desk.push(status("10", 6, 2))
    assert (await counted(local)).counts.online.early == 1
    assert await do(local, "discard", Filter("H26", state="queued"), 2) == ["discarded"] * 2
    found = (await counted(local)).counts.online
    assert (found.received, found.early, found.resolved) == (1, 0, 0)


@pytest.mark.parametrize("readable", [True, False], ids=["readable", "destroyed"])
async def test_older_dossiers_get_their_figures_from_their_sealed_bodies(
    local: Post, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    await local.desk.put(a_dossier(due_at=DAY.format(12)))
    await local.desk.push(status("10", 11, 1))
    before = await local.desk.rows(DOSSIER_FIGURES)
    storage = local.desk.world.storage
    await storage.write(lambda connection: connection.execute(delete(DOSSIER_FIGURES)))
    opener = Opener(DossierSealer(local.desk.world.sealer))
    if not readable:

        async def none(rows: object) -> dict[str, Any]:
            return {}

        monkeypatch.setattr(opener, "bodies", none)
    await fill(storage, opener)
    (after,) = await local.desk.rows(DOSSIER_FIGURES)
    assert ([after] == before) is readable
    assert (after["code"], after["agency"], after["returned_at"]) == (CODE, "H26", before[0]["returned_at"])
    await fill(storage, opener)
    assert await local.desk.rows(DOSSIER_FIGURES) == [after]
