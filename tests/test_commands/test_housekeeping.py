"""The worker: warnings before something ends, once each, and rows that are forgotten in time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select

from config.logging import configure
from config.metrics import metrics
from config.settings import Settings, load
from routes.housekeeping import Housekeeper
from security.assertions import USED, UsedAssertions
from security.client_store import REVOKED_TOKENS, load_all, revoke_token, store
from security.clients import Client, StoredCredential
from security.keys import LIFETIMES, KeyRing
from storage.engine import Storage
from sync.database import open_storage
from sync.running import Running
from sync.tables import IDEMPOTENCY
from tests.test_commands.conftest import Deployment

DAY = 86_400


@pytest.fixture
def settings(deployed: Deployment) -> Settings:
    return load(deployed.file)


@pytest.fixture
async def storage(settings: Settings) -> AsyncIterator[Storage]:
    opened = await open_storage(settings.storage.url)
    yield opened
    await opened.close()


@pytest.fixture
def lines() -> StringIO:
    stream = StringIO()
    configure("info", stream)
    return stream


def warned(lines: StringIO, name: str) -> list[tuple[str, int]]:
    events = map(json.loads, lines.getvalue().splitlines())
    return [(event["event"], event["days"]) for event in events if event.get("name") == name]


async def test_an_end_is_announced_at_thirty_fourteen_and_seven_days(
    settings: Settings, storage: Storage, lines: StringIO
) -> None:
    house = Housekeeper(settings, storage)
    ends = KeyRing(settings.keys.directory).current("token").expires
    for days in (40, 31, 29, 25, 15, 13, 8, 6, 1, -1, -2):
        for _ in range(2):
            await house.round(ends - timedelta(days=days))
    assert warned(lines, "token-1") == [
        ("expires-soon", 29),
        ("expires-soon", 13),
        ("expires-soon", 6),
        ("expired", -1),
    ]
    assert warned(lines, "server.tls.certificate") == []


async def test_a_renewed_key_is_quiet_and_a_worker_started_late_still_warns(
    settings: Settings, storage: Storage, lines: StringIO
) -> None:
    keys = KeyRing(settings.keys.directory)
    late = keys.current("token").created + timedelta(days=LIFETIMES["token"] - 3)
    await Housekeeper(settings, storage).round(late)
    assert warned(lines, "token-1") == [("expires-soon", 3)]
    keys.rotate("token", overlap=timedelta(hours=1), now=late)
    lines.truncate(0)
    await Housekeeper(settings, storage).round(late)
    assert warned(lines, "token-1") == warned(lines, "token-2") == []


async def test_ends_are_counted_by_how_near_they_are(settings: Settings, storage: Storage) -> None:
    def counted() -> dict[str, float]:
        (family,) = metrics().expiring.collect()
        return {one.labels["days"]: one.value for one in family.samples if one.labels["kind"] == "client-certificate"}

    now = datetime.now(UTC)
    ends = [timedelta(days=days) for days in (200, 29, 13, 6, -1)]

    def register(connection: Connection) -> None:
        for number, left in enumerate(ends):
            held = StoredCredential("mtls", f"sha256:{number}", {"sha256": str(number)}, now, now + left)
            made = Client(client_id=f"c{number}", name="c", agency="H26", created_at=now, credentials=(held,))
            store(connection, made)
        # Known by its subject as well, it may renew its certificate without us.
        near = StoredCredential("mtls", "sha256:near", {"sha256": "near"}, now, now + timedelta(days=3))
        named = StoredCredential("mtls", "subject-x", {"subject": "CN=x", "issuer": ""}, now)
        store(connection, Client(client_id="x", name="x", agency="H26", created_at=now, credentials=(near, named)))

    await storage.write(register)
    await Housekeeper(settings, storage).round(now)
    assert counted() == {"30": 4, "14": 3, "7": 2, "0": 1}

    def renew(connection: Connection) -> None:
        (client,) = [one for one in load_all(connection) if one.client_id == "c3"]
        after = StoredCredential("mtls", "sha256:new", {"sha256": "new"}, now, now + timedelta(days=300))
        store(connection, replace(client, credentials=(*client.credentials, after)))

    await storage.write(renew)
    await Housekeeper(settings, storage).round(now)
    assert counted() == {"30": 3, "14": 2, "7": 1, "0": 1}


async def test_what_is_over_is_forgotten_and_the_rest_is_not(settings: Settings, storage: Storage) -> None:
    now = datetime.now(UTC)
    seconds = int(now.timestamp())

    def fill(connection: Connection) -> None:
        connection.execute(
            insert(USED),
            [{"digest": b"over", "expires_at": seconds - DAY - 1}, {"digest": b"lives", "expires_at": seconds - DAY}],
        )
        # Numbers must go on behind the highest, so the newest row stays although it is over.
        rows = [(1, "over", -9), (2, "lives", 60), (3, "newest", -5)]
        connection.execute(
            insert(REVOKED_TOKENS), [{"number": n, "token_id": t, "expires_at": seconds + s} for n, t, s in rows]
        )
        same = {"client_id": "c", "body_tag": b"", "position": 0, "event_id": "", "status": 202, "result": "accepted"}
        keys = [(b"over", -1), (b"lives", 1)]
        connection.execute(
            insert(IDEMPOTENCY),
            [same | {"key_tag": k, "created_at": 0, "expires_at": (seconds + s) * 1000} for k, s in keys],
        )

    await storage.write(fill)
    passed = [0.0]
    house = Housekeeper(settings, storage, Running(lambda: passed[0]))
    await house.round(now)
    passed[0] = 35.0 * DAY
    await house.round(now)
    used = await storage.read(lambda connection: connection.execute(select(USED.c.digest)).scalars().all())
    ended = await storage.read(
        lambda connection: connection.execute(select(REVOKED_TOKENS.c.token_id).order_by("number")).scalars().all()
    )
    known = await storage.read(lambda connection: connection.execute(select(IDEMPOTENCY.c.key_tag)).scalars().all())
    assert (used, ended, known) == ([b"lives"], ["lives", "newest"], [b"lives"])
    await storage.write(lambda connection: revoke_token(connection, "next", seconds + 60, seconds))
    highest = await storage.read(
        lambda connection: connection.execute(select(func.max(REVOKED_TOKENS.c.number))).scalar()
    )
    assert highest == 4


async def test_a_clock_that_is_ahead_lets_no_key_be_forgotten(settings: Settings, storage: Storage) -> None:
    now = datetime.now(UTC)
    row = {"client_id": "c", "body_tag": b"", "position": 0, "event_id": "", "status": 202, "result": "accepted"}
    ends = int((now + timedelta(days=35)).timestamp()) * 1000

    def kept(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(IDEMPOTENCY)).scalar_one()

    def fill(connection: Connection) -> None:
        connection.execute(insert(IDEMPOTENCY), [row | {"key_tag": b"k", "created_at": 0, "expires_at": ends}])

    await storage.write(fill)
    clocks = [0.0, 0.0]
    ahead, right = (Housekeeper(settings, storage, Running(lambda at=at: clocks[at])) for at in (0, 1))  # type: ignore[misc]
    far = now + timedelta(days=400)
    # Two that run together and are started again and again count no day twice.
    for day in range(35):
        clocks = [day * float(DAY)] * 2
        await ahead.round(far)
        await right.round(now)
        await Housekeeper(settings, storage).round(far)
        assert await storage.read(kept) == 1
    clocks = [35.0 * DAY] * 2
    await right.round(now)
    assert await storage.read(kept) == 1
    await ahead.round(far)
    assert await storage.read(kept) == 0


async def test_a_clock_that_was_ahead_lets_no_used_nonce_be_forgotten(settings: Settings, storage: Storage) -> None:
    now = datetime.now(UTC)
    seconds = int(now.timestamp())
    memory = UsedAssertions(storage)
    assert await memory.first_use("signature:c", "n-1", seconds + 420, seconds)
    house = Housekeeper(settings, storage)
    for ahead in (timedelta(minutes=30), timedelta(hours=7), timedelta(days=1)):
        await house.round(now + ahead)
        # Others sign meanwhile by that clock, and using forgets as well.
        then = int((now + ahead).timestamp())
        assert await memory.first_use("signature:c", f"at-{then}", then + 420, then)
        assert not await memory.first_use("signature:c", "n-1", seconds + 420, seconds + 60)
    await house.round(now + timedelta(days=1, seconds=421))
    assert await memory.first_use("signature:c", "n-1", seconds + 420, seconds + 60)


async def test_keys_that_became_unusable_do_not_stop_the_round(
    settings: Settings, storage: Storage, lines: StringIO
) -> None:
    (settings.keys.directory / "log.0001.key").chmod(0o644)
    await Housekeeper(settings, storage).round(datetime.now(UTC))
    events = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["keys-unusable"]
    assert "chmod" in events[0]["hint"]


async def test_scarce_space_is_told_once(settings: Settings, storage: Storage, lines: StringIO, tmp_path: Path) -> None:
    scarce = settings.model_copy(update={"storage": settings.storage.model_copy(update={"reserve": 1 << 62})})
    house = Housekeeper(scarce, storage)
    for _ in range(2):
        await house.round(datetime.now(UTC))
    events = [json.loads(line)["event"] for line in lines.getvalue().splitlines()]
    assert events == ["storage-scarce"]
