"""Growth: a deployment as it is after years, with a long log and many clients, where a new one was.

Everything goes through the gateway's own functions (evidence, sealing, the batch writer, changes of clients), so that
tiles, head, checkpoints, vault and tables are genuine and `lgsp audit verify` holds. What differs from years of
traffic: commits are larger, hence checkpoints fewer.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Connection, func, select

from adapters import DATABASES
from bench.growth_entries import Draft, Span, draft_of, drafted
from config.settings import load
from schemas.exchange import Grant
from schemas.purposes import PURPOSES
from security import administration
from security.audit.assembly import log_signer, open_sealer
from security.audit.batch import Batch, Item, Write
from security.audit.checkpoint import Signer
from security.audit.entries import Caller
from security.audit.sealing import Sealer
from security.audit.tables import HEAD
from security.client_store import CLIENTS, load_all
from security.clients import Client
from security.keys import KeyRing
from security.policy import field_paths
from storage.engine import Storage
from sync.database import open_storage

_AGE = timedelta(days=400)
_COMMIT = 20_000
_CHANGES = 500
_AHEAD = 2
_GRANTS = 3
# Identifiers and tags fall everywhere in their indexes: with SQLite's own 2 MB a commit writes the same pages again and
# again.
_CACHE_KIB = 400_000


async def prepare(state: Path, *, entries: int, clients: int) -> None:
    """Grow the deployment in a state directory until it has `clients` clients and its log `entries` entries.

    Its gateway must not be running. What is there already counts, and nothing is taken away; the log also gets an entry
    for each new client.
    """
    settings = load(state / "gateway.toml")
    storage = await open_storage(settings.storage.url)
    # A commit holds hundreds of thousands of objects that are no garbage: looking for cycles among them takes longer
    # than writing them.
    gc.disable()
    try:
        await storage.write(widen)
        keys = KeyRing(settings.keys.directory)
        log = Appender(storage, log_signer(keys, settings.keys.origin), open_sealer(keys, settings.keys.vault))
        since = datetime.now(UTC) - _AGE
        await _register(log, clients, since)
        callers = [_caller(client) for client in await storage.read(load_all)]
        missing = entries - await storage.read(_size)
        async for drafts in _made(missing, callers, since):
            await log.append([(draft, ()) for draft in drafts])
    finally:
        gc.enable()
        await storage.close()


class Appender:
    """The log of a deployment at rest, appended to in large commits."""

    def __init__(self, storage: Storage, signer: Signer, sealer: Sealer) -> None:
        self.storage = storage
        self._signer = signer
        self._sealer = sealer
        # Nobody waits for a receipt.
        self._nobody = asyncio.get_running_loop().create_future()

    async def append(self, drafts: Sequence[tuple[Draft, tuple[Write, ...]]]) -> None:
        """Append entries with their writes in one commit; raises what stopped any of them."""
        items = [
            Item(
                str(draft.repeated[0]),
                str(draft.repeated[1]),
                draft.repeated,
                draft.body,
                draft.leaf,
                draft.secrets,
                writes,
                self._nobody,
            )
            for draft, writes in drafts
        ]
        batch = Batch(items, self._signer, self._sealer)
        await self.storage.write(batch.write, prepare=batch.seal)
        for result in batch.results:
            if isinstance(result, Exception):
                raise result


async def _register(log: Appender, clients: int, since: datetime) -> None:
    """Add clients, each with a secret and a few grants."""
    present = await log.storage.read(_clients)
    for first in range(present, clients, _CHANGES):
        changes = [_new_client(number, since) for number in range(first, min(first + _CHANGES, clients))]
        await log.append([(draft_of(change.evidence), (change.write,)) for change in changes])


def _new_client(number: int, at: datetime) -> administration.Change:
    client = Client(
        client_id=f"office-{number:06}", name=f"Đơn vị {number}", agency="H26", created_at=at, grants=_grants(number)
    )
    return administration.update(None, client, by="bench", at=at, wants_secret=True)


def _grants(number: int) -> tuple[Grant, ...]:
    operations = [(database.name, operation.name) for database in DATABASES for operation in database.operations]
    chosen = [operations[(number + place) % len(operations)] for place in range(_GRANTS)]
    return tuple(
        Grant(database, operation, frozenset(PURPOSES), field_paths(DATABASES, database, operation, ("*",)))
        for database, operation in chosen
    )


def _caller(client: Client) -> Caller:
    credential = client.credentials[0]
    return Caller(client.client_id, client.agency, f"{credential.kind}:{credential.id}")


async def _made(entries: int, callers: Sequence[Caller], since: datetime) -> AsyncIterator[list[Draft]]:
    """Yield drafts of so many entries, spread over the time since then, made in another process a little ahead."""
    step = _AGE.total_seconds() / max(entries, 1)
    spans = deque(
        Span(first, min(_COMMIT, entries - first), since.timestamp(), step) for first in range(0, entries, _COMMIT)
    )
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as maker:
        making: deque[asyncio.Future[list[Draft]]] = deque()
        while spans or making:
            while spans and len(making) < _AHEAD:
                making.append(loop.run_in_executor(maker, drafted, spans.popleft(), callers))
            yield await making.popleft()


def widen(connection: Connection) -> None:
    """Let the writer keep more of a database in memory than in service: its indexes are filled everywhere at once."""
    connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _size(connection: Connection) -> int:
    return connection.execute(select(HEAD.c.size)).scalar() or 0


def _clients(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(CLIENTS)).scalar_one()
