"""Intake: what a source hands in is durable before it is answered, once, whatever is sent again (tiếp nhận sự kiện).

Event or version, the queue of its dossier, the key of the request and the entry of the audit trail are one commit. An
event that was answered before is answered from what stands; nothing of it is written a second time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection

from config.sync import Sync
from schemas.dossiers.models import DossierBody, StatusEvent
from schemas.dossiers.vocabularies import Vocabulary
from schemas.errors import (
    EvidenceUnavailable,
    GatewayError,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Internal,
    Text,
)
from schemas.exchange import Caller
from security.audit.log import BATCH, AuditLog
from security.audit.receipt import Receipt
from storage.engine import Storage, Work
from storage.errors import StorageError
from sync.pushes import Push, evidence, key_tag, prepared
from sync.recall import Known, answered, receipts, version_numbers
from sync.sealing import Body, DossierSealer
from sync.under_way import UnderWay
from sync.writing import Accepted, GroupOfPushes, Repeated

T = TypeVar("T")

GROUP = BATCH
"""How many pushes `take` makes durable in one commit at most."""

_DAY_MS = 86_400_000
_Written = tuple[Accepted, Receipt] | Repeated | GatewayError


@dataclass(slots=True)
class Taken:
    """What became of a push. `result` is a word of the contract, `replayed` says that it was answered before.

    `status` is that of HTTP; `version` is set for dossiers.
    """

    result: str
    reason: str | None
    event_id: str
    status: int
    receipt: Receipt
    version: int | None = None
    replayed: bool = False


class Intake:
    """Takes what sources hand in, for one process; close it before the log. `handed_in` is called after each commit."""

    def __init__(
        self,
        log: AuditLog,
        storage: Storage,
        sealer: DossierSealer,
        settings: Sync,
        vocabularies: Mapping[str, Vocabulary],
        under_way: UnderWay,
        handed_in: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._storage = storage
        self._sealer = sealer
        self._settings = settings
        self._vocabularies = vocabularies
        self._handed_in = handed_in
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="dossier-sealer")
        self._under_way = under_way
        self._waiting: list[tuple[Push, asyncio.Future[Taken | GatewayError]]] = []
        self._drainer: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Wait for what is being sealed."""
        self._threads.shutdown()
        self._under_way.close()

    def seal_with(self, sealer: DossierSealer) -> None:
        """Go on with rotated master keys."""
        self._sealer = sealer

    def prepare(self, caller: Caller, code: str, key: str | None, body: StatusEvent | DossierBody) -> Push:
        """Make what was validated ready for `take`."""
        return prepared(caller, code, key, body, self._vocabularies, self._sealer)

    @asynccontextmanager
    async def working_on(self, caller: Caller, key: str | None) -> AsyncIterator[None]:
        """Hold a key while its request is read and taken; raises IdempotencyInProgress where another one holds it.

        Requests whose key was answered before do not wait for each other. Raises EvidenceUnavailable.
        """
        if key is None:
            yield
            return
        tag = key_tag(self._sealer, caller, key)
        if self._under_way.begin(tag):
            try:
                yield
            finally:
                self._under_way.end(tag)
        elif await self._read(lambda connection: answered(connection, [tag])):
            yield
        else:
            raise IdempotencyInProgress(retry_after=1)

    async def take_one(self, request_id: str, push: Push) -> Taken:
        """Take one push as `take` does, together with those that other requests bring meanwhile: they share a commit.

        The caller works on its key (`working_on`).
        """
        push.request_id = request_id
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Taken | GatewayError] = loop.create_future()
        self._waiting.append((push, done))
        if self._drainer is None:
            self._drainer = loop.create_task(self._drain())
        result = await done
        if isinstance(result, GatewayError):
            raise result
        return result

    async def _drain(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            results: Sequence[Taken | GatewayError]
            try:
                results = await self._take([push for push, _ in some])
            except GatewayError as error:
                results = [error] * len(some)
            except Exception as failure:  # noqa: BLE001 - whoever waits has to be told
                results = [_internal(failure)] * len(some)
            for (_, done), result in zip(some, results, strict=True):
                if not done.done():
                    done.set_result(result)
        self._drainer = None

    async def take(self, caller: Caller, request_id: str, pushes: Sequence[Push]) -> list[Taken | GatewayError]:
        """Make at most `GROUP` pushes durable in one commit; return for each, in order, what became of it.

        An error of one says nothing about the others. Raises EvidenceUnavailable where nothing could be made durable:
        all of it may be sent again.
        """
        for push in pushes:
            push.request_id = request_id
        return await self._take(pushes)

    async def _take(self, pushes: Sequence[Push]) -> list[Taken | GatewayError]:
        known = await self._known(pushes)
        new = [push for push in pushes if push.key_tag is None or push.key_tag not in known]
        results: dict[str, Accepted | Repeated | GatewayError] = {
            push.event_id: _recalled(push, known[push.key_tag])
            for push in pushes
            if push.key_tag is not None and push.key_tag in known
        }
        done: dict[str, Receipt] = {}
        if new:
            for push, result in zip(new, await self._write(new), strict=True):
                if isinstance(result, tuple):
                    results[push.event_id], done[push.event_id] = result
                else:
                    results[push.event_id] = result
        if done:
            self._handed_in()
        again = [result for result in results.values() if isinstance(result, Repeated)]
        if again:
            return await self._with_receipts(pushes, results, done, again)
        return [_result(results[push.event_id], done.get(push.event_id), None) for push in pushes]

    async def _known(self, pushes: Sequence[Push]) -> dict[bytes, Known]:
        tags = [push.key_tag for push in pushes if push.key_tag is not None]
        return await self._read(lambda connection: answered(connection, tags)) if tags else {}

    async def _write(self, pushes: list[Push]) -> list[_Written]:
        now = time.time_ns() // 1_000_000
        at = datetime.fromtimestamp(now / 1000, UTC)
        bodies = [Body(push.event_id, push.content) for push in pushes]
        sealer, loop = self._sealer, asyncio.get_running_loop()
        try:
            sealed = await loop.run_in_executor(self._threads, lambda: sealer.seal(bodies, at))
        except OSError as failure:
            raise _unavailable() from failure
        for push, each in zip(pushes, sealed, strict=True):
            push.sealed = each
        group = GroupOfPushes(pushes, now, now + self._settings.remember * _DAY_MS, self._settings)
        entries = [evidence(push, at) for push in pushes]
        recorded = await self._log.record_together(entries, group)
        if len(pushes) > 1 and all(_is_ours(result) for result in recorded):
            # What one push broke must not be the end of the others.
            return [written for push in pushes for written in await self._write([push])]
        results: list[_Written] = []
        for push, result in zip(pushes, recorded, strict=True):
            if isinstance(result, Receipt):
                results.append((group.accepted[push.event_id], result))
            elif isinstance(result, Repeated):
                results.append(_recalled(push, result.known) if result.known is not None else result)
            elif isinstance(result, EvidenceUnavailable) or not isinstance(result, Exception):
                raise result
            elif isinstance(result, GatewayError):
                results.append(result)
            else:
                results.append(_internal(result))
        return results

    async def _with_receipts(
        self,
        pushes: Sequence[Push],
        results: Mapping[str, Accepted | Repeated | GatewayError],
        done: Mapping[str, Receipt],
        again: Sequence[Repeated],
    ) -> list[Taken | GatewayError]:
        positions = [one.position for one in again]

        def look(connection: Connection) -> tuple[dict[int, Receipt], dict[int, int]]:
            return receipts(connection, self._log.origin, positions), version_numbers(connection, positions)

        found, numbers = await self._read(look)
        shown: list[Taken | GatewayError] = []
        for push in pushes:
            result = results[push.event_id]
            if isinstance(result, Repeated):
                taken = _result(result, found[result.position], numbers.get(result.position))
            else:
                taken = _result(result, done.get(push.event_id), None)
            shown.append(taken)
        return shown

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._storage.read(work)
        except StorageError as failure:
            raise _unavailable() from failure


def _recalled(push: Push, known: Known) -> Repeated | GatewayError:
    if known.body_tag != push.body_tag:
        return IdempotencyKeyReused()
    return Repeated(known.position, known.event_id, known)


def _result(
    result: Accepted | Repeated | GatewayError, receipt: Receipt | None, version: int | None
) -> Taken | GatewayError:
    if isinstance(result, GatewayError):
        return result
    if receipt is None:
        raise TypeError("what is durable has a receipt")
    if isinstance(result, Repeated):
        known = result.known
        if known is None:
            return Taken("duplicate", None, result.event_id, result.status, receipt, version, replayed=True)
        return Taken(known.result, known.reason, known.event_id, known.status, receipt, version, replayed=True)
    return Taken(result.result, result.reason, result.event_id, result.status, receipt, result.version)


def _is_ours(result: Receipt | BaseException) -> bool:
    """Whether a mistake of ours stopped a push: neither its contents nor the storage."""
    return not isinstance(result, (Receipt, Repeated, GatewayError)) and isinstance(result, Exception)


def _internal(failure: Exception) -> Internal:
    error = Internal()
    error.__cause__ = failure
    return error


def _unavailable() -> EvidenceUnavailable:
    return EvidenceUnavailable(
        Text("Không ghi được sự kiện: hãy gửi lại", "Nothing could be made durable: send it again"), retry_after=2
    )
