"""The append side of the audit trail: group commit, gap-free indexes over all processes, a receipt only when durable.

An entry is written at once when the log is idle; while a commit is under way further ones gather, and when several
wait while the event loop has been busy for some time, others are given until it has a pause, at most `GATHER_S`. What
happens inside one transaction is in `security.audit.batch`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog
from sqlalchemy.exc import IntegrityError

from config.metrics import labelled, metrics
from schemas.errors import EvidenceUnavailable, Text
from security.audit.batch import (
    Batch,
    Group,
    GroupWrite,
    Item,
    Stopped,
    Write,
    checked,
    columns,
    current_checkpoint,
)
from security.audit.canonical import JSON, canonical
from security.audit.checkpoint import CheckpointRejected, Signer, VerifierKey, opened
from security.audit.entries import Evidence, Secrets
from security.audit.merkle import inclusion_proof, leaf_hash
from security.audit.receipt import Receipt
from security.audit.sealing import Sealer
from security.audit.tiles import stored_nodes
from storage.engine import Storage
from storage.errors import CommitUnknown, StorageError, StorageUnavailable

GATHER_S = 0.006
GATHER_STEP_S = 0.001
GATHER_FROM = 2
BUSY = 0.7
BUSY_OVER_S = 0.1
BATCH = 256
BACKLOG = 4096
PATIENCE_S = 10.0
SETTLE_ATTEMPTS = 5
SETTLE_PAUSE_S = 0.2

logger = structlog.get_logger(__name__)


class AuditLog:
    """One log as one process writes it; open it after fork. Every failure is `EvidenceUnavailable`."""

    def __init__(self, storage: Storage, signer: Signer, sealer: Sealer) -> None:
        self._storage = storage
        self._signer = signer
        self._sealer = sealer
        self._waiting: list[Item] = []
        self._under_way: list[Item] = []
        self._drainer: asyncio.Task[None] | None = None
        self._load = _Load()
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, storage: Storage, signer: Signer, sealer: Sealer, *, former: Sequence[VerifierKey] = ()
    ) -> "AuditLog":
        """Continue the log in `storage`, or begin it.

        `former` are the keys it was signed with before. Raises EvidenceUnavailable when its newest checkpoint is not by
        any of the keys: another origin must not continue this log.
        """
        try:
            note = await storage.read(current_checkpoint)
            if note is not None:
                opened(note, [signer.verifier, *former])
        except CheckpointRejected as failure:
            raise _unavailable(_FOREIGN) from failure
        except StorageError as failure:
            raise _unavailable(Text(str(failure), str(failure))) from failure
        return cls(storage, signer, sealer)

    @property
    def origin(self) -> str:
        """The name of the log and of its key."""
        return self._signer.origin

    def seal_with(self, sealer: Sealer) -> None:
        """Go on with rotated master keys from the next commit on."""
        self._sealer = sealer

    def sign_with(self, signer: Signer) -> None:
        """Go on under a rotated key from the next commit on; raises ValueError for a key of another log."""
        if signer.origin != self.origin:
            raise ValueError(f"the log is {self.origin}, the key is of {signer.origin}")
        self._signer = signer

    async def record(self, evidence: Evidence, *, writes: Sequence[Write] = ()) -> Receipt:
        """Append the entry that stands for this event; see `append`."""
        body, repeated, secrets = evidence.written()
        checked(body, repeated)
        return await self._durable(body, repeated, secrets, writes)

    async def append(
        self, entry: Mapping[str, JSON], *, secrets: Secrets | None = None, writes: Sequence[Write] = ()
    ) -> Receipt:
        """Make the entry durable, together with `writes`, and return its receipt.

        `entry` needs `id` (a UUID), `kind` and `at` (`entries.instant`). The same entry appended again gets the receipt
        of the first time, and its writes are not repeated. An exception that a write raises (a conflict) comes out
        here; nothing of this item is then recorded, and other items of the commit are not affected. A write may run
        more than once when the database has to be asked again; it must only use its connection.

        Raises EvidenceUnavailable when the entry is not known to be durable, ValueError for a value without canonical
        form.
        """
        return await self._durable(canonical(dict(entry)), columns(entry), secrets, writes)

    async def record_together(self, events: Sequence[Evidence], write: GroupWrite) -> list[Receipt | BaseException]:
        """Append an entry for each of at most `BATCH` events in one commit, with one write for all (`GroupWrite`).

        Returns for each event its receipt, or what stopped it: an exception of the write, EvidenceUnavailable.
        """
        if len(events) > BATCH:
            raise ValueError(f"audit log: at most {BATCH} entries together")
        # All or none of them are taken.
        self._admit(len(events))
        group = Group(write)
        written = [event.written() for event in events]
        for body, repeated, _ in written:
            checked(body, repeated)
        waiting = [
            self._durable(body, repeated, secrets, (), group, place)
            for place, (body, repeated, secrets) in enumerate(written)
        ]
        return await asyncio.gather(*waiting, return_exceptions=True)

    def _durable(
        self,
        body: bytes,
        repeated: tuple[str | None, ...],
        secrets: Secrets | None,
        writes: Sequence[Write],
        group: Group | None = None,
        place: int = 0,
    ) -> "asyncio.Future[Receipt]":
        """Queue an entry and return the future of its receipt."""
        self._admit(1)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Receipt] = loop.create_future()
        now = loop.time()
        leaf = leaf_hash(body) if secrets is None else b""
        item = Item(str(repeated[0]), str(repeated[1]), repeated, body, leaf, secrets, writes, done, now)
        item.group, item.place = group, place
        self._waiting.append(item)
        if self._drainer is None:
            self._drainer = loop.create_task(self._drain())
        if self._watch is None:
            self._watch = loop.call_at(now + PATIENCE_S, self._refuse_late)
        return done

    def _admit(self, entries: int) -> None:
        if self._closed or len(self._waiting) > BACKLOG - entries:
            raise _unavailable(_CLOSED if self._closed else _CROWDED)

    async def proof(self, receipt: Receipt) -> list[bytes]:
        """The inclusion proof for the receipt's checkpoint; `receipt.as_json(proof)` then verifies offline."""
        try:
            return await self._storage.read(
                lambda connection: inclusion_proof(receipt.index, receipt.size, stored_nodes(connection, receipt.size))
            )
        except (StorageError, ValueError) as failure:
            raise _unavailable(_NO_PROOF) from failure

    async def close(self) -> None:
        """Take no more entries and wait until those that were taken are settled."""
        self._closed = True
        if self._drainer is not None:
            await self._drainer
        if self._watch is not None:
            self._watch.cancel()

    def _refuse_late(self) -> None:
        """Refuse what has waited too long; one timer for all entries, set anew for the oldest that is left."""
        loop = asyncio.get_running_loop()
        last = loop.time() - PATIENCE_S
        late = [item for item in (*self._under_way, *self._waiting) if item.since <= last]
        # What is under way may still be written, what was not begun is not.
        self._waiting = [item for item in self._waiting if item.since > last or item.done.cancelled()]
        for item in late:
            _finish(item, _unavailable(_LATE))
        left = [item.since for item in (*self._under_way, *self._waiting) if not item.done.done()]
        self._watch = loop.call_at(min(left) + PATIENCE_S, self._refuse_late) if left else None

    async def _drain(self) -> None:
        try:
            while self._waiting:
                cut = _cut(self._waiting)
                self._under_way, self._waiting = self._waiting[:cut], self._waiting[cut:]
                await self._settle(self._under_way)
                if GATHER_FROM <= len(self._waiting) < BATCH and self._load.is_high():
                    await self._gather()
        finally:
            for item in self._under_way:
                if not item.done.done():
                    _finish(item, _unavailable(_INTERRUPTED))
            self._under_way = []
            self._drainer = None

    async def _gather(self) -> None:
        """Leave the loop to the exchanges under way as long as it has no time to spare.

        A commit costs a few entries' worth of CPU: under load it is to be shared by many, and what waits is waiting for
        the loop anyway. A loop with pauses has nothing near its end that would be worth waiting for.
        """
        for _ in range(round(GATHER_S / GATHER_STEP_S)):
            begun, used = time.perf_counter(), time.thread_time()
            await asyncio.sleep(GATHER_STEP_S)
            if time.thread_time() - used < BUSY * (time.perf_counter() - begun) or len(self._waiting) >= BATCH:
                return

    async def _settle(self, items: list[Item]) -> None:
        """Give every item its receipt or its error."""
        try:
            batch = Batch(items, self._signer, self._sealer)
            labelled(metrics().audit_batch).observe(len(items))
            begun = time.perf_counter()
            try:
                await self._commit(batch)
            finally:
                labelled(metrics().audit_append_seconds).observe(time.perf_counter() - begun)
        except Exception as failure:
            # Whatever it is, nobody may get an answer that the trail does not hold. What the system said about files
            # and servers is for the log alone.
            for item in items:
                refusal = _unavailable(_NOT_STORED)
                refusal.__cause__ = failure
                _finish(item, refusal)
            hint = str(failure) if isinstance(failure, StorageError) else None
            # A full disk takes no lines of the log either; the entries that wait must still get their turn.
            with suppress(OSError):
                logger.error("audit-entries-not-written", entries=len(items), hint=hint, exc_info=failure)
        else:
            for item, result in zip(items, batch.results, strict=True):
                _finish(item, result)

    async def _commit(self, batch: Batch) -> None:
        """Commit, asking again where the answer was lost: under the write lock, ids that stand already are settled."""
        failure: StorageUnavailable | None = None
        for attempt in range(SETTLE_ATTEMPTS):
            try:
                await self._storage.write(batch.write, prepare=batch.seal)
            except (IntegrityError, Stopped):
                if batch.careful:
                    raise
                batch.careful = True
            except CommitUnknown as unknown:
                failure, batch.careful = unknown, True
                await asyncio.sleep(SETTLE_PAUSE_S * attempt)
            except StorageUnavailable as unavailable:
                # A pooled connection may have died long ago (server restart): once more on a fresh one, then give up,
                # unless a commit is in doubt, which only another look can settle.
                if not batch.careful and (attempt > 0 or self._storage.dialect == "sqlite"):
                    raise
                failure = unavailable
                await asyncio.sleep(SETTLE_PAUSE_S * attempt)
            else:
                return
        raise failure or StorageUnavailable("the database does not settle")


class _Load:
    """Which share of the recent past the event loop was at work.

    A single exchange keeps the loop busy for a whole step of `_gather`: only a longer look tells load from chance. Half
    of what a process can do must not wait as if it were all.
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, work: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock = clock
        self._work = work
        self._since = clock()
        self._used = work()
        self._high = False

    def is_high(self) -> bool:
        """Tell whether it was more than `BUSY` over at least the last `BUSY_OVER_S`; call it on the loop."""
        now = self._clock()
        passed = now - self._since
        if passed >= BUSY_OVER_S:
            used = self._work()
            self._high = used - self._used >= BUSY * passed
            self._since, self._used = now, used
        return self._high


def _cut(waiting: Sequence[Item]) -> int:
    """How many entries the next commit takes: `BATCH`, and the rest of the group that the last of them is of."""
    cut = min(BATCH, len(waiting))
    while 0 < cut < len(waiting) and (group := waiting[cut].group) is not None and waiting[cut - 1].group is group:
        cut += 1
    return cut


def _finish(item: Item, result: Receipt | Exception) -> None:
    if item.done.done():
        return
    if isinstance(result, Receipt):
        item.done.set_result(result)
    else:
        item.done.set_exception(result)


def _unavailable(why: Text) -> EvidenceUnavailable:
    return EvidenceUnavailable(
        Text(f"Không ghi được nhật ký kiểm toán: {why.vi}", f"The audit trail cannot be written: {why.en}")
    )


_FOREIGN = Text(
    "điểm kiểm tra mới nhất không do khóa của nhật ký này ký",
    "the newest checkpoint is not signed by the keys of this log",
)
_CLOSED = Text("nhật ký đã đóng", "the log is closed")
_CROWDED = Text("quá nhiều mục đang chờ ghi", "too many entries wait to be written")
_NO_PROOF = Text("không đọc được bằng chứng", "the proof could not be read")
_LATE = Text("không ghi kịp thời hạn", "it was not written in time")
_INTERRUPTED = Text("việc ghi bị ngắt", "it was interrupted")
_NOT_STORED = Text("cơ sở dữ liệu không nhận mục ghi", "the storage refused the entry")
