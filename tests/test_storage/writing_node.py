"""A node in a process of its own: eight callers write to the log of an address until standard input ends.

Each receipt is a line on standard output: index, id of the entry. A refusal is no line.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from schemas.errors import EvidenceUnavailable
from security.audit.log import AuditLog
from storage import postgres
from storage.engine import Storage
from tests.test_audit.audit_world import a_world, evidence

CALLERS = 8
POOLED = 4


async def caller(log: AuditLog, stop: asyncio.Event) -> None:
    while not stop.is_set():
        event = evidence("001090123456")
        with suppress(EvidenceUnavailable):
            print((await log.record(event)).index, event.id, flush=True)
        await asyncio.sleep(0.01)


async def pooled(storage: Storage) -> None:
    """Have connections beside the one that writes; each takes its turn."""
    async with AsyncExitStack() as stack:
        for _ in range(POOLED):
            await stack.enter_async_context(storage.reading())


async def main(url: str, vault: Path, idle_ms: int, statement_s: float) -> None:
    postgres.IDLE_MS, postgres.STATEMENT_TIMEOUT_S = idle_ms, statement_s
    stop = asyncio.Event()
    async with a_world(url, vault) as world:
        await pooled(world.storage)
        writing = [asyncio.create_task(caller(world.log, stop)) for _ in range(CALLERS)]
        await asyncio.to_thread(os.read, 0, 1)
        stop.set()
        await asyncio.gather(*writing)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
