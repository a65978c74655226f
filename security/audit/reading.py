"""The read side of the audit trail: entries, proofs, checkpoints, and "who read citizen X" (ai đã tra cứu công dân X).

Reading needs no private key; finding a subject and opening an entry need the vault.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, literal_column, select

from security.audit.archived import InArchive as InArchive
from security.audit.archived import NoEntry as NoEntry
from security.audit.archived import Part, parts
from security.audit.batch import REPEATED, current_checkpoint
from security.audit.checkpoint import b64
from security.audit.entries import Secrets, instant
from security.audit.merkle import consistency_proof, inclusion_proof
from security.audit.sealing import Sealer
from security.audit.shelf import Shelf, part_of
from security.audit.subjects import indexes
from security.audit.tables import CHECKPOINTS, ENTRIES, HEAD, OPENINGS
from security.audit.tiles import bundle, stored_nodes
from security.audit.vault import Destroyed
from storage.bulk import run_rendered
from storage.engine import Storage

PAGE = 500


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry as it stands: its number, its exact canonical bytes, its leaf hash, and whether it was redacted.

    Of an entry in an archive that is not at hand `body` is empty: `file` names where it is, `outline` has what its row
    repeats of it.
    """

    index: int
    body: bytes
    leaf: bytes
    redacted: bool
    part: Part | None = None
    outline: Mapping[str, object] | None = None

    @property
    def file(self) -> str | None:
        """The archive that the entry is in, where it is not here."""
        return self.part.file if self.part is not None else None

    @property
    def entry(self) -> dict[str, object]:
        """The decoded entry; of one that was archived `archived`, the name of the file, and its outline."""
        if self.file is not None:
            return {"archived": self.file, **(self.outline or {})}
        decoded: dict[str, object] = json.loads(self.body)
        return decoded

    def shown(self) -> dict[str, object]:
        """Return the entry as a line of a list has it, for JSON."""
        return {"index": self.index, "leaf": b64(self.leaf), "redacted": self.redacted, "entry": self.entry}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries to list: equality on every field that is set; `since` inclusive, `before` exclusive."""

    since: datetime | None = None
    before: datetime | None = None
    kind: str | None = None
    client: str | None = None
    database: str | None = None
    operation: str | None = None
    purpose: str | None = None
    dossier: str | None = None
    outcome: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion proof for the tree of `size` entries; `checkpoint` signs that very tree."""

    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]
    checkpoint: str


class AuditReader:
    """Reads one log. Raises `StorageUnavailable` when the database does not answer, `NoEntry` for what is not there."""

    def __init__(self, storage: Storage, sealer: Sealer | None = None, archives: Path | None = None) -> None:
        self._storage = storage
        self._sealer = sealer
        self._archives = archives
        self._shelf: Shelf | None = None

    def open_with(self, sealer: Sealer) -> None:
        """Go on with rotated master keys."""
        self._sealer = sealer

    async def size(self) -> int:
        """How many entries the log has."""
        return await self._storage.read(_size)

    async def checkpoint(self) -> str | None:
        """The newest signed note; None for an empty log."""
        return await self._storage.read(current_checkpoint)

    async def checkpoint_over(self, size: int) -> str:
        """The signed note of the first checkpoint of at least `size` entries. Raises NoEntry where there is none."""
        query = select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.size >= size).order_by(CHECKPOINTS.c.size).limit(1)
        note: str | None = await self._storage.read(lambda connection: connection.execute(query).scalar())
        if note is None:
            raise NoEntry(f"no checkpoint covers {size} entries")
        return note

    async def checkpoint_within(self, size: int) -> str | None:
        """The signed note of the last checkpoint of at most `size` entries; None where there is none."""
        query = select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.size <= size).order_by(CHECKPOINTS.c.size.desc())
        return await self._storage.read(lambda connection: connection.execute(query.limit(1)).scalar())

    async def show(self, index: int) -> Recorded:
        """One entry. Raises InArchive for one that was archived."""
        found = await self.find(index)
        if found.part is not None:
            raise InArchive(index, found.part)
        return found

    async def find(self, index: int) -> Recorded:
        """One entry, or what is known here of one that was archived."""
        found = await self._listed(_RECORDED.where(ENTRIES.c.idx == index))
        if not found:
            raise NoEntry(f"the log has no entry {index}")
        return found[0]

    async def latest(self) -> tuple[int, datetime] | None:
        """Number and time of the entry with the latest time, which is not the newest where a clock was wrong."""
        query = select(ENTRIES.c.idx, ENTRIES.c.at).order_by(ENTRIES.c.at.desc()).limit(1)
        row = await self._storage.read(lambda connection: connection.execute(query).first())
        return None if row is None else (row.idx, datetime.fromisoformat(row.at))

    async def first_since(self, at: datetime) -> int:
        """The lowest number of an entry of this time or later; the size of the log where there is none."""
        query = select(ENTRIES.c.idx).where(ENTRIES.c.at >= instant(at)).order_by(ENTRIES.c.idx).limit(1)
        found: int | None = await self._storage.read(lambda connection: connection.execute(query).scalar())
        return await self.size() if found is None else found

    async def last_before(self, at: datetime) -> int:
        """One more than the highest number of an entry before this time; 0 where there is none."""
        query = select(ENTRIES.c.idx).where(ENTRIES.c.at < instant(at)).order_by(ENTRIES.c.idx.desc()).limit(1)
        found: int | None = await self._storage.read(lambda connection: connection.execute(query).scalar())
        return 0 if found is None else found + 1

    async def entries(self, chosen: Filter, *, after: int = -1, limit: int = 50) -> list[Recorded]:
        """Up to `limit` entries that match, in order, behind entry `after`: the index of the last is the cursor."""
        begin: ColumnElement[bool] = ENTRIES.c.idx > after
        if chosen.since is not None and chosen.before is None and after < 0:
            # What is recent is found by the index of times alone; the sum keeps SQLite from going through the log.
            first = select(func.min(ENTRIES.c.idx + literal_column("0"))).where(ENTRIES.c.at >= instant(chosen.since))
            begin = ENTRIES.c.idx >= first.scalar_subquery()
        query = _filtered(chosen).where(begin).order_by(ENTRIES.c.idx)
        # SQLite plans by a limit only where it stands in the text: a day of a long log by its times, not from `after`.
        most: ColumnElement[int] = literal_column(str(min(limit, PAGE)))
        return await self._listed(query.limit(most))

    async def search(
        self,
        kinds: str | Sequence[str],
        values: str | Sequence[str],
        chosen: Filter = Filter(),
        *,
        after: int = -1,
        limit: int = 50,
    ) -> list[Recorded]:
        """Entries that asked about or disclosed this subject, except in destroyed periods and redacted entries.

        `kinds` are those that it may be of, `values` how its identifier may be spelled. Up to `limit` entries behind
        `after` that `chosen` lets through.
        """
        sealer, most = self._vault(), min(limit, PAGE)
        named = dict.fromkeys([kinds] if isinstance(kinds, str) else kinds)
        spelled = dict.fromkeys([values] if isinstance(values, str) else values)
        tags = await asyncio.to_thread(
            lambda: [tag for kind in named for value in spelled for tag in sealer.tags(kind, value)]
        )

        def look(connection: Connection) -> list[Recorded]:
            found: list[Recorded] = []
            last = after
            while len(found) < most and (page := indexes(connection, tags, after=last, limit=most)):
                query = _filtered(chosen).where(ENTRIES.c.idx.in_(page)).order_by(ENTRIES.c.idx)
                found += _recorded(connection, query)
                last = page[-1]
            return found[:most]

        return await self._whole(await self._storage.read(look))

    async def open(self, index: int) -> Secrets:
        """Decrypt what opens an entry. Raises NoEntry (none, or redacted), `Unopenable`, `VaultDamaged`.

        The caller records the reading in the log before showing anything.
        """
        query = select(ENTRIES.c.id, OPENINGS.c.period, OPENINGS.c.slot, OPENINGS.c.sealed).where(
            ENTRIES.c.idx == OPENINGS.c.idx, OPENINGS.c.idx == index, OPENINGS.c.redacted_by.is_(None)
        )
        row = await self._storage.read(lambda connection: connection.execute(query).first())
        if row is None:
            raise NoEntry(f"entry {index} has no opening")
        sealer = self._vault()

        def unsealed() -> bytes:
            # Another process may have destroyed the period; its key may still be in memory here.
            if row.period not in sealer.live_periods():
                raise Destroyed(f"period {row.period}")
            return sealer.open(row.id, row.period, row.slot, row.sealed)

        try:
            content = await asyncio.to_thread(unsealed)
        except Destroyed as gone:
            raise NoEntry(f"the opening of entry {index} was destroyed") from gone
        return Secrets.decode(content)

    async def prove(self, index: int, size: int | None = None) -> Proof:
        """Prove that an entry stands in the tree of a checkpoint of `size` entries; by default the newest."""

        def look(connection: Connection) -> Proof:
            if size is None:
                signed = run_rendered(connection, _NEWEST)
            else:
                signed = run_rendered(connection, _OF_SIZE, ("size",), (size,))
            leaf = run_rendered(connection, _LEAF, ("idx",), (index,))
            if signed is None or leaf is None or index >= signed[0]:
                which = "no checkpoint" if size is None else f"no checkpoint of {size} entries"
                raise NoEntry(f"{which} covers entry {index}, entries are numbered from 0")
            path = inclusion_proof(index, signed[0], stored_nodes(connection, signed[0]))
            return Proof(index, signed[0], leaf[0], tuple(path), signed[1])

        return await self._storage.read(look)

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Prove that the tree of `old` entries is a prefix of the tree of `new` entries."""

        def look(connection: Connection) -> list[bytes]:
            if not 0 < old <= new <= _size(connection):
                raise NoEntry("the log has no trees of these sizes")
            return consistency_proof(old, new, stored_nodes(connection, new))

        return await self._storage.read(look)

    async def bundle(self, number: int, width: int) -> list[bytes] | None:
        """The first `width` entries of a tile; None where the log is not that long. Raises InArchive."""
        rows = await self._storage.read(lambda connection: bundle(connection, number, width))
        if rows is None or all(row.part is None for row in rows):
            return None if rows is None else [row.body for row in rows]
        # Whoever copies the log asks for tile after tile: a file is gone on with where the last one ended.
        shelf, self._shelf = self._shelf or Shelf(self._archives), None

        def whole() -> list[bytes]:
            found = shelf.whole(rows)
            self._shelf = shelf
            return found

        return await asyncio.to_thread(whole)

    async def _listed(self, query: Select[tuple[int, bytes, bytes, str | None]]) -> list[Recorded]:
        return await self._whole(await self._storage.read(lambda connection: _recorded(connection, query)))

    async def _whole(self, found: list[Recorded]) -> list[Recorded]:
        """Take archived entries out of the archives that are at hand; what does not hash to its leaf is not taken."""
        if self._archives is None or all(each.part is None for each in found):
            return found
        return await asyncio.to_thread(_from_archives, self._archives, found)

    def _vault(self) -> Sealer:
        if self._sealer is None:
            raise NoEntry("opening and searching need the vault")
        return self._sealer


_RECORDED: Select[tuple[int, bytes, bytes, str | None]] = select(
    ENTRIES.c.idx, ENTRIES.c.body, ENTRIES.c.leaf, OPENINGS.c.redacted_by
).select_from(ENTRIES.outerjoin(OPENINGS, ENTRIES.c.idx == OPENINGS.c.idx))
_SIGNED = select(CHECKPOINTS.c.size, CHECKPOINTS.c.note)
_NEWEST = _SIGNED.where(CHECKPOINTS.c.size == select(func.max(CHECKPOINTS.c.size)).scalar_subquery())
_OF_SIZE = _SIGNED.where(CHECKPOINTS.c.size == bindparam("size"))
_LEAF = select(ENTRIES.c.leaf).where(ENTRIES.c.idx == bindparam("idx"))
_EQUALITIES: Sequence[str] = tuple(each.name for each in fields(Filter) if each.name not in {"since", "before"})


def _recorded(connection: Connection, query: Select[tuple[int, bytes, bytes, str | None]]) -> list[Recorded]:
    rows = connection.execute(query).all()
    gone = _outlines(connection, [row.idx for row in rows if not row.body])
    return [Recorded(row.idx, row.body, row.leaf, row.redacted_by is not None, *gone.get(row.idx, ())) for row in rows]


def _outlines(connection: Connection, indexes: Sequence[int]) -> dict[int, tuple[Part, dict[str, object]]]:
    """For each entry in an archive which one it is, and its outline."""
    held = parts(connection) if indexes else []
    if not held:
        return {}
    repeated = select(ENTRIES.c.idx, *(ENTRIES.c[name] for name in REPEATED)).where(ENTRIES.c.idx.in_(indexes))
    found = {}
    for index, *values in connection.execute(repeated):
        if (part := part_of(held, index)) is not None:
            found[index] = part, _outline(values)
    return found


def _outline(values: Sequence[object]) -> dict[str, object]:
    told = {name: value for name, value in zip(REPEATED, values, strict=True) if value is not None}
    for name, member, inner in (("client", "caller", "client"), ("outcome", "outcome", "code")):
        if name in told:
            told[member] = {inner: told.pop(name)}
    return told


def _from_archives(directory: Path, found: Sequence[Recorded]) -> list[Recorded]:
    """Those that are at hand; an archive that is elsewhere, or damaged, is said to be where the entry is."""
    with Shelf(directory) as shelf:
        return [_from_archive(shelf, each) for each in found]


def _from_archive(shelf: Shelf, found: Recorded) -> Recorded:
    if found.part is None:
        return found
    taken = shelf.find(found.part, found.index, found.leaf)
    if isinstance(taken, Part):
        return replace(found, part=taken)
    return Recorded(found.index, taken, found.leaf, found.redacted)


def _filtered(chosen: Filter) -> Select[tuple[int, bytes, bytes, str | None]]:
    query = _RECORDED
    if chosen.since is not None:
        query = query.where(ENTRIES.c.at >= instant(chosen.since))
    if chosen.before is not None:
        query = query.where(ENTRIES.c.at < instant(chosen.before))
    for name in _EQUALITIES:
        wanted = getattr(chosen, name)
        if wanted is not None:
            query = query.where(ENTRIES.c[name] == wanted)
    return query


def _size(connection: Connection) -> int:
    return connection.execute(select(HEAD.c.size)).scalar() or 0
