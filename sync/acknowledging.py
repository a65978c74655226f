"""Acknowledging a filed dossier: who took it over and when, and that the gateway knows it from then on (xác nhận).

The portal holds the dossier already. Where nobody has registered it, its acknowledgement adopts it for the agency that
acknowledges, as `"deliver": false` does: statuses may follow at once. Adopted first, then acknowledged: a crash between
them is made good by acknowledging again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from schemas.dossiers.models import DossierBody
from schemas.errors import EvidenceUnavailable, NotFound, Refused
from schemas.exchange import Caller
from schemas.ids import new_id
from security.audit.entries import Evidence, Outcome
from security.audit.log import AuditLog
from security.audit.receipt import Receipt
from security.audit.trail import named
from storage.engine import Storage, Work
from storage.errors import StorageError
from sync import inbox
from sync.inbox import Filed
from sync.intake import Intake, T
from sync.opening import Opener
from sync.reading import dossier
from sync.recall import receipts
from sync.rows import Dossier

_DONE: Final = Outcome("ok", 200)


class _Overtaken(Exception):
    """Somebody else acknowledged it meanwhile."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An acknowledged version; `newest` is the newest that there is, `again` that it was acknowledged before."""

    filed: Filed
    newest: int
    adopted: bool
    receipt: Receipt
    again: bool


class Acknowledging:
    """Acknowledges filed dossiers for one process."""

    def __init__(self, storage: Storage, log: AuditLog, opener: Opener, intake: Intake) -> None:
        self._storage = storage
        self._log = log
        self._opener = opener
        self._intake = intake

    async def acknowledge(self, caller: Caller, request_id: str, code: str, version: int | None) -> Acknowledged:
        """Acknowledge a version, without one the newest that was shown (the newest of all where none was).

        The same again changes nothing. Raises NotFound for what the caller may not see, EvidenceUnavailable.
        """
        while True:
            newest, filed, held = await self._read(lambda connection: _look(connection, caller.agency, code, version))
            if filed.acknowledgement is not None:
                return await self._again(filed, newest)
            if held is None or not held.registered:
                held = await self._adopt(caller, request_id, filed)
            adopted = held is not None and held.registered and held.agency == caller.agency
            now = datetime.now(UTC)
            at = round(now.timestamp() * 1000)
            try:
                receipt = await self._keep(caller, request_id, filed, now, at, adopted=adopted)
            except _Overtaken:
                continue
            kept = replace(filed, acknowledged_at=at, acknowledged_by=caller.client_id)
            return Acknowledged(kept, newest, adopted, receipt, again=False)

    async def _again(self, filed: Filed, newest: int) -> Acknowledged:
        entry = filed.acknowledgement or 0
        found = await self._read(lambda connection: receipts(connection, self._log.origin, [entry]))
        return Acknowledged(filed, newest, bool(filed.adopted), found[entry], again=True)

    async def _adopt(self, caller: Caller, request_id: str, filed: Filed) -> Dossier | None:
        said = (await self._opener.bodies([filed])).get(filed.event_id)
        if said is not None:
            body = DossierBody.model_validate({**said["dossier"], "deliver": False})
            # Refused: another agency registered it in this moment.
            with suppress(Refused):
                await self._intake.take_one(request_id, self._intake.prepare(caller, filed.code, None, body))
        return await self._read(lambda connection: dossier(connection, filed.code))

    async def _keep(
        self, caller: Caller, request_id: str, filed: Filed, now: datetime, at: int, *, adopted: bool
    ) -> Receipt:
        def write(connection: Connection, index: int) -> None:
            if not inbox.acknowledge(connection, filed, caller.client_id, at, index, adopted=adopted):
                raise _Overtaken

        entry = Evidence(
            id=new_id(),
            kind="intake",
            at=now,
            caller=named(caller),
            database="dossiers",
            operation="acknowledge",
            dossier=filed.code,
            request_id=request_id,
            outcome=_DONE,
            details={"filed": filed.event_id, "version": filed.version, "adopted": adopted},
        )
        return await self._log.record(entry, writes=(write,))

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._storage.read(work)
        except StorageError as failure:
            raise EvidenceUnavailable(retry_after=2) from failure


def _look(connection: Connection, agency: str, code: str, version: int | None) -> tuple[int, Filed, Dossier | None]:
    """Read the number of the newest version, the version that is meant, and the dossier if the gateway knows it."""
    found = inbox.versions(connection, code, agency)
    meant = version if version is not None else inbox.newest_shown(connection, code)
    filed = next((one for one in found if one.version == meant), None)
    if version is None and filed is None and found:
        filed = found[0]
    if filed is None:
        raise NotFound
    return found[0].version, filed, dossier(connection, code)
