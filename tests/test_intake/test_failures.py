"""When storage fails nothing is accepted, what was accepted stays, and pushing again is safe."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from schemas.errors import EvidenceUnavailable
from security.audit.vault import Vault
from security.audit.verification import verify
from sync.intake import Taken
from tests.services import Postgres
from tests.test_audit.test_failures import _full, no_file_larger_than
from tests.test_intake.world import CODE, Desk, a_desk, a_status


async def whole(desk: Desk, accepted: dict[int, Taken]) -> None:
    """Every accepted event is there once, sending again is answered from it, and the log verifies."""
    for sequence, taken in accepted.items():
        again = await desk.push(a_status(sequence=sequence), key=f"k-{sequence}")
        assert again.replayed
        assert (again.event_id, again.receipt.index) == (taken.event_id, taken.receipt.index)
    rows = [row for row in await desk.rows() if row["kind"] == "status"]
    assert {row["event_id"] for row in rows} >= {taken.event_id for taken in accepted.values()}
    assert len({row["sequence"] for row in rows}) == len(rows)
    found = await verify(desk.world.storage, [desk.world.signer.verifier], desk.world.sealer)
    assert found.valid, found


async def test_full_disk(sqlite_url: str, tmp_path: Path) -> None:
    async with a_desk(sqlite_url, tmp_path / "vault") as desk:
        await desk.put()
        accepted = {1: await desk.push(a_status(sequence=1), key="k-1")}
        with no_file_larger_than((tmp_path / "gateway.db-wal").stat().st_size + 100):
            for sequence in (2, 3):
                with pytest.raises(EvidenceUnavailable):
                    await desk.push(a_status(sequence=sequence), key=f"k-{sequence}")
        accepted[2] = await desk.push(a_status(sequence=2), key="k-2")
        assert not accepted[2].replayed
        await whole(desk, accepted)


async def test_vault_that_takes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.audit.sealing.RESERVE", 1)
    accepted = {1: await desk.push(a_status(sequence=1), key="k-1")}
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "put", _full)
        with pytest.raises(EvidenceUnavailable):
            await desk.push(a_status(sequence=2), key="k-2")
    accepted[2] = await desk.push(a_status(sequence=2), key="k-2")
    await whole(desk, accepted)


async def test_locked_database(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.sqlite.BUSY_TIMEOUT_MS", 50)
    async with a_desk(sqlite_url, tmp_path / "vault") as desk:
        accepted = {1: await desk.push(a_status(sequence=1), key="k-1")}
        other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EvidenceUnavailable):
            await desk.push(a_status(sequence=2), key="k-2")
        other.execute("ROLLBACK")
        other.close()
        accepted[2] = await desk.push(a_status(sequence=2), key="k-2")
        await whole(desk, accepted)


async def test_a_group_that_cannot_be_written_leaves_nothing(sqlite_url: str, tmp_path: Path) -> None:
    async with a_desk(sqlite_url, tmp_path / "vault") as desk:
        await desk.put()
        pushes = [desk.status(a_status(sequence=place), key=f"k-{place}") for place in range(1, 200)]
        room = (tmp_path / "gateway.db-wal").stat().st_size + 20_000
        with no_file_larger_than(room), pytest.raises(EvidenceUnavailable):
            await desk.all(pushes)
        assert len(await desk.rows()) == 1
        results = await desk.all(pushes)
        assert all(isinstance(one, Taken) and not one.replayed for one in results)
        await whole(desk, {place: one for place, one in enumerate(results, 1) if isinstance(one, Taken)})


async def test_postgres_restarted_under_load(postgres: Postgres, postgres_url: str, tmp_path: Path) -> None:
    async with a_desk(postgres_url, tmp_path / "vault") as desk:
        await desk.put()
        accepted: dict[int, Taken] = {}
        numbers = iter(range(1, 1_000_000))
        stop = asyncio.Event()

        async def pusher() -> None:
            for sequence in numbers:
                while True:
                    try:
                        accepted[sequence] = await desk.push(a_status(sequence=sequence), key=f"k-{sequence}")
                    except EvidenceUnavailable:
                        await asyncio.sleep(0.01)
                    else:
                        break
                if stop.is_set():
                    return

        pushers = [asyncio.create_task(pusher()) for _ in range(6)]

        async def some_more() -> None:
            before = len(accepted)
            while len(accepted) < before + 30:
                await asyncio.sleep(0.01)

        for _ in range(2):
            await some_more()
            await asyncio.to_thread(postgres.stop)
            await asyncio.to_thread(postgres.start)
        await some_more()
        stop.set()
        await asyncio.gather(*pushers)
        rows = [row for row in await desk.rows() if row["kind"] == "status"]
        assert sorted(row["sequence"] for row in rows) == sorted(accepted)
        assert {row["code"] for row in rows} == {CODE}
        await whole(desk, accepted)


async def test_an_error_of_one_event_is_not_kept_for_its_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr("sync.queue.Queues.accept", broken)
        with pytest.raises(Exception, match="Internal error"):
            await desk.push(a_status(sequence=1), key="k-1")
    taken = await desk.push(a_status(sequence=1), key="k-1")
    assert not taken.replayed
