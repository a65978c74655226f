"""A deployment whose log is shown to two witnesses, and its keeper, who has the database and the true key."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete
from typer.testing import CliRunner

from adapters.witnesses import office as way_to
from commands import app
from config.settings import load
from routes.listening import bind
from routes.witness import serving
from security.audit.assembly import log_verifiers, open_log
from security.audit.checkpoint import VerifierKey
from security.audit.merkle import Frontier
from security.audit.tables import CHECKPOINTS, ENTRIES, HEAD, OPENINGS, SUBJECTS, TILES
from security.audit.witness import Witness, open_witness
from security.audit.witnessed import WITNESSED
from security.keys import KeyRing
from storage.engine import Storage
from sync.database import open_storage, upgrade
from sync.witnessing import Witnessing
from tests.test_audit.audit_world import evidence

NAME = "witness.example/one"


@dataclass
class Site:
    """A deployment whose log is shown to a witness over HTTP and to a directory."""

    directory: Path
    storage: Storage
    witness: Witness
    # The keys of the log that the witness knows.
    known: list[VerifierKey]

    @property
    def file(self) -> Path:
        return self.directory / "gateway.toml"

    async def grow(self, entries: int, *, shown: bool = True) -> None:
        """Record so many exchanges, and have each commit witnessed."""
        settings = load(self.file)
        log = await open_log(self.storage, KeyRing(settings.keys.directory), settings.keys.origin, settings.keys.vault)
        for _ in range(entries):
            await log.record(evidence("001090123456"))
            if shown:
                for name, each in settings.witness.items():
                    loop = Witnessing(name, each, way_to(name, each), self.storage, log, "me")
                    await loop._safely()
                    await loop._office.close()
        await log.close()

    async def verify(self, *more: str) -> tuple[int, dict[str, object]]:
        """Run `lgsp audit verify`."""
        arguments = ["audit", "verify", "--config", str(self.file), "--json", *more]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        return result.exit_code, json.loads(result.stdout) if result.stdout else {"error": result.stderr}

    async def copied(self) -> Path:
        """A copy of the database as it is, for a rollback."""
        await self.storage.close()
        copy = self.directory / "older.sqlite"
        shutil.copy(self.directory / "lgsp.sqlite", copy)
        self.storage = await open_storage(load(self.file).storage.url)
        return copy

    async def forget(self, size: int, *, heard: bool = True) -> None:
        """Cut the log off after so many entries, consistently: what is left verifies by itself.

        With `heard` goes what was heard from witnesses of more entries.
        """

        def cut(connection: Connection) -> None:
            for table, column in ((ENTRIES, ENTRIES.c.idx), (OPENINGS, OPENINGS.c.idx), (SUBJECTS, SUBJECTS.c.idx)):
                connection.execute(delete(table).where(column >= size))
            connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.size > size))
            if heard:
                connection.execute(delete(WITNESSED).where(WITNESSED.c.size > size))
            connection.execute(delete(TILES))
            leaves = list(connection.execute(ENTRIES.select().order_by(ENTRIES.c.idx)))
            tree = Frontier()
            for row in leaves:
                tree.append(row.leaf)
            connection.execute(HEAD.update().values(size=size, frontier=tree.encode()))

        await self.storage.write(cut)


@asynccontextmanager
async def a_site(tmp_path: Path, database: str = "sqlite:///lgsp.sqlite") -> AsyncIterator[Site]:
    """Make one, with a witness that answers."""
    keys = KeyRing.create(tmp_path / "keys")
    held = tmp_path / "held"
    held.mkdir()
    known = [*log_verifiers(keys, "lgsp.example/log")]
    witness = open_witness(tmp_path / "witness", known, NAME, "")
    sock = bind("127.0.0.1:0")
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    (tmp_path / "gateway.toml").write_text(
        f"""[storage]
url = "{database}"
[witness.office]
kind = "http"
url = "{url}"
key = "{witness.key.encode()}"
[witness.paper]
kind = "directory"
path = "held"
"""
    )
    url = load(tmp_path / "gateway.toml").storage.url
    await upgrade(url)
    site = Site(tmp_path, await open_storage(url), witness, known)
    async with serving(witness, sock):
        yield site
    await site.storage.close()
    witness.close()
