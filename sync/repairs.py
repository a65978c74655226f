"""The acts of `sync.repair` as owners and operators do them: counted first, then done group by group with evidence."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select

from config.sync import Sync
from schemas.dossiers.vocabularies import Vocabulary
from schemas.ids import new_id
from security.audit.canonical import JSON
from security.audit.entries import Caller, Evidence
from security.audit.log import AuditLog
from storage.engine import Storage
from sync.opening import Opener
from sync.repair import MOST, Act, Done, Filter, Repair, count, matching, understood
from sync.rows import Event
from sync.tables import DOSSIER_EVENTS

_GROUP: Final = 500


class Miscounted(Exception):
    """The group has another size than whoever asks believes."""

    def __init__(self, found: int) -> None:
        super().__init__(f"the filter means {found} deliveries")
        self.found = found


class Repairs:
    """What repairs work with; `vocabularies` say what statuses mean now."""

    def __init__(
        self,
        storage: Storage,
        log: AuditLog,
        opener: Opener,
        vocabularies: Mapping[str, Vocabulary],
        settings: Sync,
    ) -> None:
        self._storage = storage
        self._log = log
        self._opener = opener
        self._vocabularies = vocabularies
        self._settings = settings

    async def matching(self, wanted: Filter, act: Act) -> list[Event]:
        """Read which deliveries a filter means, at most `MOST`; raises StorageError."""
        return await self._storage.read(lambda connection: matching(connection, wanted, act))

    async def count(self, wanted: Filter, act: Act) -> int:
        """Tell how many deliveries a filter means; raises StorageError."""
        return await self._storage.read(lambda connection: count(connection, wanted, act))

    async def known(self, wanted: Filter) -> bool:
        """Tell whether the delivery of this id is one of this agency, whatever its state."""
        query = select(DOSSIER_EVENTS.c.position).where(DOSSIER_EVENTS.c.event_id == wanted.event_id)
        if wanted.agency is not None:
            query = query.where(DOSSIER_EVENTS.c.agency == wanted.agency)
        return await self._storage.read(lambda connection: connection.execute(query).first() is not None)

    async def do(
        self, act: Act, wanted: Filter, expect: int, *, caller: Caller | None, by: str | None, reason: str | None
    ) -> list[Done]:
        """Do an act to all that a filter means, to the oldest where they are more than `MOST`; say what became of each.

        Raises Miscounted where they are not `expect` many, EvidenceUnavailable, StorageError. A group of more than 500
        is done in several commits; what was done before one that fails stays done.
        """
        found = await self.count(wanted, act)
        if found != expect:
            raise Miscounted(found)
        events = await self.matching(wanted, act)
        if len(events) != min(expect, MOST):
            raise Miscounted(len(events))
        done: list[Done] = []
        for first in range(0, len(events), _GROUP):
            done += await self._some(act, wanted, events[first : first + _GROUP], caller, by, reason)
        return done

    async def _some(
        self,
        act: Act,
        wanted: Filter,
        events: Sequence[Event],
        caller: Caller | None,
        by: str | None,
        reason: str | None,
    ) -> list[Done]:
        held = [event for event in events if event.state == "quarantined"] if act == "retry" else []
        meanings = understood(held, await self._opener.bodies(held), self._vocabularies) if held else {}
        write = Repair(act, events, time.time_ns() // 1_000_000, self._settings, meanings)
        said: dict[str, JSON] = {name: value for name, value in asdict(wanted).items() if value is not None}
        ids: list[JSON] = [event.event_id for event in events]
        details: dict[str, JSON] = {"action": f"deliveries-{act}", "filter": said, "events": ids}
        details |= {name: value for name, value in (("by", by), ("reason", reason)) if value is not None}
        entry = Evidence(
            id=new_id(),
            kind="admin",
            at=datetime.now(UTC),
            caller=caller,
            database="dossiers",
            operation=act,
            dossier=events[0].code if len(events) == 1 else None,
            details=details,
        )
        await self._log.record(entry, writes=(write,))
        return write.done
