"""When storage fails: nobody gets a receipt, nothing is half written, and it works again without a restart."""

import asyncio
import errno
import os
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.errors import EvidenceUnavailable
from schemas.ids import new_id
from security.audit.entries import Evidence, instant
from security.audit.log import AuditLog
from security.audit.reading import Filter
from security.audit.vault import Vault
from security.audit.verification import verify
from storage.sqlite import plain
from tests.services import Postgres
from tests.test_audit.audit_world import World, a_world, evidence


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full, as the kernel shows it to this process: writes beyond `size` fail with EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def still_whole(world: World, entries: int) -> None:
    receipt = await world.log.record(evidence("001090123456"))
    assert receipt.index == entries
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid, found
    assert found.entries == entries + 1


async def test_full_disk(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        with no_file_larger_than((tmp_path / "gateway.db-wal").stat().st_size + 100):
            refused = await asyncio.gather(
                *(world.log.record(evidence("001090123456")) for _ in range(20)), return_exceptions=True
            )
            again = await asyncio.gather(world.log.record(evidence()), return_exceptions=True)
        assert all(isinstance(each, EvidenceUnavailable) for each in [*refused, *again]), refused
        await still_whole(world, 1)


async def test_vault_that_takes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.audit.sealing.RESERVE", 1)
    await world.log.record(evidence("001090123456"))
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "put", _full)
        with pytest.raises(EvidenceUnavailable) as refusal:
            await world.log.record(evidence("001090123456"))
    assert refusal.value.detail.en == "The audit trail cannot be written: the storage refused the entry"
    assert refusal.value.detail.vi == "Không ghi được nhật ký kiểm toán: cơ sở dữ liệu không nhận mục ghi"
    await still_whole(world, 1)


async def test_keys_made_ahead_last_as_long_as_they_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.audit.sealing.RESERVE", 3)
    await world.log.record(evidence("001090123456"))
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "put", _full)
        for expected in (1, 2):
            assert (await world.log.record(evidence("001090123456"))).index == expected
        with pytest.raises(EvidenceUnavailable):
            await world.log.record(evidence("001090123456"))
    await still_whole(world, 3)


async def test_torn_vault_write_is_not_trusted(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.sealing.RESERVE", 1)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        slots = next((tmp_path / "vault").glob("2*.slots"))
        with no_file_larger_than(slots.stat().st_size + 50), pytest.raises(EvidenceUnavailable):
            await world.log.record(evidence("001090123456"))
        await still_whole(world, 1)


async def test_slot_half_written_by_a_crash_costs_that_slot_alone(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.sealing.RESERVE", 1)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
    slots = next((tmp_path / "vault").glob("2*.slots"))
    with slots.open("ab") as file:
        file.write(b"\x01torn")
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        assert (await world.reader.open(0)).subjects
        await still_whole(world, 1)
        assert (await world.reader.open(1)).subjects


async def test_vault_on_a_volume_that_became_read_only(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.sealing.RESERVE", 1)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        real, vault = os.open, str(tmp_path / "vault")

        def read_only(path: object, flags: int, *rest: object, **more: object) -> int:
            if str(path).startswith(vault) and flags & (os.O_WRONLY | os.O_RDWR):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return real(path, flags, *rest, **more)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", read_only)
            with pytest.raises(EvidenceUnavailable):
                await world.log.record(evidence("001090123456"))
            # What has nothing to seal needs no vault, and is still recorded.
            assert (await world.log.record(Evidence(new_id(), "admin", datetime.now(UTC)))).index == 1
        await still_whole(world, 2)


async def test_disk_that_fails_to_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.log.record(evidence("001090123456"))

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("security.audit.batch.complete", fail)
        refused = await asyncio.gather(*(world.log.record(evidence()) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(each, EvidenceUnavailable) for each in refused)
    await still_whole(world, 1)


async def test_clock_that_is_set_back_moves_no_entry(world: World) -> None:
    """Indexes say what came first; times are what the clock said, and nothing is refused or changed for them."""
    now = datetime.now(UTC)
    times = [now, now - timedelta(hours=3), now - timedelta(days=40), now]
    for place, at in enumerate(times):
        assert (await world.log.record(evidence("001090123456", at=at))).index == place
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid, found
    shown = [each.entry["at"] for each in await world.reader.entries(Filter())]
    assert shown == [instant(at) for at in times]
    # The period of a sealed row is that of its entry's time, so that it is found and erased with the others of then.
    assert len(await world.reader.search("personal-number", "001090123456")) == 4
    # Each period is whole for who asks by time.
    assert [each.index for each in await world.reader.entries(Filter(before=now - timedelta(days=1)))] == [2]
    older = await world.reader.consistency(1, 4)
    assert older


async def test_database_that_is_gone(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        with plain(tmp_path / "gateway.db") as other:
            other.execute("DROP TABLE audit_entries")
        with pytest.raises(EvidenceUnavailable):
            await world.log.record(evidence("001090123456"))


async def test_locked_database_is_waited_for_then_refused(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.sqlite.BUSY_TIMEOUT_MS", 50)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence())
        other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EvidenceUnavailable):
            await world.log.record(evidence())
        other.execute("ROLLBACK")
        other.close()
        await still_whole(world, 1)


async def test_writer_that_holds_the_lock_too_long(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.log.PATIENCE_S", 0.05)
    async with a_world(sqlite_url, tmp_path / "vault") as world, a_world(sqlite_url, tmp_path / "vault") as other:
        async with other.storage.writing():
            with pytest.raises(EvidenceUnavailable):
                await world.log.record(evidence("001090123456"))
        monkeypatch.setattr("security.audit.log.PATIENCE_S", 10)
        # What nobody waits for any more may still be written: an entry without a receipt harms nobody.
        receipt = await world.log.record(evidence("001090123456"))
        assert receipt.index in {0, 1}
        assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid


async def test_too_many_waiting_entries_are_refused_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.audit.log.BACKLOG", 10)
    results = await asyncio.gather(*(world.log.record(evidence()) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(each, EvidenceUnavailable) for each in results) == 20
    await still_whole(world, 10)


async def test_postgres_restart(postgres: Postgres, postgres_url: str, tmp_path: Path) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        await asyncio.to_thread(postgres.stop)
        try:
            with pytest.raises(EvidenceUnavailable):
                await world.log.record(evidence("001090123456"))
            with pytest.raises(EvidenceUnavailable):
                await AuditLog.open(world.storage, world.signer, world.sealer)
        finally:
            await asyncio.to_thread(postgres.start)
        await still_whole(world, 1)


async def test_postgres_connections_cut_while_idle_are_not_noticed(
    postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        await asyncio.to_thread(postgres.stop)
        await asyncio.to_thread(postgres.start)
        await still_whole(world, 1)


async def test_postgres_restart_under_load_loses_no_receipt(
    postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world:
        given: list[tuple[int, str]] = []
        stop = asyncio.Event()

        async def caller() -> None:
            while not stop.is_set():
                event = evidence("001090123456")
                with suppress(EvidenceUnavailable):
                    given.append(((await world.log.record(event)).index, event.id))
                # Each receipt is looked at below.
                await asyncio.sleep(0.01)

        callers = [asyncio.create_task(caller()) for _ in range(8)]
        for _ in range(2):
            before = len(given)
            while len(given) < before + 50:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(postgres.stop)
            await asyncio.to_thread(postgres.start)
        before = len(given)
        while len(given) < before + 50:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*callers)
        for index, event in given:
            assert (await world.reader.show(index)).entry["id"] == event
        assert len({index for index, _ in given}) == len(given)
        found = await verify(world.storage, [world.signer.verifier], world.sealer)
        assert found.valid, found
