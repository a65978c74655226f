"""One commit of the audit log: items are sealed, checked, numbered, hashed into the tree and signed together."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, insert, literal_column, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from security.audit.binding import bound, following, unbound
from security.audit.canonical import JSON
from security.audit.checkpoint import Signer
from security.audit.entries import Secrets
from security.audit.merkle import Frontier, leaf_hash
from security.audit.receipt import Receipt
from security.audit.sealing import Plain, Sealed, Sealer
from security.audit.subjects import placed
from security.audit.tables import CHECKPOINTS, ENTRIES, HEAD, OPENINGS, SUBJECTS
from security.audit.tiles import complete
from storage.bulk import rows_among, run_rendered
from storage.together import Rows

# Runs in the transaction of the entry, before it; gets the index that the entry will have.
Write = Callable[[Connection, int], None]

# The same for entries that are recorded together: gets the index of the first and which of them are to be recorded,
# says for each of those whether it is (None) or what stops it. Those that are recorded follow each other.
GroupWrite = Callable[[Connection, int, Sequence[int]], Sequence[Exception | None]]


@dataclass(slots=True, eq=False)
class Group:
    """Entries of one commit with one write for all of them."""

    write: GroupWrite


_PERIOD_LENGTH = len("2026-11")


@dataclass(slots=True, eq=False)
class Item:
    """One entry on its way into the log, `since` when on the event loop's clock.

    An entry with secrets gets its last form, and with it its leaf hash, when it is sealed.
    """

    id: str
    at: str
    repeated: tuple[str | None, ...]
    body: bytes
    leaf: bytes
    secrets: Secrets | None
    writes: Sequence[Write]
    done: "asyncio.Future[Receipt]"
    since: float = 0.0
    sealed: Sealed | None = None
    group: Group | None = None
    place: int = 0


class Batch:
    """The items of one commit. `careful` looks ids up first: after a lost COMMIT answer or a duplicate."""

    def __init__(self, items: Sequence[Item], signer: Signer, sealer: Sealer) -> None:
        self.items = items
        self.careful = False
        self.results: list[Receipt | Exception] = []
        # The entry that an attempt put first, as it is without what that says of it.
        self._first: tuple[Item, bytes, bytes] | None = None
        self._signer = signer
        self._sealer = sealer

    def seal(self) -> None:
        """Encrypt what opens the entries and make the keys durable; once, however often the commit is tried."""
        pending = [(item, item.secrets) for item in self.items if item.secrets is not None and item.sealed is None]
        if not pending:
            return
        plains = [Plain(item.id, item.at[:_PERIOD_LENGTH], it.encode(), it.subjects) for item, it in pending]
        for (item, secrets), sealed in zip(pending, self._sealer.seal(plains), strict=True):
            item.sealed = sealed
            item.body = bound(item.body, sealed, subjects=bool(secrets.subjects))
            item.leaf = leaf_hash(item.body)

    def write(self, connection: Connection) -> None:
        """Append inside a transaction that holds the write lock; leaves `results` in the order of the items."""
        if self._first is not None:
            first, body, leaf = self._first
            first.body, first.leaf = body, leaf
        head = run_rendered(connection, _LOCKED_HEAD)
        if head is None:
            connection.execute(insert(HEAD).values(id=1, size=0, frontier=b""))
        frontier = Frontier.decode(*head[:2]) if head else Frontier()
        begin = frontier.size
        found = self._standing(connection)
        placed: dict[int, tuple[Item, int]] = {}
        failed: dict[int, Exception] = {}
        accepted: list[Item] = []
        decided: dict[Group, dict[int, Exception | None]] = {}
        # What would be undone alone is all there is: a savepoint would only be two journeys more under the lock.
        guarded = self.careful or len({item.group or item for item in self.items}) > 1
        for place, item in enumerate(self.items):
            known = found.get(item.id)
            if known is not None:
                if _is_same(item, known[1]):
                    item.body, item.leaf = known[1], leaf_hash(known[1])
                    placed[place] = (item, known[0])
                else:
                    failed[place] = ValueError("audit log: another entry has this id")
                continue
            index = begin + len(accepted)
            if item.group is not None:
                if item.group not in decided:
                    decided[item.group] = self._run_group(connection, item.group, index, found, guarded=guarded)
                if (refusal := decided[item.group][item.place]) is not None:
                    failed[place] = refusal
                    continue
            if item.writes and (conflict := _run_writes(connection, item.writes, index, guarded=guarded)) is not None:
                failed[place] = conflict
                continue
            if head is not None and begin and not accepted:
                self._first = (item, item.body, item.leaf)
                item.body = following(item.body, begin, head[2] or "")
                item.leaf = leaf_hash(item.body)
            accepted.append(item)
            placed[place] = (item, index)
            found[item.id] = (index, item.body)
        note = self._append(connection, frontier, accepted) if accepted else current_checkpoint(connection) or ""
        self.results = [
            failed[place] if place in failed else self._receipt(*placed[place], note, frontier.size)
            for place in range(len(self.items))
        ]

    def _run_group(
        self, connection: Connection, group: Group, index: int, found: Mapping[str, object], *, guarded: bool
    ) -> dict[int, Exception | None]:
        """Run the write of a group for those of it that do not stand in the log already."""
        asked = [item.place for item in self.items if item.group is group and item.id not in found]
        said: list[Exception | None] = []
        writes: Sequence[Write] = [lambda connection, index: said.extend(group.write(connection, index, asked))]
        stopped = _run_writes(connection, writes, index, guarded=guarded)
        return dict(zip(asked, said, strict=True)) if stopped is None else dict.fromkeys(asked, stopped)

    def _standing(self, connection: Connection) -> dict[str, tuple[int, bytes]]:
        """Which of the ids stand in the log already; without `careful` only those whose writes must not be repeated.

        What is recorded together has ids that were made for it.
        """
        asked = [item.id for item in self.items if self.careful or item.writes]
        if not asked:
            return {}
        columns = (ENTRIES.c.id, ENTRIES.c.idx, ENTRIES.c.body)
        return {name: (index, body) for name, index, body in rows_among(connection, columns, ENTRIES.c.id, asked)}

    def _append(self, connection: Connection, frontier: Frontier, items: list[Item]) -> str:
        size = frontier.size
        complete(connection, size, [item.leaf for item in items])
        for item in items:
            frontier.append(item.leaf)
        written = Rows(connection)
        rows = [(size + place, item.leaf, item.body, *item.repeated) for place, item in enumerate(items)]
        written.insert(ENTRIES, _ENTRY_COLUMNS, rows)
        openings = [(size + place, item.sealed) for place, item in enumerate(items) if item.sealed is not None]
        sealed_rows = [(index, sealed.period, sealed.slot, sealed.sealed) for index, sealed in openings]
        written.insert(OPENINGS, ("idx", "period", "slot", "sealed"), sealed_rows)
        tags = [(placed(tag, index), index) for index, sealed in openings for tag in sealed.tags]
        written.insert(SUBJECTS, ("tag", "idx"), tags)
        note = self._signer.sign(frontier.size, frontier.root())
        written.insert(CHECKPOINTS, ("size", "note"), [(frontier.size, note)])
        written.upsert(HEAD, ("id", "size", "frontier"), [(1, frontier.size, frontier.encode())])
        written.write()
        return note

    def _receipt(self, item: Item, index: int, note: str, size: int) -> Receipt:
        salt = item.secrets.salts.get("data") if item.secrets is not None else None
        return Receipt(self._signer.origin, index, item.leaf, salt, note, size, item.body)


def _is_same(item: Item, body: bytes) -> bool:
    """Whether an entry that stands in the log is the one of this item, sealed now or when it was recorded before."""
    sealed = item.sealed is not None
    return body == item.body or (body != b"" and unbound(body, sealed=sealed) == unbound(item.body, sealed=sealed))


_THE_HEAD = HEAD.c.id == literal_column("1")
# PostgreSQL would show none that came while the statement waited for the head: the state is locked before it.
_OF_HEAD = select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.size == HEAD.c.size).scalar_subquery()
_LOCKED_HEAD = select(HEAD.c.size, HEAD.c.frontier, _OF_HEAD).where(_THE_HEAD).with_for_update(of=HEAD)


def current_checkpoint(connection: Connection) -> str | None:
    """The signed note of the newest commit; None for an empty log."""
    return connection.execute(select(CHECKPOINTS.c.note).order_by(CHECKPOINTS.c.size.desc()).limit(1)).scalar()


def checked(body: bytes, repeated: tuple[str | None, ...]) -> None:
    """Do what `columns` does for an entry that was written with these columns from typed values."""
    # NUL stands escaped in the body; most bodies have none, and then nothing has to be taken apart.
    if len(repeated[0] or "") > MOST or b"\\u0000" in body:
        columns(json.loads(body))


def columns(entry: Mapping[str, JSON]) -> tuple[str | None, ...]:
    """The parts of an entry that its row repeats for filters, in the order of `REPEATED`.

    Raises ValueError for what a text column does not take: one bad entry must not fail the others of its commit.
    """
    caller, outcome, get = entry.get("caller"), entry.get("outcome"), entry.get
    repeated = (
        get("id"),
        get("at"),
        get("kind"),
        caller.get("client") if isinstance(caller, Mapping) else None,
        get("database"),
        get("operation"),
        get("purpose"),
        get("dossier"),
        outcome.get("code") if isinstance(outcome, Mapping) else None,
        get("request_id"),
    )
    for value in repeated:
        if value is not None and (type(value) is not str or "\0" in value):
            raise ValueError("audit entry: ids, codes and times are text without NUL")
    if None in repeated[:3] or any(len(str(value)) > MOST for value in repeated[:3]):
        raise ValueError(f"audit entry: id, at and kind are needed, each of at most {MOST} characters")
    return cast("tuple[str | None, ...]", repeated)


MOST = 36
REPEATED = ("id", "at", "kind", "client", "database", "operation", "purpose", "dossier", "outcome", "request_id")
_ENTRY_COLUMNS = ("idx", "leaf", "body", *REPEATED)


class Stopped(Exception):
    """A write of the only item was stopped: the transaction is given up and tried once more, carefully."""


def _run_writes(connection: Connection, writes: Sequence[Write], index: int, *, guarded: bool) -> Exception | None:
    """Run an item's writes in a savepoint; return what stopped them. What the database itself cannot do goes on up.

    Those that are not `guarded` have none; raises Stopped.
    """
    savepoint = connection.begin_nested() if guarded else None
    try:
        for each in writes:
            each(connection, index)
    except (IntegrityError, ProgrammingError, DataError) as conflict:
        if savepoint is None:
            raise Stopped from conflict
        savepoint.rollback()
        return conflict
    except (DBAPIError, OSError):
        raise
    except Exception as conflict:
        if savepoint is None:
            raise Stopped from conflict
        # A mistake in one item's write must not take the others with it.
        savepoint.rollback()
        return conflict
    if savepoint is not None:
        savepoint.commit()
    return None
