"""What reconciliations leave in the audit trail: who began them, what they repaired, how they ended (vết kiểm toán)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from schemas.ids import new_id
from security.audit import entries
from security.audit.canonical import JSON
from security.audit.entries import Evidence
from security.audit.log import AuditLog
from sync import reconciliations as rows
from sync.reconciliations import Reconciliation


def act(one: Reconciliation, action: str, details: Mapping[str, JSON], dossier: str | None = None) -> Evidence:
    """The entry of something that is done for a reconciliation, in the name of whoever asked for it."""
    said: dict[str, JSON] = {
        "action": action,
        "reconciliation": one.id,
        "day": one.day,
        "agency": one.agency,
        **details,
    }
    caller = None
    if one.client_id is not None and one.credential is not None:
        caller = entries.Caller(one.client_id, one.agency, one.credential)
    elif one.asked_by is not None:
        said["by"] = one.asked_by
    return Evidence(
        id=new_id(),
        kind="admin",
        at=datetime.now(UTC),
        caller=caller,
        database="dossiers",
        operation="reconciliation",
        dossier=dossier,
        details=said,
    )


async def begin(record: AuditLog, new: Reconciliation) -> Reconciliation:
    """Begin one, with its evidence in the same commit; raises rows.Running, EvidenceUnavailable."""
    positions: list[int] = []

    def write(connection: Connection, index: int) -> None:
        positions[:] = [index]
        rows.begun(connection, replace(new, position=index))

    await record.record(act(new, "reconciliation-started", {"repair": bool(new.repair)}), writes=(write,))
    return replace(new, position=positions[0])
