"""Whoever cannot write evidence is not ready, in every process, and is ready again by itself when there is room."""

import asyncio
import os
import pwd
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from routes.readiness import health_checks
from schemas.errors import EvidenceUnavailable
from security.registry import ClientRegistry
from storage.engine import Storage
from storage.schema import open_storage
from tests.services import UNPRIVILEGED, Postgres
from tests.test_audit.audit_world import World, a_world, evidence
from tests.test_audit.test_failures import no_file_larger_than

Ready = Callable[[], Coroutine[Any, Any, bool]]


@contextmanager
def small_disk(folder: Path, owner: int = 0) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount one; a limit on the size of files is tested for everybody")
    folder.mkdir()
    options = f"size=24m,mode=0700,uid={owner}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "lgsp-test", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))


def readiness_of(storage: Storage, url: str, vault: Path) -> Ready:
    """The check of storage as one process asks itself."""
    settings: Any = SimpleNamespace(
        storage=SimpleNamespace(url=url, reserve=0), keys=SimpleNamespace(vault=vault), endpoints={}, witness={}
    )
    checks = health_checks(settings, storage, SimpleNamespace(), ClientRegistry(storage))  # type: ignore[arg-type]
    (check,) = (each for each in checks if each.name == "storage")

    async def ready() -> bool:
        verdict = await check.probe()
        assert verdict.ok or "lgsp doctor" in (verdict.hint or "")
        return verdict.ok

    return ready


async def refused(world: World) -> None:
    """Record until nothing is taken any more."""
    for _ in range(5000):
        try:
            await world.log.record(evidence("001090123456", data=os.urandom(2000)))
        except EvidenceUnavailable:
            return
    raise AssertionError("the disk does not fill")


async def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        url = f"sqlite:///{disk}/gateway.db"
        async with a_world(url, disk / "vault") as world:
            await world.log.record(evidence("001090123456"))
            other = await open_storage(url)
            here, there = (readiness_of(storage, url, disk / "vault") for storage in (world.storage, other))
            assert (await here(), await there()) == (True, True)
            fill(disk / "ballast")
            await refused(world)
            # Another process knows too, though nothing was to be written there yet.
            assert [(await here(), await there()) for _ in range(5)] == [(False, False)] * 5
            (disk / "ballast").unlink()
            assert (await here(), await there()) == (True, True)
            await world.log.record(evidence("001090123456"))
            await other.close()


async def test_a_commit_that_is_refused_for_want_of_room(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        ready = readiness_of(world.storage, sqlite_url, tmp_path / "vault")
        await world.log.record(evidence("001090123456"))
        with no_file_larger_than((tmp_path / "gateway.db-wal").stat().st_size + 100):
            await refused(world)
            # What needs no room does not tell, and does not end the doubt.
            await world.storage.write(lambda connection: None)
            assert [await ready() for _ in range(3)] == [False] * 3
        assert await ready()
        await world.log.record(evidence("001090123456"))


async def test_who_only_asks_writes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        ready = readiness_of(world.storage, sqlite_url, tmp_path / "vault")
        journal = (tmp_path / "gateway.db-wal").read_bytes()
        assert [await ready() for _ in range(10)] == [True] * 10
        assert (tmp_path / "gateway.db-wal").read_bytes() == journal


async def test_a_server_whose_disk_is_full(postgres: Postgres, tmp_path: Path) -> None:
    address = make_url(postgres.fresh())
    owner = pwd.getpwnam(UNPRIVILEGED).pw_uid

    async def administer(*statements: str) -> None:
        connection = await asyncpg.connect(user="lgsp", host=str(address.query["host"]), database="postgres")
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    # Where the server's user may look.
    with TemporaryDirectory(prefix="lgsp-full-") as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "disk", owner) as disk:
            place = f"CREATE TABLESPACE small LOCATION '{disk}'"
            await administer(place, "CREATE DATABASE small TABLESPACE small")
            url = address.set(database="small").render_as_string(hide_password=False)
            async with a_world(url, tmp_path / "vault") as world:
                ready = readiness_of(world.storage, url, tmp_path / "vault")
                await world.log.record(evidence("001090123456"))
                assert await ready()
                await asyncio.to_thread(fill, disk / "ballast")
                await refused(world)
                assert [await ready() for _ in range(5)] == [False] * 5
                (disk / "ballast").unlink()
                assert await ready()
                await world.log.record(evidence("001090123456"))
            await administer("DROP DATABASE small", "CHECKPOINT", "DROP TABLESPACE small")
