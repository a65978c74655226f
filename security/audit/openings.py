"""Verifying the side table: every entry that can be opened has its row, every removal is on record, and, with the
vault, every row opens its entry and stands in the index."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from security.audit import field_commitments
from security.audit.archived_openings import REDACTION, opening_hashes, redaction, redaction_of
from security.audit.batch import REPEATED
from security.audit.binding import digest
from security.audit.entries import Secrets, commitment, stated
from security.audit.findings import Findings
from security.audit.reading_rows import BEGIN, END, as_json, rows_of, total
from security.audit.repeats import KIND, Told
from security.audit.sealing import Sealer, Unopenable
from security.audit.subjects import SPAN, placed, taken_back
from security.audit.tables import OPENINGS, SUBJECTS
from security.audit.vault import Destroyed, VaultDamaged
from storage.engine import Storage

_ID, _AT = REPEATED.index("id"), REPEATED.index("at")
_PERIOD = len("2026-11")
_SPAN = len(placed(b"", 0))
_ROWS = select(OPENINGS.c.idx, OPENINGS.c.period, OPENINGS.c.slot, OPENINGS.c.sealed, OPENINGS.c.redacted_by).where(
    OPENINGS.c.idx >= BEGIN, OPENINGS.c.idx < END
)
_INDEX_ROWS = select(SUBJECTS.c.idx, SUBJECTS.c.tag).where(SUBJECTS.c.idx >= BEGIN, SUBJECTS.c.idx < END)
_STRAY = "there is an opening or an index row for an entry without commitments"


@dataclass(slots=True)
class Page:
    """Entries up to before `end` for which the side table counts: those with commitments and the redactions.

    `archived` are those of which only the hash is here, `unread` those that are no entries.
    """

    end: int = 0
    entries: dict[int, Told] = field(default_factory=dict)
    archived: list[int] = field(default_factory=list)
    unread: set[int] = field(default_factory=set)


class OpeningsCheck:
    """Compares pages of entries with what should open them."""

    def __init__(self, findings: Findings, sealer: Sealer | None) -> None:
        self._findings = findings
        self._sealer = sealer
        self._live = frozenset(sealer.live_periods()) if sealer is not None else frozenset()
        self._seen = {OPENINGS: 0, SUBJECTS: 0}
        # Those that did not open, and why.
        self._closed: list[tuple[int, str]] = []

    def page(self, connection: Connection, begin: int, page: Page) -> None:
        """Look at the openings and index rows of these entries; of those that are archived only the rows are here."""
        if begin == page.end:
            return
        last = page.end - 1
        rows = {row[0]: row for row in rows_of(connection, _ROWS, begin=begin, end=page.end)}
        index_rows = rows_of(connection, _INDEX_ROWS, begin=begin, end=page.end)
        tags: dict[int, list[bytes]] = {}
        for index, tag in index_rows:
            if index in tags:
                tags[index].append(tag)
            else:
                tags[index] = [tag]
        self._seen[OPENINGS] += len(rows)
        self._seen[SUBJECTS] += len(index_rows)
        for index in page.archived:
            if what := self._flaw_of_archived(connection, rows.get(index), tags.get(index, ())):
                self._findings.add(index, index, what)
        for index, entry in page.entries.items():
            row, marks = rows.get(index), tags.get(index, ())
            if (row is None or not _agrees(entry, row, marks)) and not self._holds(
                connection, index, entry, row, marks
            ):
                continue
            if self._sealer is not None and row is not None and row[4] is None and row[1] in self._live:
                self._opened(self._sealer, row, entry.body, marks)
        for there in (rows.keys(), tags.keys()):
            # All of them, as long as nobody tampered: the difference of two sets costs more than the question.
            if not there <= page.entries.keys():
                for index in there - page.entries.keys() - page.unread - set(page.archived):
                    # Out of a damaged index comes what is no number of an entry.
                    first, final = (index, index) if type(index) is int else (begin, last)
                    self._findings.add(first, final, _STRAY)

    def end(self, connection: Connection, size: int) -> None:
        """Find rows that belong to no entry; with the vault count what there would be to open."""
        if self._sealer is not None:
            there = OPENINGS.c.sealed.is_not(None) & OPENINGS.c.redacted_by.is_(None)
            self._findings.openings = rows_of(connection, select(func.count()).where(there))[0][0]
        for table, name in ((OPENINGS, "openings"), (SUBJECTS, "index rows")):
            stray = total(connection, table) - self._seen[table]
            if stray:
                self._findings.add(size, size, f"there are {stray} {name} that belong to no entry")

    async def settle(self, storage: Storage) -> None:
        """Find the entries looked at that did not open, but for those that somebody redacted meanwhile.

        The vault is no part of the snapshot that rows are read from.
        """
        if self._closed:
            await storage.read(self._still_closed)

    def _still_closed(self, connection: Connection) -> None:
        closed, self._closed = self._closed, []
        for index, what in closed:
            marks = rows_of(connection, select(OPENINGS.c.redacted_by).where(OPENINGS.c.idx == index))
            if not any(self._recorded(connection, index, mark) for (mark,) in marks):
                self._findings.add(index, index, what)

    def _holds(
        self, connection: Connection, index: int, entry: Told, row: tuple[Any, ...] | None, tags: Sequence[bytes]
    ) -> bool:
        """Look closer at the opening of an entry; say what is wrong with it, as far as its row shows."""
        if entry.repeated[KIND] == REDACTION:
            self._redaction(connection, index, entry)
        if not entry.committed:
            what = _STRAY if row is not None or tags else None
        elif row is None:
            what = "what opens the entry is missing and no redaction says why"
        else:
            what = self._flaw(connection, entry, row, tags)
        if what is not None:
            self._findings.add(index, index, what)
        return what is None

    def _flaw(self, connection: Connection, entry: Told, row: tuple[Any, ...], tags: Sequence[bytes]) -> str | None:
        index, period, slot, sealed, redacted_by = row
        if period != str(entry.repeated[_AT])[:_PERIOD] or (entry.slot is not None and slot != entry.slot):
            return "the opening names another key than the entry"
        if redacted_by is not None and not self._recorded(connection, index, redacted_by):
            return "the opening is marked as redacted, but no entry records it"
        if sealed is None:
            if redacted_by is None:
                return "the opening was removed and no redaction says why"
            return "the entry was redacted and still stands in the index" if tags else None
        if entry.hash is None:
            return self._flaw_of_redacted(connection, index, redacted_by)
        if entry.hash == _shown(index, sealed, tags):
            return None
        return "the opening or the index rows are not those that the entry names"

    def _flaw_of_archived(
        self, connection: Connection, row: tuple[Any, ...] | None, tags: Sequence[bytes]
    ) -> str | None:
        if row is None:
            return "there is an index row for an entry without an opening" if tags else None
        index, _, _, sealed, redacted_by = row
        if redacted_by is not None and not self._recorded(connection, index, redacted_by):
            return "the opening is marked as redacted, but no entry records it"
        if sealed is None and redacted_by is None:
            return "the opening was removed and no redaction says why"
        if sealed is not None:
            return self._flaw_of_redacted(connection, index, redacted_by)
        return "the entry was redacted and still stands in the index" if tags else None

    def _flaw_of_redacted(self, connection: Connection, index: int, redacted_by: object) -> str | None:
        """Hold what still opens an entry, which may be marked as redacted, to what its redaction says it removes.

        A redaction takes that away in a step of its own: until then it is there as it was.
        """
        if redacted_by is None:
            return None
        found = redaction_of(connection, redacted_by)
        if found is not None and found.removed == opening_hashes(connection, [index])[index]:
            return None
        return "the entry was redacted, and there is an opening that is not the one that was to be removed"

    def _recorded(self, connection: Connection, index: int, redacted_by: object) -> bool:
        found = redaction_of(connection, redacted_by)
        return found is not None and found.of == index

    def _redaction(self, connection: Connection, index: int, entry: Told) -> None:
        """Look whether what this entry records was done and not undone."""
        found = redaction(index, entry.body)
        of = None if found is None else found.of
        # No database can be asked for a number beyond those that it keeps.
        marks = (
            rows_of(connection, select(OPENINGS.c.redacted_by).where(OPENINGS.c.idx == of))
            if of is not None and 0 <= of < index
            else ()
        )
        if [mark for (mark,) in marks] != [entry.repeated[_ID]]:
            self._findings.add(index, index, f"the redaction of entry {of} that this entry records is not marked there")

    def _opened(self, sealer: Sealer, row: tuple[Any, ...], body: bytes, rows: Sequence[bytes]) -> None:
        index, period, slot, sealed, _ = row
        try:
            entry = as_json(body)
        except ValueError:
            # The pattern that told its members does not look into all of them.
            self._findings.add(index, index, "the entry cannot be read")
            return
        try:
            secrets = Secrets.decode(sealer.open(entry["id"], period, slot, sealed))
        except (Unopenable, VaultDamaged, Destroyed) as failure:
            self._closed.append((index, f"the entry does not open: {failure}"))
            return
        self._findings.opened += 1
        self._findings.recomputed += len(secrets.contents())
        if not _opens(secrets, entry):
            self._findings.add(index, index, "the opening does not open the commitments of the entry")
        tags = {taken_back(row, index) for row in rows}
        if {sealer.tag(period, kind, value) for kind, value in secrets.subjects} != tags:
            self._findings.add(index, index, "the index rows are not those of the entry's subjects")


def _agrees(entry: Told, row: tuple[Any, ...], tags: Sequence[bytes]) -> bool:
    """Whether everything about the opening is as the entry says and there is nothing else to look at."""
    repeated, committed, hashed, slot, _, _ = entry
    return (
        row[4] is None
        and row[2] == slot
        and committed
        and repeated[KIND] != REDACTION
        and row[1] == repeated[_AT][:_PERIOD]  # type: ignore[index]
        and hashed == _shown(row[0], row[3], tags)
    )


def _shown(index: int, sealed: object, tags: Sequence[bytes]) -> str:
    """What an entry says of its sealed row and its index rows if these are its own."""
    span = (index // SPAN).to_bytes(_SPAN, "big")
    bare = [tag[_SPAN:] if type(tag) is bytes and tag[:_SPAN] == span else b"" for tag in tags]
    return digest(sealed if type(sealed) is bytes else b"", bare)


def _opens(secrets: Secrets, entry: Mapping[str, Any]) -> bool:
    """Recompute every commitment whose value is still known."""
    known = secrets.contents()
    try:
        there = stated(entry)
    except (AttributeError, KeyError, TypeError):
        return False
    seed = secrets.salts.get("fields")
    if seed is not None and secrets.data is not None:
        by_field = b64encode(field_commitments.committed(seed, secrets.data)).decode()
        if by_field != there.get("fields"):
            return False
    return secrets.salts.keys() == there.keys() and all(
        commitment(secrets.salts[name], content) == there.get(name) for name, content in known.items()
    )
