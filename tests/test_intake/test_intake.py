"""What becomes of what is handed in: accepted, waiting, late, in quarantine, known already."""

import asyncio

import pytest

from schemas.errors import Conflict, IdempotencyInProgress, IdempotencyKeyReused, Refused
from security.audit.verification import verify
from sync.intake import Taken
from sync.sealing import DossierSealer
from sync.tables import DOSSIER_VERSIONS, DOSSIERS, IDEMPOTENCY
from tests.test_intake.world import CODE, NEIGHBOUR, OTHER_CODE, PROVINCE, Desk, a_dossier, a_status


async def test_a_dossier_and_its_statuses_are_queued_in_order(desk: Desk) -> None:
    registered = await desk.put()
    assert (registered.result, registered.status, registered.version) == ("accepted", 201, 1)
    for sequence, status in enumerate(("4", "9", "10"), 1):
        taken = await desk.push(a_status(status, sequence=sequence))
        assert (taken.result, taken.reason, taken.status) == ("accepted", None, 202)
        assert taken.receipt.index == registered.receipt.index + sequence
    assert await desk.states() == [(None, "queued", None), *((code, "queued", None) for code in ("4", "9", "10"))]
    rows = await desk.rows()
    assert [row["position"] for row in rows] == [registered.receipt.index + place for place in range(4)]
    (dossier,) = await desk.rows(DOSSIERS)
    assert (dossier["agency"], dossier["status"], dossier["version"]) == ("H26", "10", 1)
    assert dossier["next_due"] == rows[0]["accepted_at"]


async def test_every_acceptance_has_an_entry_that_opens_to_what_was_handed_in(desk: Desk) -> None:
    body = a_status(note="Đã chuyển phòng chuyên môn", sequence=1)
    taken = await desk.push(body)
    recorded = (await desk.world.reader.show(taken.receipt.index)).entry
    assert recorded["kind"] == "intake"
    assert recorded["dossier"] == CODE
    assert recorded["id"] == taken.event_id
    assert recorded["details"] == {
        "event_at": "2026-11-30T02:00:00.000000Z",
        "sequence": 1,
        "status": "4",
        "vocabulary": "national",
    }
    (row,) = await desk.rows()
    opened = DossierSealer(desk.world.sealer).open(row["event_id"], row["period"], row["slot"], row["sealed"])
    assert b"chuy" in opened
    registered = await desk.put()
    (found,) = await desk.world.reader.search("personal-id", "001090123456")
    assert found.index == registered.receipt.index
    assert (await verify(desk.world.storage, [desk.world.signer.verifier], desk.world.sealer)).valid


async def test_statuses_of_an_unregistered_dossier_wait_for_it(desk: Desk) -> None:
    first = await desk.push(a_status("4", sequence=1))
    second = await desk.push(a_status("9", sequence=2))
    assert [(one.result, one.reason) for one in (first, second)] == [("waiting", "unregistered")] * 2
    (dossier,) = await desk.rows(DOSSIERS)
    rows = await desk.rows()
    assert dossier["next_due"] == rows[0]["accepted_at"] + 72 * 3_600_000
    await desk.put()
    assert [row["state"] for row in await desk.rows()] == ["queued"] * 3
    ranks = sorted((row["ordinal"], row["behind"], row["kind"]) for row in await desk.rows())
    assert [kind for _, _, kind in ranks] == ["registration", "status", "status"]


async def test_an_adopted_dossier_sends_its_statuses_only(desk: Desk) -> None:
    await desk.push(a_status("4"))
    adopted = await desk.put(a_dossier(deliver=False))
    assert adopted.status == 201
    assert await desk.states() == [("4", "queued", None)]
    (version,) = await desk.rows(DOSSIER_VERSIONS)
    assert (version["version"], version["deliver"]) == (1, 0)


async def test_a_missing_sequence_holds_back_what_follows_until_it_comes(desk: Desk) -> None:
    await desk.put()
    third = await desk.push(a_status("9", sequence=3))
    assert (third.result, third.reason) == ("waiting", "gap")
    behind = await desk.push(a_status("10"))
    assert (behind.result, behind.reason) == ("waiting", "behind-gap")
    amended = await desk.put(a_dossier(summary="Khác"))
    assert (amended.result, amended.reason, amended.status) == ("waiting", "behind-gap", 200)
    other = await desk.push(a_status("4", sequence=1), code=OTHER_CODE)
    assert other.reason == "unregistered"
    await desk.push(a_status("2", sequence=1))
    assert (await desk.push(a_status("4", sequence=2))).result == "accepted"
    mine = [row for row in await desk.rows() if row["code"] == CODE and row["kind"] == "status"]
    assert [row["state"] for row in mine] == ["queued"] * 4
    ordered = sorted(mine, key=lambda row: (row["ordinal"], row["behind"], row["position"]))
    assert [row["national"] for row in ordered] == ["2", "4", "9", "10"]


async def test_what_has_no_national_meaning_goes_to_quarantine_with_what_came(desk: Desk) -> None:
    await desk.put()
    unknown = await desk.push(a_status("Anh Ba nộp thiếu giấy", vocabulary="bhxh", sequence=1))
    assert (unknown.result, unknown.reason) == ("quarantined", "unknown-status")
    assert (await desk.push(a_status("2", vocabulary="nowhere", sequence=2))).reason == "unknown-vocabulary"
    assert (await desk.push(a_status("2", vocabulary="bhxh", sequence=3))).result == "accepted"
    rows = [row for row in await desk.rows() if row["kind"] == "status"]
    assert [row["source_status"] for row in rows] == [None, "2", "2"]
    assert [row["national"] for row in rows] == [None, None, "4"]


async def test_a_time_that_has_not_come_goes_to_quarantine(desk: Desk) -> None:
    await desk.put()
    taken = await desk.push(a_status(at="2199-01-01T00:00:00Z"))
    assert (taken.result, taken.reason) == ("quarantined", "at-in-future")


async def test_what_follows_an_end_goes_to_quarantine_unless_its_source_may_do_so(desk: Desk) -> None:
    await desk.put()
    await desk.push(a_status("10"))
    taken = await desk.push(a_status("4"))
    assert (taken.result, taken.reason) == ("quarantined", "transition-after-end")
    flagged = [row["flags"] for row in await desk.rows()]
    assert flagged == ["", "skipped returned-while-unresolved", "after-end"]


async def test_a_key_sent_again_is_answered_as_the_first_time(desk: Desk) -> None:
    await desk.put()
    first = await desk.push(a_status(), key="k-1")
    again = await desk.push(a_status(), key="k-1")
    assert again.replayed
    assert (again.result, again.event_id, again.receipt) == (first.result, first.event_id, first.receipt)
    with pytest.raises(IdempotencyKeyReused):
        await desk.push(a_status("9"), key="k-1")
    with pytest.raises(IdempotencyKeyReused):
        await desk.push(a_status(), key="k-1", code=OTHER_CODE)
    theirs = await desk.push(a_status(), key="k-1", caller=NEIGHBOUR)
    assert not theirs.replayed
    assert len(await desk.rows(IDEMPOTENCY)) == 2


async def test_a_sequence_sent_again_under_another_key_is_the_same_event(desk: Desk) -> None:
    await desk.put()
    first = await desk.push(a_status(sequence=1))
    again = await desk.push(a_status(sequence=1))
    assert (again.result, again.event_id, again.receipt) == ("duplicate", first.event_id, first.receipt)
    with pytest.raises(Conflict):
        await desk.push(a_status("9", sequence=1))
    assert len(await desk.rows()) == 2


async def test_one_of_two_that_come_at_once_is_told_to_wait(desk: Desk) -> None:
    results = await asyncio.gather(*(desk.push(a_status(), key="k-1") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, Taken) for each in results) == 1
    assert sum(isinstance(each, IdempotencyInProgress) for each in results) == 4
    assert (await desk.push(a_status(), key="k-1")).replayed


async def test_amendments_keep_every_version_and_the_same_body_is_none(desk: Desk) -> None:
    first = await desk.put()
    amended = await desk.put(a_dossier(summary="Bổ sung giấy tờ"))
    assert (amended.status, amended.version) == (200, 2)
    again = await desk.put(a_dossier(summary="Bổ sung giấy tờ"))
    assert (again.status, again.version, again.receipt) == (200, 2, amended.receipt)
    back = await desk.put()
    assert back.version == 3
    assert [row["version"] for row in await desk.rows(DOSSIER_VERSIONS)] == [1, 2, 3]
    assert [row["position"] for row in await desk.rows()] == [
        first.receipt.index,
        amended.receipt.index,
        back.receipt.index,
    ]


async def test_another_agency_neither_amends_nor_moves_a_dossier(desk: Desk) -> None:
    waited = await desk.push(a_status("4"), caller=NEIGHBOUR)
    assert waited.result == "waiting"
    await desk.put()
    with pytest.raises(Refused):
        await desk.put(a_dossier(summary="x"), caller=NEIGHBOUR)
    taken = await desk.push(a_status("9"), caller=NEIGHBOUR)
    assert (taken.result, taken.reason) == ("quarantined", "other-agency")
    assert await desk.states() == [
        ("4", "quarantined", "other-agency"),
        (None, "queued", None),
        ("9", "quarantined", "other-agency"),
    ]
    (dossier,) = await desk.rows(DOSSIERS)
    assert dossier["status"] == "2"


async def test_a_group_is_one_commit_and_a_repetition_in_it_is_seen(desk: Desk) -> None:
    await desk.put()
    pushes = [desk.status(a_status("4", sequence=place), key=f"k-{place}") for place in range(1, 6)]
    pushes.insert(3, desk.status(a_status("4", sequence=2), key="k-2"))
    pushes.append(desk.status(a_status("9", sequence=2), key="k-9"))
    results = await desk.all(pushes)
    assert [one.result if isinstance(one, Taken) else one.code for one in results] == [*["accepted"] * 6, "conflict"]
    replayed = results[3]
    assert isinstance(replayed, Taken)
    assert replayed.replayed
    assert replayed.receipt == results[1].receipt
    sizes = {one.receipt.size for one in results if isinstance(one, Taken)}
    assert len(sizes) == 1
    assert all(one.replayed for one in await desk.all(pushes[:6]) if isinstance(one, Taken))
    assert len(await desk.rows()) == 6


async def test_pushers_at_once_lose_and_double_nothing(desk: Desk) -> None:
    async def pusher(number: int) -> list[Taken]:
        code = f"000.00.00.H26-261130-{number:04}"
        taken = [await desk.put(code=code)]
        for sequence in (2, 1, 3):
            for _ in range(2):
                taken.append(await desk.push(a_status(sequence=sequence), code=code, key=f"{number}-{sequence}"))  # noqa: PERF401
        return taken

    everything = [one for each in await asyncio.gather(*map(pusher, range(8))) for one in each]
    assert len(everything) == 8 * 7
    rows = await desk.rows()
    assert len(rows) == 8 * 4
    assert {row["state"] for row in rows} == {"queued"}
    assert {row["event_id"] for row in rows} == {one.event_id for one in everything}
    assert PROVINCE.client_id == rows[0]["client_id"]
