"""Verifying the side table: every entry that can be opened has its row, every removal is on record, and, with the
vault, every row opens its entry and stands in the index."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from security.audit import field_commitments
from security.audit.entries import Secrets, commitment, stated
from security.audit.findings import Findings
from security.audit.sealing import Sealer, Unopenable
from security.audit.subjects import taken_back
from security.audit.tables import ENTRIES, OPENINGS, SUBJECTS
from security.audit.vault import Destroyed, VaultDamaged


class OpeningsCheck:
    """Compares pages of entries with what should open them."""

    def __init__(self, findings: Findings, sealer: Sealer | None) -> None:
        self._findings = findings
        self._sealer = sealer
        self._live = frozenset(sealer.live_periods()) if sealer is not None else frozenset()

    def page(self, connection: Connection, begin: int, entries: Mapping[int, dict[str, Any]]) -> None:
        """Look at the openings and index rows of these entries."""
        if not entries:
            return
        last = max(entries)
        between = OPENINGS.c.idx.between(begin, last)
        rows: dict[int, Any] = {row.idx: row for row in connection.execute(select(OPENINGS).where(between))}
        tags: dict[int, set[bytes]] = {}
        for tag in connection.execute(select(SUBJECTS).where(SUBJECTS.c.idx.between(begin, last))):
            tags.setdefault(tag.idx, set()).add(taken_back(tag.tag, tag.idx))
        for index, entry in entries.items():
            if (row := rows.get(index)) is None:
                if _has_commitments(entry) or index in tags:
                    self._findings.add(index, index, "what opens the entry is missing and no redaction says why")
            elif not _has_commitments(entry):
                self._findings.add(index, index, "there is an opening for an entry without commitments")
            elif row.redacted_by is not None:
                self._redacted(connection, row)
            elif row.sealed is None:
                self._findings.add(index, index, "the opening was removed and no redaction says why")
            elif self._sealer is not None and row.period in self._live:
                self._opened(self._sealer, row, entry, tags.get(index, set()))

    def end(self, connection: Connection, size: int) -> None:
        """Find rows that belong to no entry."""
        for table, name in ((OPENINGS, "openings"), (SUBJECTS, "index rows")):
            outside = (table.c.idx >= size) | (table.c.idx < 0)
            stray = connection.execute(select(func.count()).select_from(table).where(outside)).scalar_one()
            if stray:
                self._findings.add(size, size, f"there are {stray} {name} that belong to no entry")

    def _redacted(self, connection: Connection, row: Any) -> None:
        recorded = select(ENTRIES.c.body).where(ENTRIES.c.id == row.redacted_by, ENTRIES.c.kind == "redaction")
        body = connection.execute(recorded).scalar()
        if body is None or f'"index":{row.idx},'.encode() not in body:
            self._findings.add(row.idx, row.idx, "the opening is marked as redacted, but no entry records it")

    def _opened(self, sealer: Sealer, row: Any, entry: dict[str, Any], tags: set[bytes]) -> None:
        try:
            secrets = Secrets.decode(sealer.open(entry["id"], row.period, row.slot, row.sealed))
        except (Unopenable, VaultDamaged, Destroyed) as failure:
            self._findings.add(row.idx, row.idx, f"the entry does not open: {failure}")
            return
        self._findings.opened += 1
        self._findings.recomputed += len(secrets.contents())
        if not _opens(secrets, entry):
            self._findings.add(row.idx, row.idx, "the opening does not open the commitments of the entry")
        if {sealer.tag(row.period, kind, value) for kind, value in secrets.subjects} != tags:
            self._findings.add(row.idx, row.idx, "the index rows are not those of the entry's subjects")


def _has_commitments(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("commitments") or entry.get("subjects") or isinstance(entry.get("officer"), dict))


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
