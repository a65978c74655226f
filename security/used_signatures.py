"""Which signatures of callers were used, in the SQL storage that all processes and nodes share (chống gửi lại).

Many callers who sign wait at the same time, and each must know before its question goes out: those who wait share one
commit, as entries of the audit log do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection, select

from security.assertions import USED
from storage.bulk import insert_rows
from storage.engine import Storage

HALF = 16
# Of one commit: more would make the first wait long for the last.
_MOST = 256


class UsedSignatures:
    """Remembers first uses; one per process. What need not be remembered any longer is removed by housekeeping."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._waiting: list[tuple[bytes, int, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def first_use(
        self, client_id: str, token_id: str, expires_at: int, now: int, signed_at: datetime | None = None
    ) -> bool:
        """Tell whether this is the first use of a `token_id` by a client, and remember it until `expires_at` (POSIX
        seconds). Raises StorageUnavailable.
        """
        # Half of a SHA-256 is as good as all of it, and what the memory of one machine keeps (`machine_signatures`).
        digest = sha256(f"{client_id}\0{token_id}".encode("utf-8", "surrogatepass")).digest()[:HALF]
        loop = asyncio.get_running_loop()
        new: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((digest, expires_at, new))
        if self._writer is None:
            self._writer = loop.create_task(self._write())
        return await new

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                uses = [(digest, expires_at) for digest, expires_at, _ in batch]
                try:
                    found = await self._storage.write(partial(_remember, uses))
                except BaseException as failure:
                    for _, _, new in batch:
                        if not new.done():
                            new.set_exception(failure)
                    if not isinstance(failure, Exception):
                        raise
                    continue
                for (_, _, new), first in zip(batch, found, strict=True):
                    # Whoever went away has used its signature all the same.
                    if not new.done():
                        new.set_result(first)
        finally:
            self._writer = None


async def carry_over(storage: Storage, uses: Sequence[tuple[bytes, int]]) -> None:
    """Remember what was used before in another memory; raises StorageUnavailable."""
    for start in range(0, len(uses), _MOST):
        await storage.write(partial(_remember, list(uses[start : start + _MOST])))


def _remember(uses: list[tuple[bytes, int]], connection: Connection) -> list[bool]:
    """Insert what was not used yet, in a transaction that holds the write lock; tell of each whether it is new."""
    asked = {digest for digest, _ in uses}
    known = set(connection.execute(select(USED.c.digest).where(USED.c.digest.in_(asked))).scalars())
    first: list[bool] = []
    rows: list[tuple[object, ...]] = []
    for digest, expires_at in uses:
        new = digest not in known
        first.append(new)
        if new:
            known.add(digest)
            rows.append((digest, expires_at))
    insert_rows(connection, USED, ("digest", "expires_at"), rows)
    return first
