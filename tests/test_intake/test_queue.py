"""What becomes of what waits: gaps given up, registrations that never came, several sources of one dossier."""

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Connection

from config.sync import Sync
from storage.bulk import rows_among
from sync.heads import in_order, settle
from sync.queue import Queues
from sync.recall import forget
from sync.rows import EVENT_COLUMNS, Event
from sync.tables import DOSSIER_EVENTS, DOSSIERS, IDEMPOTENCY
from tests.test_intake.world import CODE, Desk, a_caller, a_status


def released(connection: Connection, codes: Sequence[str]) -> dict[str, list[Event]]:
    """Read what of these dossiers is queued or being sent, each in the order in which it goes."""
    found: dict[str, list[Event]] = {}
    for state in ("sending", "queued"):
        for row in rows_among(
            connection, EVENT_COLUMNS, DOSSIER_EVENTS.c.code, codes, ((DOSSIER_EVENTS.c.state, state),)
        ):
            event = Event(*row)
            found.setdefault(event.code, []).append(event)
    return {code: in_order(events) for code, events in found.items()}


HOUR = 3_600_000


async def ripen(desk: Desk, later: int) -> int | None:
    """Look at the dossier `later` milliseconds after its last event; return when to look again."""

    def work(connection: Connection) -> int | None:
        (now,) = [max(row.accepted_at for row in connection.execute(DOSSIER_EVENTS.select()))]
        queues = Queues.load(connection, [CODE], now + later, Sync())
        queues.ripen(CODE)
        queues.save()
        queues = Queues.load(connection, [CODE], now + later, Sync())
        settle(queues, CODE, released(connection, [CODE]).get(CODE, []))
        queues.save()
        return queues.dossiers[CODE].next_due

    return await desk.world.storage.write(work)


async def heads(desk: Desk) -> list[Event]:
    return (await desk.world.storage.read(lambda connection: released(connection, [CODE]))).get(CODE, [])


async def test_a_gap_is_given_up_after_its_time_and_flagged(desk: Desk) -> None:
    await desk.put()
    await desk.push(a_status("9", sequence=3))
    await desk.push(a_status("10"))
    (dossier,) = await desk.rows(DOSSIERS)
    await ripen(desk, 59_000)
    assert [row["state"] for row in await desk.rows()] == ["queued", "waiting", "waiting"]
    await ripen(desk, 60_001)
    rows = await desk.rows()
    assert [(row["state"], row["reason"]) for row in rows] == [("queued", None)] * 3
    assert [row["flags"] for row in rows] == ["", "gap", ""]
    # It still goes first as long as nothing behind it is being sent.
    assert (await desk.push(a_status("4", sequence=2))).result == "accepted"
    assert [(event.national, event.flags) for event in await heads(desk)] == [
        (None, ""),
        ("4", "gap-filled"),
        ("9", "gap"),
        ("10", ""),
    ]
    assert dossier["next_due"] is not None


async def test_a_registration_that_never_comes_ends_in_quarantine(desk: Desk) -> None:
    await desk.push(a_status(sequence=1))
    await ripen(desk, 72 * HOUR - 1_000)
    assert await desk.states() == [("4", "waiting", "unregistered")]
    assert await ripen(desk, 72 * HOUR) is None
    assert await desk.states() == [("4", "quarantined", "unregistered")]


async def test_what_comes_after_something_behind_it_was_sent_is_late(desk: Desk) -> None:
    await desk.put()
    await desk.push(a_status("9", sequence=3))
    await ripen(desk, 60_001)

    def send(connection: Connection) -> None:
        from schemas.dossiers import ordering

        queues = Queues.load(connection, [CODE], 0, Sync())
        event = released(connection, [CODE])[CODE][-1]
        tracks = queues.tracks[CODE]
        queues.move(CODE, event.client_id, ordering.sent(tracks[event.client_id], event.place))
        queues.save()

    await desk.world.storage.write(send)
    late = await desk.push(a_status("4", sequence=2), key="k")
    assert (late.result, late.reason) == ("late", "overtaken")
    assert (await desk.push(a_status("4", sequence=2), key="k")).replayed
    assert [row["state"] for row in await desk.rows()] == ["queued", "queued", "late"]


async def test_each_source_has_an_order_of_its_own(desk: Desk) -> None:
    office = a_caller("one-stop", "H26")
    await desk.put()
    await desk.push(a_status("4", sequence=2))
    await desk.push(a_status("2", sequence=1), caller=office)
    await desk.push(a_status("4", sequence=2), caller=office)
    await desk.push(a_status("2", sequence=1))
    assert [(event.client_id, event.sequence) for event in await heads(desk)] == [
        ("province", None),
        ("one-stop", 1),
        ("one-stop", 2),
        ("province", 1),
        ("province", 2),
    ]


async def test_a_dossier_that_is_being_sent_is_left_alone(desk: Desk) -> None:
    await desk.put()

    def claim(connection: Connection) -> None:
        connection.execute(DOSSIERS.update().values(lease_owner="w", lease_until=99, next_due=99))

    await desk.world.storage.write(claim)
    await desk.push(a_status("4", sequence=1))
    (dossier,) = await desk.rows(DOSSIERS)
    assert (dossier["next_due"], dossier["lease_until"]) == (99, 99)


async def test_keys_are_forgotten_when_their_time_is_over_and_their_event_has_ended(desk: Desk) -> None:
    for place in range(3):
        await desk.push(a_status(), key=f"k-{place}")
    (first, *_) = await desk.rows(IDEMPOTENCY)
    assert first["expires_at"] - first["created_at"] == 35 * 24 * HOUR

    def ended(connection: Connection) -> None:
        position = min(row.position for row in connection.execute(DOSSIER_EVENTS.select()))
        connection.execute(
            DOSSIER_EVENTS.update().where(DOSSIER_EVENTS.c.position == position).values(state="delivered")
        )

    await desk.world.storage.write(ended)
    ends = [row["expires_at"] for row in await desk.rows(IDEMPOTENCY)]
    at: Callable[[int], Callable[[Connection], int]] = lambda now: lambda connection: forget(connection, now, 1_000)  # noqa: E731
    assert await desk.world.storage.write(at(min(ends) - 1)) == 0
    assert await desk.world.storage.write(at(max(ends) + 1)) == 1
    assert len(await desk.rows(IDEMPOTENCY)) == 2


async def test_keys_are_forgotten_some_at_a_time_the_oldest_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.recall.AT_ONCE", 2)
    row = {"client_id": "c", "body_tag": b"", "position": 0, "event_id": "", "status": 202, "result": "accepted"}
    rows = [row | {"key_tag": bytes([place]), "created_at": 0, "expires_at": 100 - place} for place in range(5)]

    def once(connection: Connection) -> int:
        return forget(connection, 1_000, 1)

    await desk.world.storage.write(lambda connection: connection.execute(IDEMPOTENCY.insert(), rows))
    assert [await desk.world.storage.write(once)] == [2]
    assert [found["key_tag"] for found in await desk.rows(IDEMPOTENCY)] == [bytes([place]) for place in range(3)]
    assert [await desk.world.storage.write(once) for _ in range(3)] == [2, 1, 0]
