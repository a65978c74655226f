"""A node of several is frozen, or lost with its connections, in the middle of a commit: the others and it go on."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url, select

from schemas.errors import EvidenceUnavailable
from security.audit.tables import ENTRIES
from security.audit.verification import verify
from storage import postgres
from storage.engine import Run
from storage.schema import open_storage, upgrade
from tests.test_audit.audit_world import World, a_world, evidence

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120
IDLE_MS = 500
STATEMENT_S = 3
SOCKET = ".s.PGSQL.5432"


@dataclass
class Between:
    """What stands between a node and the server: it can keep a COMMIT to itself, and whole connections in silence."""

    folder: Path
    server: Path
    armed: bool = False
    in_vain: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    silent: set[asyncio.Task[None]] = field(default_factory=set)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_unix_connection(str(self.server / SOCKET))
        task = asyncio.current_task()
        assert task is not None
        self.under_way.add(task)

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, *, asked: bool) -> None:
            while data := await source.read(1 << 16):
                if asked and self.armed and b"COMMIT;\0" in data:
                    self.armed = False
                    self.held.set()
                    await asyncio.Event().wait()
                if task in self.silent:
                    # An `X` only says goodbye.
                    self.in_vain += asked and data[:1] != b"X"
                    await asyncio.Event().wait()
                target.write(data)
                await target.drain()

        ways = [
            asyncio.create_task(pass_on(reader, questions, asked=True)),
            asyncio.create_task(pass_on(answers, writer, asked=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if task in self.silent:
                await asyncio.Event().wait()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            questions.close()
            writer.close()

    def fall_silent(self) -> None:
        """Neither pass on nor end any more what is connected now; what comes is passed on."""
        self.silent |= self.under_way


@asynccontextmanager
async def between(url: str) -> AsyncIterator[tuple[Between, str]]:
    """Stand before the server of this address; yields with the address by way of it."""
    address = make_url(url)
    with TemporaryDirectory(prefix="lgsp-way-") as folder:
        it = Between(Path(folder), Path(str(address.query["host"])))
        server = await asyncio.start_unix_server(it.connect, str(it.folder / SOCKET))
        try:
            yield it, address.update_query_dict({"host": folder}).render_as_string(hide_password=False)
        finally:
            server.close()
            for task in it.under_way:
                task.cancel()
            await asyncio.gather(*it.under_way, return_exceptions=True)


@dataclass
class Node:
    """A node in its own process, and the receipts that it gave: index, id."""

    process: asyncio.subprocess.Process
    receipts: list[tuple[int, str]] = field(default_factory=list)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            index, event = line.decode().split()
            self.receipts.append((int(index), event))

    async def gives(self, more: int) -> None:
        goal = len(self.receipts) + more
        async with asyncio.timeout(PATIENCE_S):
            while len(self.receipts) < goal:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def a_node(url: str, vault: Path) -> AsyncIterator[Node]:
    command = (sys.executable, "-m", "tests.test_storage.writing_node", url, str(vault), str(IDLE_MS), str(STATEMENT_S))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    node = Node(process)
    reading = asyncio.create_task(node.read())
    try:
        yield node
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            await reading
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


async def written_by_another(world: World) -> list[tuple[int, str]]:
    """Four callers of another node write until each has its receipt."""

    async def one() -> tuple[int, str]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = evidence("001090123456")
                try:
                    return (await world.log.record(event)).index, event.id
                except EvidenceUnavailable:
                    await asyncio.sleep(0.05)

    return await asyncio.gather(*(one() for _ in range(4)))


async def holds(world: World, given: list[tuple[int, str]]) -> None:
    """Every receipt is of an entry at its index, none stands twice, and the log is whole."""
    query = select(ENTRIES.c.idx, ENTRIES.c.id)
    rows = await world.storage.read(lambda connection: connection.execute(query).all())
    stored = {row.idx: row.id for row in rows}
    assert [stored[index] for index, _ in given] == [event for _, event in given]
    assert len({index for index, _ in given}) == len(given)
    assert len(set(stored.values())) == len(stored)
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid, found


async def test_a_node_that_is_frozen_in_mid_write(postgres_url: str, tmp_path: Path) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world, between(postgres_url) as (way, address):
        async with a_node(address, tmp_path / "vault") as node:
            await node.gives(20)
            way.armed = True
            await asyncio.wait_for(way.held.wait(), PATIENCE_S)
            os.kill(node.process.pid, signal.SIGSTOP)
            try:
                others = await written_by_another(world)
            finally:
                os.kill(node.process.pid, signal.SIGCONT)
            # What it was about to commit is lost with its session, or stands in the log by its second try: once.
            await node.gives(50)
        await holds(world, [*node.receipts, *others])


async def test_a_way_that_falls_silent_in_mid_write(postgres_url: str, tmp_path: Path) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world, between(postgres_url) as (way, address):
        async with a_node(address, tmp_path / "vault") as node:
            await node.gives(20)
            way.armed = True
            await asyncio.wait_for(way.held.wait(), PATIENCE_S)
            way.fall_silent()
            others = await written_by_another(world)
            await node.gives(50)
            # One connection was enough to learn that none of them answers.
            assert way.in_vain == 0
        await holds(world, [*node.receipts, *others])


async def test_a_server_that_does_not_know_a_setting(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_IF_KNOWN", {"no_such_setting": "1", "work_mem": "7MB"})
    await upgrade(postgres_url)
    storage = await open_storage(postgres_url)
    assert await storage.read(lambda connection: connection.exec_driver_sql("SHOW work_mem").scalar()) == "7MB"
    await storage.close()


async def test_only_who_holds_the_write_lock_is_bound(postgres_url: str) -> None:
    async def allowed(run: Run) -> str:
        query = "SELECT current_setting('idle_in_transaction_session_timeout')"
        return str(await run(lambda connection: connection.exec_driver_sql(query).scalar()))

    await upgrade(postgres_url)
    storage = await open_storage(postgres_url)
    async with storage.reading() as run:
        before = await allowed(run)
    async with storage.writing() as run:
        assert await allowed(run) == "10min"
    async with storage.reading() as run:
        assert await allowed(run) == before
    await storage.close()
