"""A witness on a socket, and the log that it knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession

from routes.listening import bind
from routes.witness import serving
from security.audit.witness import Witness, open_witness, origin_hash
from tests.test_audit.audit_world import ORIGIN, World, a_signer, a_world
from tests.test_witnesses.logs import MemoryLog
from tests.test_witnesses.sites import NAME, Site, a_site


@dataclass
class Office:
    """A witness that answers at `url`, and somebody who asks it."""

    witness: Witness
    url: str
    session: ClientSession
    state: Path

    async def post(self, body: bytes) -> tuple[int, str, str]:
        async with self.session.post(f"{self.url}/add-checkpoint", data=body) as answer:
            return answer.status, await answer.text(), answer.headers["Content-Type"]

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def newest(self, origin: str = ORIGIN) -> tuple[int, str]:
        return await self.get(f"/{origin_hash(origin)}/checkpoint")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    state = tmp_path / "witness"
    witness = open_witness(state, [a_signer().verifier, a_signer("other.example/log").verifier], NAME, "x")
    sock = bind("127.0.0.1:0")
    async with serving(witness, sock), ClientSession() as session:
        yield Office(witness, f"http://127.0.0.1:{sock.getsockname()[1]}", session, state)
    witness.close()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog.of(10)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_site(tmp_path) as made:
        yield made


@pytest.fixture
async def local(sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(sqlite_url, tmp_path / "vault") as made:
        yield made
